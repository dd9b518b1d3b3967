import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Metrics, type MetricsReading } from '../../src/health/Metrics.js';
import { page, tableUnder } from '../docs/page.js';

const READING: MetricsReading = {
  version: '1.2.3',
  startedAt: Date.UTC(2026, 0, 1),
  link: 'polling',
  problems: ['websocket_unavailable', 'sending_paused', 'sending_paused'],
  signs: [
    ['can_read', 'ok'],
    ['is_answered', 'not_yet_known'],
  ],
  queues: { incoming: 2, sends: 0 },
  decodeFallbacks: 3,
  reconnects24h: 1,
  rttMs: 12,
};

test('what has ended leaves no value behind, and counters only grow', async () => {
  let reading = READING;
  const metrics = new Metrics(() => reading, ['send_message']);
  try {
    metrics.commandEnded('send_message', 'failed');
    metrics.ackDelivered(250);
    metrics.ackDelivered(-5);
    const first = await metrics.text();
    expect(first).toContain('edge_agent_problem{code="sending_paused"} 1');
    expect(first).toContain('edge_agent_vital_sign{sign="is_answered",state="not_yet_known"} 1');
    expect(first).toContain('edge_agent_vital_sign{sign="is_answered",state="ok"} 0');
    expect(first).toContain('edge_agent_link_state{state="polling"} 1');
    expect(first).toContain('edge_agent_decode_fallbacks_total 3');
    expect(first).toContain('edge_agent_commands_total{type="send_message",outcome="failed"} 1');
    expect(first).toContain('edge_agent_ack_delivery_seconds_bucket{le="0.25"} 2');
    reading = { ...READING, link: 'realtime', problems: [], rttMs: null };
    const second = await metrics.text();
    expect(second).not.toMatch(/sending_paused|rtt/);
    expect(second).toContain('edge_agent_degraded 0');
    expect(second).toContain('edge_agent_link_state{state="polling"} 0');
    expect(second).toContain('edge_agent_acks_total{event="delivered"} 2');
  } finally {
    metrics.stop();
  }
});

test('each series has its labels from the start, and what is healthy has no problem', async () => {
  const metrics = new Metrics(() => ({ ...READING, problems: [] }), ['send_message']);
  const text = await metrics.text();
  metrics.stop();
  expect(text).not.toMatch(/^edge_agent_problem[ {]/m);
  const series = text.split('\n').filter((line) => /^edge_agent_(?:commands|acks|sends)_total/.test(line));
  expect(series).toEqual([
    'edge_agent_commands_total{type="send_message",outcome="completed"} 0',
    'edge_agent_commands_total{type="send_message",outcome="failed"} 0',
    'edge_agent_acks_total{event="given"} 0',
    'edge_agent_acks_total{event="delivered"} 0',
    'edge_agent_sends_total{outcome="sent"} 0',
    'edge_agent_sends_total{outcome="failed"} 0',
    'edge_agent_sends_total{outcome="unknown"} 0',
    'edge_agent_sends_total{outcome="deduplicated"} 0',
  ]);
});

test('each name has one kind and its help, and follows the conventions of Prometheus', async () => {
  const metrics = new Metrics(() => READING, ['send_message']);
  const text = await metrics.text();
  metrics.stop();
  const kinds = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(
    ([, name = '', kind = '']) => [name, kind] as const,
  );
  expect(new Set(kinds.map(([name]) => name)).size).toBe(kinds.length);
  for (const [name, kind] of kinds) {
    expect(name).toMatch(/^(edge_agent|process)_[a-z0-9_]+$/);
    expect(name.endsWith('_total'), name).toBe(kind === 'counter');
    if (kind === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(text).toMatch(new RegExp(`^# HELP ${name} \\S.*\\.$`, 'm'));
  }
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    expect(line).toMatch(/^[a-z0-9_]+(\{([a-z]+="[^"]*",?)*\})? -?[0-9.e+-]+$|le="\+Inf"/);
  }
});

test('the library is not loaded unless metrics are served', () => {
  const source = join(import.meta.dirname, '../../src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  const eager = files.filter((name) =>
    /^import (?!type).*(?:prom-client|\/Metrics\.js)'/m.test(readFileSync(join(source, name), 'utf8')),
  );
  // The gateway always serves its own, and its verb alone loads it.
  expect(eager.filter((name) => !name.startsWith('gateway/'))).toEqual(['health/Metrics.ts']);
});

test('every existing metric is documented, and no other', async () => {
  const metrics = new Metrics(() => READING, ['send_message']);
  const text = await metrics.text();
  metrics.stop();
  const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
  const rows = tableUnder('## Monitoring it from elsewhere', page('docs/operating.md'));
  const told = rows.flatMap(([cell = '']) =>
    [...cell.matchAll(/`((?:edge_agent|process)_[a-z0-9_]+)`/g)].map(([, name]) => name),
  );
  expect(told.toSorted()).toEqual(names.toSorted());
});
