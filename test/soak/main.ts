import { parseArgs } from 'node:util';
import { FAULT_KINDS } from './Faults.js';
import { gatewaySoak } from './gateway/gatewaySoak.js';
import { BALANCERS, type BalancerName, installedBalancer } from './gateway/LoadBalancer.js';
import { type SoakOptions, soak } from './soak.js';

const USAGE =
  'npm run soak -- [--seed N] [--kills N] [--minutes N] [--unknown] [--no-forms] [--keep] [--faults all|kind,kind] ' +
  FAULT_KINDS.map((kind) => `[--${kind}]`).join(' ') +
  `\n       npm run soak -- --gateway [--seed N] [--kills N] [--minutes N] [--keep] [--balancer ${BALANCERS.join('|')}]`;

/** The command: runs a soak, prints how it went, and returns the exit code, 1 if a promise was broken. */
export async function main(args: readonly string[]): Promise<number> {
  let options: Options & { balancer?: BalancerName };
  try {
    options = read(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nusage: ${USAGE}`);
    return 2;
  }
  console.log(`seed ${options.seed}`);
  const began = performance.now();
  const say = (line: string) => console.log(line);
  const { balancer } = options;
  const report = await (balancer === undefined
    ? soak({ ...options, say })
    : gatewaySoak({ ...options, balancer, say }));
  print(report, (performance.now() - began) / 1000);
  return report.violations.length === 0 ? 0 : 1;
}

type Options = Pick<SoakOptions, 'seed' | 'kills' | 'minutes' | 'unknown' | 'forms' | 'faults' | 'keep'>;

/** Throws a readable error if an option is not known or is no number. */
function read(args: readonly string[]): Options & { balancer?: BalancerName } {
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
      gateway: flag,
      balancer: text,
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
  const balancer = values.gateway ? { balancer: installedBalancer(balancerNamed(values.balancer)) } : {};
  return {
    ...balancer,
    seed: number('seed', Math.floor(Math.random() * 1_000_000)),
    kills: number('kills', values.minutes === undefined ? 200 : Infinity),
    minutes: number('minutes', Infinity),
    unknown: values.unknown,
    forms: values.forms,
    keep: values.keep,
    faults: FAULT_KINDS.filter((kind) => values[kind] || named.includes(kind) || named.includes('all')),
  };
}

function balancerNamed(name: string | undefined): BalancerName | undefined {
  const found = BALANCERS.find((balancer) => balancer === name);
  if (name !== undefined && found === undefined) throw new Error(`--balancer: there is no "${name}"`);
  return found;
}

/** What a soak of either kind reports. */
interface Report {
  kills: number;
  deaths: Readonly<Record<string, number>>;
  counts: Readonly<Record<string, number>>;
  unknown?: Readonly<Record<string, number>>;
  forms?: Readonly<Record<string, number>>;
  faults?: Readonly<Record<string, number>>;
  violations: readonly string[];
  artefacts: string | undefined;
}

function print(
  { kills, deaths, counts, unknown = {}, forms = {}, faults = {}, violations, artefacts }: Report,
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
