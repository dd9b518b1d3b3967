import { once } from 'node:events';
import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { findApiKey, revokeApiKey } from '../../../src/gateway/ledger/apiKeys.js';
import { eventId, publish } from '../../../src/gateway/ledger/eventLog.js';
import type { Scope } from '../../../src/model/gatewayApi.js';
import type { Clock } from '../../../src/system/clock.js';
import { systemClock } from '../../../src/system/clock.js';
import { until } from '../../support/until.js';
import { gatewayEngines } from '../gatewayEngines.js';
import { AGENT, ApiRoom, OTHER_AGENT } from './ApiRoom.js';

const ENGINES = gatewayEngines('PostgreSQL');

interface Frame {
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

/** A reader of events, as browsers are: keeps what came, and the id of the last one. */
class Reader {
  readonly frames: Frame[] = [];
  /** Comments and the like. */
  readonly notes: string[] = [];
  private rest = '';
  isClosed = false;

  private constructor(
    private readonly asked: ClientRequest,
    readonly response: IncomingMessage,
  ) {
    response.setEncoding('utf8');
    response.on('close', () => {
      this.isClosed = true;
    });
    response.on('error', () => {
      this.isClosed = true;
    });
  }

  static async open(url: string, key: string, path = '', lastEventId?: string): Promise<Reader> {
    const headers = {
      Authorization: `Bearer ${key}`,
      ...(lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }),
    };
    const asked = get(`${url}/v1/events${path}`, { headers });
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const reader = new Reader(asked, response);
    onTestFinished(() => reader.close());
    return reader;
  }

  /** Takes what comes from now on. */
  read(): this {
    this.response.on('data', (chunk: string) => {
      const parts = (this.rest + chunk).split('\n\n');
      this.rest = parts.pop() ?? '';
      for (const part of parts) {
        const [, id, event = '', data = ''] = /^id: (.*)\nevent: (.*)\ndata: (.*)$/.exec(part) ?? [];
        if (id === undefined) this.notes.push(part);
        else this.frames.push({ id, event, data });
      }
    });
    return this;
  }

  close(): void {
    this.asked.destroy();
  }

  async count(wanted: number): Promise<void> {
    await until(
      () => this.frames.length >= wanted,
      () => `${wanted} events (${this.frames.length} came)`,
    );
  }
}

/** Unlike every other pause of a stream. */
const PATIENCE_MS = 31_000;

let events = 0;
async function happen(room: ApiRoom, agentId = AGENT, words = 'x'): Promise<string> {
  events += 1;
  const id = eventId('stream', events, agentId);
  const data = { event_type: 'backend_checkpoint', conversation: null, details: { words } };
  await room.database.transaction(async (tx) => {
    await publish(
      tx,
      { id, type: 'agent.event', agentId, conversation: null, data, at: systemClock.now() },
      systemClock.now(),
    );
    tx.afterCommit(() => room.bell.ring());
  });
  return id;
}

const idsOf = (reader: Reader) => reader.frames.map(({ data }) => JSON.parse(data).id);

