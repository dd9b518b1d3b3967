import { expect, test } from 'vitest';
import { edgeProgram } from '../../src/cli/program.js';
import { CHECKS } from '../../src/kit/conformance/checks.js';
import { page, tableUnder } from './page.js';

const conformance = page('docs/conformance.md');
const protocol = page('docs/protocol.md');
const clauses = [...protocol.matchAll(/<sup id="([^"]+)">([^<]+)<\/sup>/g)].map(
  ([, anchor = '', name = '']) => ({
    anchor,
    name,
  }),
);

test('the page lists every check as the code has it', () => {
  expect(tableUnder('## The checks', conformance)).toEqual(
    CHECKS.map(({ id, clause, title, expected }) => [
      `\`${id}\``,
      `[${clause}](protocol.md#${clause.toLowerCase()})`,
      title,
      expected,
    ]),
  );
});

test('every check is of a clause of the protocol, and every clause has a check', () => {
  expect([...new Set(CHECKS.map(({ clause }) => clause))].toSorted()).toEqual(
    clauses.map(({ name }) => name).toSorted(),
  );
  for (const { anchor, name } of clauses) expect(anchor).toBe(name.toLowerCase());
});

test('no id is used twice, and what a check needs is listed before it', () => {
  const ids = CHECKS.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const [index, { id, needs = [], unless = [] }] of CHECKS.entries()) {
    for (const other of [...needs, ...unless])
      expect(ids.slice(0, index), `${id} needs ${other}`).toContain(other);
  }
});

test('the page lists every option of the verb', () => {
  const verb = edgeProgram().commands.find((command) => command.name() === 'conformance');
  const told = tableUnder('# Testing a backend', `\n${conformance}`).flatMap(([cell = '']) => [
    ...cell.matchAll(/`(--[a-z-]+)/g),
  ]);
  const options = verb?.options.map(({ long }) => long).filter((long) => long !== '--config');
  expect(told.map(([, option]) => option).toSorted()).toEqual(options?.toSorted());
});
