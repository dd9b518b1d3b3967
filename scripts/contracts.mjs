/* Writes docs/api anew from the code and the examples of the pages; a test fails while it is stale. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { contractFiles, DIRECTORY, PAGES } from '../dist/kit/contracts/contractFiles.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const files = contractFiles(PAGES.map((page) => readFileSync(join(root, page), 'utf8')));

rmSync(join(root, DIRECTORY), { recursive: true, force: true });
for (const [path, content] of Object.entries(files)) {
  const target = join(root, DIRECTORY, path);
  mkdirSync(dirname(target), { recursive: true });
  const text = path.endsWith('.yaml')
    ? stringify(content, { lineWidth: 110, aliasDuplicateObjects: false })
    : `${JSON.stringify(content, null, 2)}\n`;
  writeFileSync(target, text);
}
console.log(`${Object.keys(files).length} files in ${DIRECTORY}`);
