import type { CheckResult } from './check.js';

/** The results as JUnit XML, as CI systems read it: a failure holds what was sent, what came and what was expected. */
export function junitXml(results: readonly CheckResult[], backend: string, at: string): string {
  const count = (verdict: CheckResult['verdict']) => results.filter((one) => one.verdict === verdict).length;
  const seconds = results.reduce((sum, { ms }) => sum + ms, 0) / 1_000;
  const suite = attributes({
    name: `edge-agent conformance ${backend}`,
    tests: results.length,
    failures: count('FAIL'),
    errors: 0,
    skipped: count('SKIP') + count('MISSING'),
    time: seconds.toFixed(3),
    timestamp: at,
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    `  <testsuite${suite}>`,
    ...results.map(testCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(result: CheckResult): string {
  const { id, clause, title, verdict, sent, came, expected, ms } = result;
  const named = attributes({
    classname: `${clause}`,
    name: `${id}: ${title}`,
    time: (ms / 1_000).toFixed(3),
  });
  if (verdict === 'SKIP' || verdict === 'MISSING') {
    const why = verdict === 'MISSING' ? `not there: ${came}` : came;
    return `    <testcase${named}><skipped${attributes({ message: why })}/></testcase>`;
  }
  if (verdict === 'PASS') return `    <testcase${named}/>`;
  const details = `sent: ${sent}\ncame: ${came}\nexpected: ${expected}\nclause: docs/protocol.md ${clause}`;
  const failure = `<failure${attributes({ message: `came: ${came}` })}>${escaped(details)}</failure>`;
  return `    <testcase${named}>${failure}</testcase>`;
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value)).replaceAll('\n', '&#10;')}"`)
    .join('');
}

/** XML 1.0 has no place for control characters and lone surrogates, not even escaped. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\x20-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
