import { expect, test } from 'vitest';
import type { CheckResult } from '../../../src/kit/conformance/check.js';
import { junitXml } from '../../../src/kit/conformance/junit.js';

const result = (verdict: CheckResult['verdict'], came: string): CheckResult => ({
  id: 'a.b',
  clause: 'P1.1',
  title: 'title',
  expected: '2xx',
  verdict,
  sent: 'GET <x>',
  came,
  ms: 1_500,
});

test('a failure contains all that was seen, and nothing that arrived breaks the XML', () => {
  const xml = junitXml(
    [result('FAIL', '<a href="x">&\u0000\ud800</a>\nnext'), result('SKIP', 'why')],
    'http://x',
    'at',
  );
  expect(xml).toContain('tests="2" failures="1" errors="0" skipped="1" time="3.000"');
  expect(xml).toContain('message="came: &lt;a href=&quot;x&quot;&gt;&amp;\ufffd\ufffd&lt;/a&gt;&#10;next"');
  expect(xml).toContain('sent: GET &lt;x&gt;\ncame: ');
  expect(xml).toContain('expected: 2xx\nclause: docs/protocol.md P1.1</failure>');
  expect(xml).toContain('<skipped message="why"/>');
});
