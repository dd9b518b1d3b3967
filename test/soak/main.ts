import { parseArgs } from 'node:util';
import { FAULT_KINDS } from './Faults.js';
import { type SoakOptions, type SoakReport, soak } from './soak.js';

const USAGE =
  'npm run soak -- [--seed N] [--kills N] [--minutes N] [--unknown] [--no-forms] [--keep] [--faults all|kind,kind] ' +
  FAULT_KINDS.map((kind) => `[--${kind}]`).join(' ');

/** The command: runs a soak, prints how it went, and returns the exit code, 1 if a promise was broken. */
export async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = read(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nusage: ${USAGE}`);
    return 2;
  }
  console.log(`seed ${options.seed}`);
  const began = performance.now();
  const report = await soak({ ...options, say: (line) => console.log(line) });
  print(report, (performance.now() - began) / 1000);
  return report.violations.length === 0 ? 0 : 1;
}

type Options = Pick<SoakOptions, 'seed' | 'kills' | 'minutes' | 'unknown' | 'forms' | 'faults' | 'keep'>;

/** Throws in words for a person if an option is not known or is no number. */
function read(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: text,
      kills: text,
      minutes: text,
      unknown: { type: 'boolean', default: false },
      forms: { type: 'boolean', default: true },
      keep: flag,
      faults: text,
      restores: flag,
      disk: flag,
      descriptors: flag,
      poison: flag,
      clock: flag,
    },
    allowNegative: true,
  });
  const number = (name: 'seed' | 'kills' | 'minutes', otherwise: number) => {
    const given = values[name];
    if (given === undefined) return otherwise;
    if (!/^\d+$/.test(given)) throw new Error(`--${name}: expected a whole number, found "${given}"`);
    return Number(given);
  };
  const named = values.faults?.split(',') ?? [];
  const strange = named.find((name) => name !== 'all' && !FAULT_KINDS.some((kind) => kind === name));
  if (strange !== undefined) throw new Error(`--faults: there is no kind "${strange}"`);
  return {
    seed: number('seed', Math.floor(Math.random() * 1_000_000)),
    kills: number('kills', values.minutes === undefined ? 200 : Infinity),
    minutes: number('minutes', Infinity),
    unknown: values.unknown,
    forms: values.forms,
    keep: values.keep,
    faults: FAULT_KINDS.filter((kind) => values[kind] || named.includes(kind) || named.includes('all')),
  };
}

function print(
  { kills, deaths, counts, unknown, forms, faults, violations, artefacts }: SoakReport,
  seconds: number,
): void {
  const list = (entries: Readonly<Record<string, number>>) =>
    Object.entries(entries)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `${name} ${count}`)
      .join(', ');
  console.log(`\n${kills} kills in ${Math.round(seconds)} s: ${list(deaths)}`);
  console.log(
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  );
  if (Object.keys(unknown).length > 0) console.log(`unknown: ${list(unknown)}`);
  if (Object.keys(forms).length > 0) console.log(`forms: ${list(forms)}`);
  if (Object.keys(faults).length > 0) console.log(`faults: ${list(faults)}`);
  for (const violation of violations) console.log(`BROKEN  ${violation}`);
  if (artefacts !== undefined) console.log(`everything is kept in ${artefacts}`);
  console.log(violations.length === 0 ? 'every promise was kept' : `${violations.length} broken promises`);
}
