import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/**
 * Our types say in zod's what they are, and the package brings no zod: its types are copied beside ours, which are made to ask for
 * those. `zod` is the directory of the package, `dist` that of what was compiled.
 */
export function bringTypesOfZod(zod, dist) {
  const home = join(dist, 'zod');
  const waiting = [join(zod, 'index.d.ts')];
  const seen = new Set(waiting);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    // Its messages in fifty languages are in no bundle either.
    const text = path.endsWith(join('locales', 'index.d.ts')) ? 'export {};\n' : readFileSync(path, 'utf8');
    const target = join(home, relative(zod, path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
    for (const [, specifier] of text.matchAll(/(?:from|import\()\s*["'](\.[^"']+)["']/g)) {
      const needed = resolve(dirname(path), specifier).replace(/\.js$/, '.d.ts');
      if (!seen.has(needed)) waiting.push(needed);
      seen.add(needed);
    }
  }
  for (const name of readdirSync(dist, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.d.ts') || name.startsWith(`zod${sep}`)) continue;
    const path = join(dist, name);
    const text = readFileSync(path, 'utf8');
    const way = relative(dirname(path), join(home, 'index.js')).replace(/^(?!\.)/, './');
    const changed = text.replaceAll(/(from |import\()(["'])zod\2/g, `$1$2${way}$2`);
    if (changed !== text) writeFileSync(path, changed);
  }
}
