import { parseArgs } from 'node:util';
import { ENTRIES, type EntryName, FULL_COUNTS } from './entries.js';
import { type FuzzReport, MOST_COST_MS, MOST_HEAP_GROWTH_MB } from './runner.js';

const NAMES = Object.keys(ENTRIES) as EntryName[];
const USAGE = `npm run fuzz -- [--entry ${NAMES.join('|')}|all] [--seed N] [--count N] [--from N]`;

/** The command: runs the entries, prints the results, and returns the exit code: 1 if an item did harm. */
export async function main(args: readonly string[]): Promise<number> {
  const asked = read(args);
  if (asked === undefined) {
    console.error(`usage: ${USAGE}`);
    return 2;
  }
  let isGood = true;
  for (const name of asked.entries) {
    const report = await ENTRIES[name]({
      seed: asked.seed,
      count: asked.count ?? FULL_COUNTS[name],
      from: asked.from,
      say: (line) => console.log(line),
    });
    print(report);
    isGood &&= report.faults.length === 0 && report.heapGrowthMb <= MOST_HEAP_GROWTH_MB;
  }
  return isGood ? 0 : 1;
}

function print({ entry, seed, count, seconds, worst, heapGrowthMb, rssGrowthMb, faults }: FuzzReport): void {
  console.log(
    `${entry}: seed ${seed}, ${count} items in ${seconds.toFixed(0)} s; the worst costs ${worst.ms.toFixed(1)} ms ` +
      `(item ${worst.index}; at most ${MOST_COST_MS}); over the second half the heap grew by ${heapGrowthMb.toFixed(1)} MB ` +
      `(at most ${MOST_HEAP_GROWTH_MB}), the process by ${rssGrowthMb.toFixed(0)} MB; ${faults.length} faults`,
  );
  for (const { index, what } of faults)
    console.log(
      `  item ${index}: ${what}\n    npm run fuzz -- --entry ${entry} --seed ${seed} --from ${index} --count 1`,
    );
}

function read(
  args: readonly string[],
): { entries: EntryName[]; seed: number; count: number | undefined; from: number } | undefined {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { entry: text, seed: text, count: text, from: text },
    });
    const entries =
      values.entry === undefined || values.entry === 'all'
        ? NAMES
        : NAMES.filter((name) => name === values.entry);
    const [seed, count, from] = [values.seed ?? '1', values.count, values.from ?? '0'].map((given) =>
      given === undefined ? undefined : Number(given),
    );
    const isNumber = (given: number | undefined) =>
      given === undefined || (Number.isInteger(given) && given >= 0);
    if (entries.length === 0 || ![seed, count, from].every(isNumber)) return undefined;
    return { entries, seed: seed ?? 1, count, from: from ?? 0 };
  } catch {
    // An unknown option: the usage lists the known ones.
    return undefined;
  }
}
