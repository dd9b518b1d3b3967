import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export { examplesIn } from '../../src/kit/contracts/examples.js';

export const ROOT = join(import.meta.dirname, '../..');

export function page(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

/** The cells of every row of the table under a heading, without its head. */
export function tableUnder(heading: string, text: string): string[][] {
  const section = text.split(`\n${heading}\n`)[1]?.split(/\n## /)[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

/** Every link to a file of the project, without its anchor. */
export function linksIn(text: string): string[] {
  const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

/** Every link to a heading, as `page#anchor`; the page is empty for the page itself. */
export function anchorsIn(text: string): { path: string; anchor: string }[] {
  const found = [...text.matchAll(/\]\(([^)#\s]*)#([^)]+)\)/g)];
  return found
    .map(([, path = '', anchor = '']) => ({ path, anchor }))
    .filter(({ path }) => !/^[a-z]+:/.test(path));
}

/** The anchors of a page's headings, as they are made by those who render Markdown, and of its numbered clauses. */
export function headingAnchors(text: string): Set<string> {
  const headings = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase());
  const clauses = [...text.matchAll(/<sup id="([^"]+)">/g)].map(([, anchor = '']) => anchor);
  return new Set([
    ...headings.map((heading) => heading.replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')),
    ...clauses,
  ]);
}
