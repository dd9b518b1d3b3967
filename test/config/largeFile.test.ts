import { describe, expect, test } from 'vitest';
import { readYaml } from '../../src/config/yamlFile.js';
import { INPUT_LIMITS } from '../../src/system/inputLimits.js';
import { MINIMAL, Sandbox } from './sandbox.js';

describe('a configuration file that is too large', () => {
  test('is refused before it is parsed, with the limit named', () => {
    const error = new Sandbox().errorOf(`${MINIMAL}# ${'x'.repeat(INPUT_LIMITS.configFile)}\n`);
    expect(error.code).toBe('config_invalid');
    expect(error.message).toContain('at most 131072 characters');
  });

  test('is not even read where it cannot be a configuration', () => {
    const box = new Sandbox();
    box.write('work/config.yaml', Buffer.alloc(3 * INPUT_LIMITS.configFile + 1, '#'));
    expect(() => box.load()).toThrow(/393217 bytes, and 393216 are read at most/);
  });

  test('is refused before it is parsed, where it has thousands of keys', () => {
    const keys = Array.from({ length: INPUT_LIMITS.configKeys }, (_, key) => `k${key}:\n`).join('');
    const error = new Sandbox().errorOf(`${MINIMAL}${keys}`);
    expect(error.code).toBe('config_invalid');
    expect(error.message).toContain('at most 2000 keys');
  });

  test('with as many addresses as fit is accepted', () => {
    const addresses = Array.from({ length: 6_000 }, (_, index) => `"+1310555${1_000 + index}"`);
    const { config } = new Sandbox().loadYaml(`${MINIMAL}forward:\n  allow: [${addresses.join(', ')}]\n`);
    expect(config.forward.allow).toHaveLength(6_000);
  });
});

test('of thousands of syntax errors the first twenty and a count are reported', () => {
  const { problems } = readYaml(`a: [${','.repeat(1_000)}]`);
  expect(problems).toHaveLength(21);
  expect(problems.at(-1)?.found).toMatch(/^the first of \d+ further syntax errors$/);
});

/** The least CPU time of some runs, in ms. */
function cpuOf(work: () => void): number {
  const times = Array.from({ length: 4 }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}

test.each([
  ['names one thing thousands of times', (count: number) => `a: &a x\nb: [${'*a,'.repeat(count)}]`],
  [
    'names a long list under thousands of keys',
    (count: number) =>
      `a: &a [${'x,'.repeat(count)}]\n${Array.from({ length: count }, (_, key) => `k${key}: *a\n`).join('')}`,
  ],
])('a file that %s is read in full', (_name, made) => {
  const short = made(100);
  const long = made(1_600);
  const once = cpuOf(() => readYaml(short));
  // By the square of its length it would be 256 times.
  expect(cpuOf(() => readYaml(long))).toBeLessThan(80 * Math.max(once, 1));
});
