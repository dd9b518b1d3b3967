import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';

const PAGE = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const [BEGIN, END] = ['<!-- measured -->', '<!-- /measured -->'];
const HEAD = [
  '| bench | what | measured | reference, same run | against it | budget | | commit | Node | load |',
  '|---|---|---|---|---|---|---|---|---|---|',
];

/** The description of a run besides its figures. */
export function circumstances() {
  const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', 'src', 'bench') === '' ? '' : ' and changes';
  return {
    commit: `${git('rev-parse', '--short', 'HEAD')}${changed}`,
    node: process.versions.node,
    load: load(),
  };
}

/** The load of the machine over the last minute. */
export function load() {
  return (loadavg()[0] ?? Number.NaN).toFixed(1);
}

/**
 * Puts the rows of each bench into the table of docs/performance.md, in the place of those that it has of this bench; those of others
 * stay, with their own commit. The benches are in the order of `names`.
 */
export function report(names, results, { commit, node }) {
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const [table, after] = (rest ?? '').split(END);
  if (after === undefined) throw new Error(`${PAGE} has no place between ${BEGIN} and ${END}`);
  const kept = table.split('\n').filter((line) => line.startsWith('| `'));
  const lines = names.flatMap((name) => {
    const result = results.get(name);
    if (result === undefined) return kept.filter((line) => line.startsWith(`| \`${name}\``));
    return result.rows.map((row) => {
      const cells = [`\`${name}\``, row.what, row.measured, row.reference, row.compared, row.budget];
      return `| ${[...cells, row.verdict, commit, node, result.load].join(' | ')} |`;
    });
  });
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${[...HEAD, ...lines].join('\n')}\n\n${END}${after}`);
}
