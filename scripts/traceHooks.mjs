// Instruments the agent's modules as they are loaded: each function says, at its start, that it was entered.

import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'acorn';
import { full } from 'acorn-walk';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));

export async function load(url, context, next) {
  if (!url.startsWith('file:')) return next(url, context);
  const file = relative(dist, fileURLToPath(url));
  // What is no part of the agent: the simulated Mac, and the backend.
  if (/^(?:\.\.|kit\/|gateway\/)/.test(file)) return next(url, context);
  const source = await readFile(fileURLToPath(url), 'utf8');
  return { format: 'module', shortCircuit: true, source: instrumented(file, source) };
}

function instrumented(file, source) {
  const inserts = [];
  full(parse(source, { ecmaVersion: 'latest', sourceType: 'module', locations: true }), (node) => {
    if (!/Function/.test(node.type) || node.body === undefined) return;
    const call = `globalThis.enteredFunction?.(${JSON.stringify(file)}, ${node.loc.start.line})`;
    if (node.body.type === 'BlockStatement') inserts.push([directivesEnd(node.body), `${call};`]);
    else inserts.push([node.body.start, `(${call}, `], [node.body.end, ')']);
  });
  inserts.sort(([one], [other]) => other - one);
  return inserts.reduce((text, [at, words]) => text.slice(0, at) + words + text.slice(at), source);
}

function directivesEnd(block) {
  const last = block.body.findLast((statement) => statement.directive !== undefined);
  return last === undefined ? block.start + 1 : last.end;
}
