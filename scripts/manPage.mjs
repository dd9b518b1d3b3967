import { mkdirSync, writeFileSync } from 'node:fs';
import { manPage } from '../dist/cli-modules/manPage.js';
import { edgeProgram } from '../dist/cli-modules/program.js';
import { packageVersion } from '../dist/system/version.js';

/** Writes man/edge-agent.1 from the verbs that were built. A test says when it has become stale. */
const file = new URL('../man/edge-agent.1', import.meta.url);
mkdirSync(new URL('.', file), { recursive: true });
writeFileSync(file, manPage(edgeProgram(), packageVersion()));
