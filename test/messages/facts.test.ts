import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { sized } from '../support/size.js';
import { ADMISSION } from './facts/admission.js';
import { AUDIO } from './facts/audio.js';
import { CHANGES } from './facts/changes.js';
import type { Fact } from './facts/Fact.js';
import { DEFAULTS, FactWorld, SCHEMA_FORMS, type SchemaForm } from './facts/FactWorld.js';
import { FILES } from './facts/files.js';
import { FILTERED } from './facts/filtered.js';
import { FIRST_STATES } from './facts/firstStates.js';
import { FORMS } from './facts/forms.js';
import { GROUPS } from './facts/groups.js';
import { SKIP_REASONS } from './facts/leftOut.js';
import { LINKS } from './facts/links.js';
import { NO_TEXT } from './facts/noText.js';
import { OPERATOR } from './facts/operator.js';
import { OURSELVES } from './facts/ourselves.js';
import { PARTS } from './facts/parts.js';
import { REACTIONS } from './facts/reactions.js';
import { READING } from './facts/reading.js';

const FACTS = [
  ...READING,
  ...FIRST_STATES,
  ...SKIP_REASONS,
  ...LINKS,
  ...REACTIONS,
  ...CHANGES,
  ...FORMS,
  ...NO_TEXT,
  ...FILES,
  ...AUDIO,
  ...GROUPS,
  ...ADMISSION,
  ...FILTERED,
  ...OURSELVES,
  ...OPERATOR,
  ...PARTS,
];

test('every fact has a unique name', () => {
  expect(new Set(FACTS.map(({ name }) => name)).size).toBe(FACTS.length);
});

/** Each version once; together they have each pair of what may be odd about the columns. */
const FEW = SCHEMA_FORMS.filter(
  ({ version, srColumns, shuffledColumns }) =>
    srColumns === [13, 15].includes(version) && shuffledColumns === [14, 15, 26].includes(version),
);

/** The long run shows each fact in every form that chat.db has; the quick one in one of a version that has it, by turns. */
function isShownIn(form: SchemaForm, { since }: Fact, index: number): boolean {
  const has = ({ version }: SchemaForm) => since === undefined || version >= since;
  const forms = FEW.filter(has);
  return has(form) && sized(form === forms[index % forms.length], true);
}

describe.each(sized(FEW, SCHEMA_FORMS))(
  'chat.db of macOS $version, sr_ columns: $srColumns, shuffled: $shuffledColumns',
  (form) => {
    let world: FactWorld;
    beforeAll(() => {
      world = new FactWorld(form);
    });
    afterEach(() => {
      world.settings = { ...DEFAULTS };
      world.clock.advance(10_000);
      world.news();
    });
    afterAll(() => world.close());

    const facts = FACTS.filter((fact, index) => isShownIn(form, fact, index));
    test.each(facts.map((fact) => [fact.name, fact] as const))('%s', (_name, { shown }) => shown(world));
  },
);