describe.each(ENGINES)('events over $name', ({ open }) => {
  const scopes: readonly Scope[] = ['events:read'];

  test('arrive as they happen, from any replica, and only those of agents that the key may use', async () => {
    const room = await ApiRoom.open(await open());
    const other = await room.serve();
    const key = await room.key(scopes);
    const here = (await Reader.open(room.urls[0] ?? '', key)).read();
    const there = (await Reader.open(other, room.admin, '?types=agent.event')).read();
    expect(here.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    const own = await happen(room);
    const others = await happen(room, OTHER_AGENT);
    await there.count(2);
    await here.count(1);
    expect(idsOf(there).sort()).toEqual([own, others].sort());
    expect(idsOf(here)).toEqual([own]);
    const narrow = (await Reader.open(other, room.admin, `?agent=${OTHER_AGENT}&after=MC4w`)).read();
    await narrow.count(1);
    expect(idsOf(narrow)).toEqual([others]);
  });

  test('continue after the last one that a reader had, and skip or repeat none', async () => {
    const room = await ApiRoom.open(await open());
    const url = room.urls[0] ?? '';
    const key = await room.key(scopes);
    const first = (await Reader.open(url, key)).read();
    const all: string[] = [];
    const add = async (many: number) => {
      const ids = await Promise.all(Array.from({ length: many }, () => happen(room)));
      all.push(...ids);
    };
    await add(30);
    await first.count(3);
    first.close();
    for (let n = 0; n < 5; n += 1) await add(30);
    const rest = (await Reader.open(url, key, '', first.frames.at(-1)?.id)).read();
    await rest.count(all.length - first.frames.length);
    expect([...idsOf(first), ...idsOf(rest)].sort()).toEqual([...all].sort());
  });
});

const openAny = ENGINES[0]?.open ?? (() => Promise.reject(new Error('no engine')));

describe('a stream of events', () => {
  test('is cut where its reader is too slow, and what it did not read is not kept for it', async () => {
    // Patience ends when the test says so.
    const waiting = new Set<() => void>();
    const patient: Clock = {
      ...systemClock,
      after: (ms, run) => {
        if (ms !== PATIENCE_MS) return systemClock.after(ms, run);
        waiting.add(run);
        return { cancel: () => waiting.delete(run) };
      },
    };
    const room = await ApiRoom.open(await openAny(), { clock: patient, streamPatienceMs: PATIENCE_MS });
    const key = await room.key(['events:read']);
    for (let n = 0; n < 80; n += 1) await happen(room, AGENT, 'x'.repeat(200_000));
    const slow = await Reader.open(room.urls[0] ?? '', key, '?after=MC4w');
    const quick = (await Reader.open(room.urls[0] ?? '', key, '?after=MC4w')).read();
    await quick.count(80);
    await until(
      () => waiting.size === 1,
      () => 'the slow reader alone to be waited for',
    );
    for (const run of waiting) run();
    // What the buffers of the system took is still read.
    slow.read();
    await until(
      () => slow.isClosed,
      () => 'the end of the slow stream',
    );
    expect(slow.frames.length).toBeLessThan(80);
  });

  test('ends when its key is revoked, and sends keepalives until then', async () => {
    const hasty: Clock = {
      ...systemClock,
      monotonic: () => systemClock.monotonic() * 50,
      after: (ms, run) => systemClock.after(ms / 50, run),
    };
    const room = await ApiRoom.open(await openAny(), { clock: hasty });
    const key = await room.key(['events:read']);
    const reader = (await Reader.open(room.urls[0] ?? '', key)).read();
    await until(
      () => reader.notes.includes(': keepalive'),
      () => 'a keepalive',
    );
    expect(reader.notes[0]).toBe('retry: 1000');
    const { id = '' } = (await findApiKey(room.database, key)) ?? {};
    await room.database.transaction((tx) => revokeApiKey(tx, id, systemClock.now()));
    await until(
      () => reader.isClosed,
      () => 'the end of the stream',
    );
  });

  test('ends when the gateway stops, so that its reader reconnects elsewhere', async () => {
    const room = await ApiRoom.open(await openAny());
    const reader = (await Reader.open(room.urls[0] ?? '', room.admin)).read();
    await room.servers[0]?.stop();
    await until(
      () => reader.isClosed,
      () => 'the end of the stream',
    );
  });

  test('is refused for an invalid cursor, an unknown type, and one stream too many', async () => {
    const room = await ApiRoom.open(await openAny());
    expect(await room.refusal('GET', '/v1/events?after=x')).toMatchObject({ code: 'cursor_invalid' });
    expect(await room.refusal('GET', '/v1/events?types=reaction,nothing')).toMatchObject({
      code: 'type_unknown',
      field: 'types',
    });
    const open = Array.from({ length: 50 }, () => Reader.open(room.urls[0] ?? '', room.admin));
    await Promise.all(open);
    expect(await room.refusal('GET', '/v1/events')).toMatchObject({ status: 429, code: 'too_many_streams' });
  });
});
