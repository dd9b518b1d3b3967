import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ackSchema } from '../../../src/gateway/agents/frames.js';
import { type CommandQueue, MemoryCommandQueue } from '../../../src/kit/backend/CommandQueue.js';
import { SqliteCommandQueue } from '../../../src/kit/backend/SqliteCommandQueue.js';
import { openDatabase } from '../../../src/store/sqlite.js';
import { FakeClock } from '../../support/FakeClock.js';
import { temporaryDirectory } from '../../support/temporaryStore.js';

const AT = { queuedAt: 1, pollingOnly: false };
const command = (id: string) => ({ command_id: id, command_type: 'list_scheduled', payload: {} });
const ack = (id: string, revision = 1) =>
  ackSchema.parse({ command_id: id, status: revision === 1 ? 'failed' : 'completed', revision });
const ids = (queue: CommandQueue, agentId: string) =>
  queue.waiting(agentId).map(({ command: { command_id } }) => command_id);

function durable(path = join(temporaryDirectory(), 'commands.sqlite'), clock = new FakeClock()) {
  const queue = new SqliteCommandQueue(path, clock);
  onTestFinished(() => queue.close());
  return { queue, path, clock };
}

/** Resolves when everything done so far is on the disk; rejects when it is not. */
const stored = (queue: CommandQueue) =>
  new Promise<void>((then, otherwise) => queue.whenStored(then, otherwise));

describe.each([
  ['in memory', () => new MemoryCommandQueue()],
  ['in SQLite', () => durable().queue],
])('a queue %s', (_name, make) => {
  test('hands out what is unacked, in order, and to its own agent alone', () => {
    const queue = make();
    for (const id of ['c1', 'c2', 'c3']) expect(queue.add('edge_1', command(id), AT)).toBe(true);
    queue.add('edge_2', command('c1'), AT);
    expect(queue.acknowledge('edge_1', ack('c2'))).toBe('first');
    expect(ids(queue, 'edge_1')).toEqual(['c1', 'c3']);
    expect(ids(queue, 'edge_2')).toEqual(['c1']);
    expect(queue.counts('edge_1')).toEqual({ pending: 2, acked: 1 });
    expect(queue.counts()).toEqual({ pending: 3, acked: 1 });
  });

  test('takes a command id once, acked or not', () => {
    const queue = make();
    queue.add('edge_1', command('c1'), AT);
    expect(queue.add('edge_1', command('c1'), AT)).toBe(false);
    queue.acknowledge('edge_1', ack('c1'));
    expect(queue.add('edge_1', command('c1'), AT)).toBe(false);
    expect(ids(queue, 'edge_1')).toEqual([]);
  });

  test('keeps the ack with the highest revision, whatever the order in which they come', () => {
    const queue = make();
    queue.add('edge_1', command('c1'), AT);
    expect(queue.acknowledge('edge_1', ack('c1', 1))).toBe('first');
    expect(queue.acknowledge('edge_1', ack('c1', 2))).toBe('corrected');
    expect(queue.acknowledge('edge_1', ack('c1', 1))).toBe('repeated');
    expect(queue.acknowledge('edge_1', ack('never sent'))).toBe('unknown');
    expect(queue.lastAck('edge_1', 'c1')).toMatchObject({ revision: 2, status: 'completed' });
    expect(queue.counts('edge_1')).toEqual({ pending: 0, acked: 1 });
  });

  test('counts how often a waiting command was handed out, and no other', () => {
    const queue = make();
    queue.add('edge_1', command('c1'), AT);
    expect([queue.delivered('edge_1', 'c1', 5), queue.delivered('edge_1', 'c1', 6)]).toEqual([1, 2]);
    expect(queue.waiting('edge_1')).toMatchObject([{ deliveries: 2, deliveredAt: 6 }]);
    expect(queue.delivered('edge_1', 'c2', 5)).toBe(0);
  });
});

describe('the queue in SQLite', () => {
  test('has everything again after it was opened anew', async () => {
    const { queue, path } = durable();
    queue.add('edge_1', command('c1'), { queuedAt: 7, pollingOnly: true });
    queue.add('edge_1', command('c2'), AT);
    queue.acknowledge('edge_1', ack('c2', 3));
    await stored(queue);
    queue.close();
    const again = durable(path).queue;
    expect(again.waiting('edge_1')).toMatchObject([
      { command: command('c1'), queuedAt: 7, pollingOnly: true, deliveries: 0 },
    ]);
    expect(again.lastAck('edge_1', 'c2')).toMatchObject({ revision: 3 });
    expect(again.add('edge_1', command('c2'), AT)).toBe(false);
  });

  test('says that something is stored only when another reader of the file sees it', async () => {
    const { queue, path } = durable();
    const reader = openDatabase(path, { readonly: true });
    onTestFinished(() => {
      reader.close();
    });
    const seen = () => reader.prepare('SELECT count(*) FROM commands').pluck().get();
    queue.add('edge_1', command('c1'), AT);
    queue.add('edge_1', command('c2'), AT);
    expect(seen()).toBe(0);
    await stored(queue);
    expect(seen()).toBe(2);
  });

  test('tells whoever waits that it could not be stored, and forgets it', async () => {
    const { queue, path } = durable();
    const raw = openDatabase(path);
    // A commit that fails: SQLite looks at this constraint when the transaction ends.
    raw.exec(`CREATE TABLE missing (id TEXT PRIMARY KEY);
      CREATE TABLE broken (id TEXT REFERENCES missing (id) DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER breaks AFTER INSERT ON commands BEGIN INSERT INTO broken VALUES (new.command_id); END;`);
    raw.close();
    queue.add('edge_1', command('c1'), AT);
    await expect(stored(queue)).rejects.toThrow(/FOREIGN KEY/);
    expect(ids(queue, 'edge_1')).toEqual([]);
    await stored(queue);
  });

  test('is for its owner alone, and forgets acked ids after 90 days', async () => {
    const { queue, path, clock } = durable();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const id of ['c1', 'c2']) queue.add('edge_1', command(id), AT);
    queue.acknowledge('edge_1', ack('c1'));
    await stored(queue);
    queue.close();
    const later = new FakeClock(clock.now() + 91 * 86_400_000);
    const again = durable(path, later).queue;
    expect(again.add('edge_1', command('c1'), AT)).toBe(true);
    expect(again.add('edge_1', command('c2'), AT)).toBe(false);
  });
});
