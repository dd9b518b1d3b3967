import { expect, test } from 'vitest';
import { configIn, fillPlist } from '../../src/service/launchAgentPlist.js';
import { page } from '../docs/page.js';
import { readPlist } from '../support/launchd/readPlist.js';

const template = page('launchd/edge-agent.plist');
const values = {
  RUNTIME: '/Users/a & b/<program>/edge-agent',
  BUNDLE: 'local.edge-agent.501',
  PROGRAM: '/Users/"q" --x-->/current',
  CONFIG: "/Users/it's &amp; that/config.yaml",
  HOME: '/Users/ü@HOME@',
  ERRORS: '/errors.log',
};

test('every value arrives in launchd unchanged, whatever characters it has', () => {
  const plist = fillPlist(template, values);
  expect(readPlist(plist)).toMatchObject({
    Label: 'edge-agent',
    ProgramArguments: [
      values.RUNTIME,
      '--optimize-for-size',
      `${values.PROGRAM}/dist/cli/main.js`,
      'run',
      '--service',
      '--config',
      values.CONFIG,
    ],
    WorkingDirectory: values.HOME,
    EnvironmentVariables: { HOME: values.HOME, PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
    StandardErrorPath: values.ERRORS,
    ExitTimeOut: 30,
    KeepAlive: true,
  });
  expect(configIn(plist)).toBe(values.CONFIG);
});

test('the comments of the template, which cannot contain paths, are left out', () => {
  expect(fillPlist(template, values)).not.toContain('<!--');
});

test.each(['line\nbreak', 'bell\u0007', 'nul\0'])(
  'a path that XML cannot contain is refused: %j',
  (CONFIG) => {
    expect(() => fillPlist(template, { ...values, CONFIG })).toThrow(/a property list cannot contain/);
  },
);

test('another program’s LaunchAgent names no configuration', () => {
  expect(configIn('<plist><dict/></plist>')).toBeUndefined();
});
