import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { acksGoByHttp, initialState, isLive, next, pollerMode, wakeAt } from '../../src/backend/linkState.js';
import { type LinkEvent, type LinkState, type Loss, PROTOCOL_RULES } from '../../src/backend/linkTypes.js';
import { page, tableUnder } from './page.js';

type Happening = LinkEvent extends infer E
  ? E extends LinkEvent
    ? Omit<E, 'at' | 'chance' | 'epoch'>
    : never
  : never;

const closed: Loss = { kind: 'closed', code: 1006, reason: '' };
const refused: Loss = { kind: 'refused', status: 401, detail: '' };

/** Every event that the link knows, by its name on the page. */
const EVENTS: readonly (readonly [name: string, event: Happening])[] = [
  ['start', { type: 'start', websocket: true }],
  ['start, WebSocket off', { type: 'start', websocket: false }],
  ['opened', { type: 'opened' }],
  ['frame', { type: 'frame', pong: false }],
  ['pong', { type: 'frame', pong: true }],
  ['WebSocket pong', { type: 'wsPong' }],
  ['lost', { type: 'lost', loss: closed }],
  ['lost, refused', { type: 'lost', loss: refused }],
  ['no credentials', { type: 'uncredentialed', reason: 'secret_missing' }],
  ['timer', { type: 'timer' }],
  ['wake', { type: 'wake' }],
  ['kick', { type: 'kick' }],
  ['hurry', { type: 'hurry' }],
  ['redial', { type: 'redial', why: 'x' }],
  ['registered', { type: 'registered' }],
  ['credentials', { type: 'credentials' }],
  ['authorised', { type: 'authorised' }],
  ['drain', { type: 'drain', deadline: 1e9 }],
  ['settled', { type: 'settled' }],
  ['flushed', { type: 'flushed' }],
];

function step(state: LinkState, happening: Happening) {
  const at = wakeAt(state, PROTOCOL_RULES) ?? state.since;
  const event = { ...happening, at, chance: 0, ...epochOf(happening, state) } as LinkEvent;
  return next(state, event, PROTOCOL_RULES);
}

function epochOf({ type }: Happening, { epoch }: LinkState) {
  return ['opened', 'frame', 'wsPong', 'lost', 'uncredentialed'].includes(type) ? { epoch } : {};
}

const named = new Map(EVENTS);
const after = (...names: string[]) =>
  names.reduce((state, name) => step(state, named.get(name) ?? raise(name)).state, initialState(0));

function raise(name: string): never {
  throw new Error(`no event ${name}`);
}

/** One state of each kind, by its name on the page, reached as the link reaches it. */
const STATES: ReadonlyMap<string, LinkState> = new Map([
  ['idle', after()],
  ['idle, polling only', after('start, WebSocket off')],
  ['dialing', after('start')],
  ['proving', after('start', 'opened')],
  ['online', after('start', 'opened', 'pong')],
  ['online, ping unanswered', after('start', 'opened', 'pong', 'timer', 'timer')],
  ['suspect', after('start', 'opened', 'pong', 'timer', 'timer', 'timer')],
  ['suspect, woken', after('start', 'opened', 'pong', 'wake')],
  ['waiting', after('start', 'lost')],
  ['blocked, retrying', after('start', 'lost, refused')],
  ['blocked', after('start', 'lost, refused', 'registered', 'lost, refused')],
  ['draining', after('start', 'opened', 'pong', 'drain')],
  ['draining, last acks', after('start', 'opened', 'pong', 'drain', 'settled')],
  ['draining, closing', after('start', 'opened', 'pong', 'drain', 'settled', 'pong')],
  ['draining, no socket', after('start', 'lost', 'drain')],
  ['draining, last acks by HTTP', after('start', 'lost', 'drain', 'settled')],
  ['stopped', after('drain')],
]);

/** The name of a state as the page has it. */
function nameOf(state: LinkState): string {
  if (state.name === 'idle') return state.pollingOnly ? 'idle, polling only' : 'idle';
  if (state.name === 'blocked') return state.retrying ? 'blocked, retrying' : 'blocked';
  if (state.name === 'suspect') return state.cause === 'wake' ? 'suspect, woken' : 'suspect';
  if (state.name !== 'draining') return state.name;
  if (state.part === 'closing') return 'draining, closing';
  if (state.part === 'barrier') return `draining, last acks${state.keepalive === null ? ' by HTTP' : ''}`;
  return state.keepalive === null ? 'draining, no socket' : 'draining';
}

/** What an event changes, as the page has it; undefined: nothing that the page shows. */
function change(state: LinkState, event: Happening): [to: string, actions: string] | undefined {
  const { state: to, effects } = step(state, event);
  if (to.transition === state.transition && nameOf(to) === nameOf(state)) return undefined;
  return [code(nameOf(to)), listed(effects.map((effect) => effect.do))];
}

const code = (words: string) => `\`${words}\``;
const listed = (words: readonly string[]) => (words.length === 0 ? '–' : words.map(code).join(', '));

test('docs/link.md has every change of state that the link makes, and no other', () => {
  const made = [...STATES].flatMap(([from, state]) =>
    EVENTS.flatMap(([name, event]) => {
      const changed = change(state, event);
      const plain = STATES.get(from.replace(/, (ping unanswered|woken)$/, '')) ?? state;
      const isSame = plain !== state && isDeepStrictEqual(changed, change(plain, event));
      return changed === undefined || isSame ? [] : [[code(from), name, ...changed]];
    }),
  );
  expect(tableUnder('## Changes of state', page('docs/link.md'))).toEqual(made);
});

test('docs/link.md says of each state whether the agent polls, and which way acks go', () => {
  const rows = [...STATES].map(([name, state]) => {
    const acks = isLive(state) ? 'WebSocket' : acksGoByHttp(state) ? 'HTTP' : 'wait';
    return [code(name), pollerMode(state), acks];
  });
  const shown = tableUnder('## States', page('docs/link.md')).map(([name, , poller, acks]) => [
    name,
    poller,
    acks,
  ]);
  expect(shown).toEqual(rows);
});

test('docs/link.md has the waits of the protocol', () => {
  const shown = new Map(
    tableUnder('## Waits', page('docs/link.md')).map(([rule = '', seconds = '']) => [
      rule.replaceAll('`', ''),
      seconds,
    ]),
  );
  const inSeconds = (ms: number) => `${ms / 1000} s`;
  for (const [rule, value] of Object.entries(PROTOCOL_RULES)) {
    if (typeof value === 'number') expect([rule, shown.get(rule)]).toEqual([rule, inSeconds(value)]);
  }
});
