import { expect, test } from 'vitest';
import { page } from './page.js';

const template = page('launchd/edge-agent.plist');
/** The value behind a key, as it is written. */
const behind = (key: string) =>
  new RegExp(`<key>${key}</key>\\s*(<[a-z]+/>|<([a-z]+)>([^<]*)</\\2>)`).exec(template)?.slice(1);

test('it has no double hyphen inside a comment, which XML does not allow', () => {
  const comments = [...template.matchAll(/<!--([\s\S]*?)-->/g)].map(([, comment = '']) => comment);
  expect(comments.length).toBeGreaterThan(3);
  for (const comment of comments) expect(comment).not.toContain('--');
});

test('it keeps the agent up in the desktop session, and gives it time to stop', () => {
  expect(behind('KeepAlive')?.[0]).toBe('<true/>');
  expect(behind('RunAtLoad')?.[0]).toBe('<true/>');
  expect(behind('LimitLoadToSessionType')?.[2]).toBe('Aqua');
  expect(behind('ProcessType')?.[2]).toBe('Interactive');
  expect(Number(behind('ExitTimeOut')?.[2])).toBeGreaterThan(25);
  expect(behind('PATH')?.[2]).toBe('/usr/bin:/bin:/usr/sbin:/sbin');
});

test('its comment explains every placeholder', () => {
  const [comment = ''] = /<!--[\s\S]*?-->/.exec(template) ?? [];
  const told = new Set(comment.match(/@[A-Z]+@/g));
  expect(new Set(template.replaceAll(/<!--[\s\S]*?-->/g, '').match(/@[A-Z]+@/g))).toEqual(told);
});

test('the first argument is the one that System Settings shows: the runtime, not node', () => {
  expect(template).toMatch(/<key>ProgramArguments<\/key>\s*<array>\s*<string>@RUNTIME@<\/string>/);
  expect(template).toContain('<string>--service</string>');
});

test('it holds no secret', () => {
  const keys = [...template.matchAll(/<key>([^<]+)<\/key>/g)].map(([, key = '']) => key);
  expect(keys.filter((key) => /secret|token/i.test(key))).toEqual([]);
});
