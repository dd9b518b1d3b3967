import { describe, expect, test } from 'vitest';
import type { GatewayDatabase } from '../../../src/gateway/storage/GatewayDatabase.js';
import type { Migration } from '../../../src/gateway/storage/migrations.js';
import { until } from '../../support/until.js';

/** A database of the engine, empty but for the migrations, that is closed when the test is over. */
export type OpenForTest = (migrations: readonly Migration[]) => Promise<GatewayDatabase>;

/** The tables that the tests write to. */
export const NOTES: readonly Migration[] = [
  (dialect) => [
    `CREATE TABLE notes (
       agent_id TEXT NOT NULL,
       id BIGINT NOT NULL,
       words TEXT,
       bytes ${dialect === 'sqlite' ? 'BLOB' : 'BYTEA'},
       PRIMARY KEY (agent_id, id)
     )`,
  ],
];

const ADD = 'INSERT INTO notes (agent_id, id, words) VALUES ($1, $2, $3)';
const IDS = 'SELECT id FROM notes WHERE agent_id = $1 ORDER BY id';

const idsOf = async (database: GatewayDatabase, agent = 'a') =>
  (await database.query(IDS, [agent])).map(({ id }) => id);

/** What every engine promises. */
export function storageContract(engine: string, open: OpenForTest): void {
  const opened = () => open(NOTES);

  describe(`a transaction in ${engine}`, () => {
    test('returns what its work returned, and what it wrote is read by others then', async () => {
      const database = await opened();
      const given = await database.transaction(async (tx) => {
        await tx.query(ADD, ['a', 1, 'first']);
        return 'given';
      });
      expect(given).toBe('given');
      expect(await database.query('SELECT words FROM notes WHERE agent_id = $1', ['a'])).toEqual([
        { words: 'first' },
      ]);
    });

    test('shows nothing of what it wrote to others before it is durable', async () => {
      const database = await opened();
      let seen: readonly unknown[] | undefined;
      const { resolve: go, promise: written } = gate();
      const writing = database.transaction(async (tx) => {
        await tx.query(ADD, ['a', 1, null]);
        go();
        while (seen === undefined) await tx.query('SELECT 1 AS one');
      });
      await written;
      seen = await idsOf(database);
      await writing;
      expect(seen).toEqual([]);
      expect(await idsOf(database)).toEqual([1]);
    });

    test('that throws after it wrote has written nothing, and rejects with what was thrown', async () => {
      const database = await opened();
      const mistake = new Error('thrown by the work');
      await expect(
        database.transaction(async (tx) => {
          await tx.query(ADD, ['a', 1, null]);
          throw mistake;
        }),
      ).rejects.toBe(mistake);
      expect(await idsOf(database)).toEqual([]);
    });

    test('that fails is rolled back alone among those that began in the same turn', async () => {
      const database = await opened();
      const outcomes = await Promise.allSettled(
        [1, 2, 3, 4, 5, 6].map((id) =>
          database.transaction(async (tx) => {
            await tx.query(ADD, ['a', id, null]);
            if (id % 2 === 0) throw new Error(`number ${id}`);
            return id;
          }),
        ),
      );
      expect(outcomes.map(({ status }) => status)).toEqual(
        [1, 2, 3, 4, 5, 6].map((id) => (id % 2 === 0 ? 'rejected' : 'fulfilled')),
      );
      expect(await idsOf(database)).toEqual([1, 3, 5]);
    });

    test('whose statement failed is rolled back, even if its work caught the error', async () => {
      const database = await opened();
      const swallowing = database.transaction(async (tx) => {
        await tx.query(ADD, ['a', 1, null]);
        await tx.query(ADD, ['a', 1, null]).catch(() => undefined);
      });
      await expect(swallowing).rejects.toMatchObject({ code: 'internal' });
      expect(await idsOf(database)).toEqual([]);
    });

    test('runs statements that nothing awaits in their order, and is rolled back where one of them fails', async () => {
      const database = await opened();
      const calls: string[] = [];
      const ids = await database.transaction(async (tx) => {
        void tx.lock('agent a');
        void tx.query(ADD, ['a', 1, null]);
        void tx.query('UPDATE notes SET id = 2');
        const rows = await tx.query(IDS, ['a']);
        void tx.query('UPDATE notes SET id = id + 1');
        return rows;
      });
      expect([ids, await idsOf(database)]).toEqual([[{ id: 2 }], [3]]);
      for (const after of [[], ['SELECT 1 AS one']]) {
        const failing = database.transaction(async (tx) => {
          tx.afterCommit(() => calls.push('committed'));
          void tx.query(ADD, ['a', 9, null]);
          void tx.query(ADD, ['a', 3, null]);
          for (const sql of after) void tx.query(sql);
        });
        await expect(failing).rejects.toMatchObject({ code: 'internal' });
      }
      expect([await idsOf(database), calls]).toEqual([[3], []]);
    });

    test('that is urgent runs before the usual ones that wait', async () => {
      const database = await opened();
      const { resolve: hold, promise: held } = gate();
      const { resolve: end, promise: ended } = gate();
      const holding = database.transaction(async (tx) => {
        await tx.lock('agent a');
        hold();
        await ended;
      });
      await held;
      const order: string[] = [];
      const add = (name: string, urgency: 'usual' | 'soon') =>
        database.transaction(async (tx) => {
          await tx.lock('agent a');
          tx.afterCommit(() => order.push(name));
        }, urgency);
      const others = [add('usual', 'usual'), add('usual', 'usual'), add('soon', 'soon'), add('soon', 'soon')];
      end();
      await Promise.all([holding, ...others]);
      expect(order).toEqual(['soon', 'soon', 'usual', 'usual']);
    });

    test('reveals no value of a statement that failed', async () => {
      const database = await opened();
      const repeated = database.transaction(async (tx) => {
        await tx.query(ADD, ['+13105551234', 7, 'a secret text']);
        await tx.query(ADD, ['+13105551234', 7, 'a secret text']);
      });
      await expect(repeated).rejects.not.toThrow(/3105551234|secret/);
    });

    test('calls its callbacks after the commit, in order, once the rows can be read', async () => {
      const database = await opened();
      const calls: string[] = [];
      let read: Promise<readonly unknown[]> | undefined;
      await database.transaction(async (tx) => {
        tx.afterCommit(() => {
          calls.push('first');
          read = idsOf(database);
        });
        tx.afterCommit(() => calls.push('second'));
        await tx.query(ADD, ['a', 1, null]);
        expect(calls).toEqual([]);
      });
      expect(calls).toEqual(['first', 'second']);
      expect(await read).toEqual([1]);
    });

    test('calls nothing after a rollback', async () => {
      const database = await opened();
      const calls: string[] = [];
      await database
        .transaction(async (tx) => {
          tx.afterCommit(() => calls.push('called'));
          await tx.query(ADD, ['a', 1, null]);
          throw new Error('undone');
        })
        .catch(() => undefined);
      await database.transaction(async (tx) => tx.query(ADD, ['a', 2, null]));
      expect(calls).toEqual([]);
    });

    test('is durable although a callback after it throws, and so are the others of its turn', async () => {
      const database = await opened();
      const throwing = database.transaction(async (tx) => {
        tx.afterCommit(() => {
          throw new Error('a mistake in a callback');
        });
        await tx.query(ADD, ['a', 1, null]);
      });
      const other = database.transaction(async (tx) => tx.query(ADD, ['a', 2, null]));
      await Promise.all([throwing, other]);
      expect(await idsOf(database)).toEqual([1, 2]);
    });

    test('refuses a nested transaction, and a read past it, instead of waiting for itself', async () => {
      const database = await opened();
      const nested = database.transaction(async () => database.transaction(async () => 1));
      await expect(nested).rejects.toMatchObject({ code: 'internal' });
      const past = database.transaction(async () => database.query('SELECT 1 AS one'));
      await expect(past).rejects.toMatchObject({ code: 'internal' });
    });

    test('accepts no statement once it is over', async () => {
      const database = await opened();
      const kept = await database.transaction(async (tx) => ({ tx }));
      await expect(kept.tx.query(ADD, ['a', 1, null])).rejects.toMatchObject({ code: 'internal' });
      await expect(kept.tx.lock('a')).rejects.toMatchObject({ code: 'internal' });
      expect(() => kept.tx.afterCommit(() => undefined)).toThrow(/over/);
      expect(await idsOf(database)).toEqual([]);
    });

    test('that holds a key makes others with this key wait, so that none reads what another is about to change', async () => {
      const database = await opened();
      await database.transaction(async (tx) => tx.query(ADD, ['a', 0, '0']));
      await Promise.all(
        Array.from({ length: 20 }, () =>
          database.transaction(async (tx) => {
            await tx.lock('agent a');
            const [row] = await tx.query('SELECT words FROM notes WHERE agent_id = $1', ['a']);
            await tx.query('UPDATE notes SET words = $2 WHERE agent_id = $1', [
              'a',
              `${Number(row?.words) + 1}`,
            ]);
          }),
        ),
      );
      expect(await database.query('SELECT words FROM notes')).toEqual([{ words: '20' }]);
    });
  });

  describe(`a statement in ${engine}`, () => {
    const kept = async (words: string | null) => {
      const database = await opened();
      await database.transaction(async (tx) => tx.query(ADD, ['a', 1, words]));
      const [row] = await database.query('SELECT words FROM notes WHERE agent_id = $1', ['a']);
      return row?.words;
    };

    test('keeps a text unchanged: accents, emoji, quotes, line ends, and the empty one', async () => {
      const texts = [
        'naïve \'quote\' "double" \\ back',
        '👩‍👩‍👧‍👦 \u{10FFFF}',
        'a\r\nb\tc\u0001',
        '',
        '$1 ? :x @y',
      ];
      for (const text of texts) expect(await kept(text)).toBe(text);
      expect(await kept(null)).toBe(null);
    });

    test('keeps a text of eight megabytes', async () => {
      const text = 'ä👍x'.repeat(2 ** 20);
      expect((await kept(text)) === text).toBe(true);
    });

    test('replaces in a text what one of the engines cannot store, and finds it again by the same text', async () => {
      const damaged = 'a\0b\uD800c\uDC00';
      const database = await opened();
      await database.transaction(async (tx) => tx.query(ADD, [damaged, 1, damaged]));
      expect(await database.query('SELECT words FROM notes WHERE agent_id = $1', [damaged])).toEqual([
        { words: 'a\uFFFDb\uFFFDc\uFFFD' },
      ]);
    });

    test('keeps JSON with every character, because that escapes them', async () => {
      const value = { text: 'a\0b\uD800c' };
      expect(JSON.parse(String(await kept(JSON.stringify(value))))).toEqual(value);
    });

    test('keeps integers to the last digit up to 2^53 - 1, and refuses larger ones and what is no number', async () => {
      const database = await opened();
      const largest = Number.MAX_SAFE_INTEGER;
      await database.transaction(async (tx) => {
        await tx.query(ADD, ['a', largest, null]);
        await tx.query(ADD, ['a', -largest, null]);
      });
      expect(await idsOf(database)).toEqual([-largest, largest]);
      for (const number of [2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
        const added = database.transaction(async (tx) => tx.query(ADD, ['a', number, null]));
        await expect(added).rejects.toMatchObject({ code: 'internal' });
      }
    });

    test('never returns a number that has lost its last digits', async () => {
      const database = await opened();
      const sum = database.query('SELECT CAST($1 AS BIGINT) + CAST($1 AS BIGINT) AS sum', [
        Number.MAX_SAFE_INTEGER,
      ]);
      await expect(sum).rejects.toMatchObject({ code: 'internal' });
    });

    test('keeps bytes unchanged', async () => {
      const database = await opened();
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      const add = 'INSERT INTO notes (agent_id, id, bytes) VALUES ($1, $2, $3)';
      await database.transaction(async (tx) => {
        await tx.query(add, ['a', 1, bytes]);
        await tx.query(add, ['a', 2, Buffer.alloc(0)]);
        await tx.query(add, ['a', 3, null]);
      });
      expect(await database.query('SELECT bytes FROM notes ORDER BY id')).toEqual([
        { bytes },
        { bytes: Buffer.alloc(0) },
        { bytes: null },
      ]);
    });

    test('returns counts, sums and comparisons as numbers', async () => {
      const database = await opened();
      await database.transaction(async (tx) => {
        await tx.query(ADD, ['a', 1, null]);
        await tx.query(ADD, ['a', 2, null]);
      });
      const numbers =
        'SELECT count(*) AS count, sum(id) AS sum, max(id) > 1 AS more, min(id) > 1 AS less FROM notes';
      expect(await database.query(numbers)).toEqual([{ count: 2, sum: 3, more: 1, less: 0 }]);
    });

    test('treats an integer as one, also where it becomes part of a text', async () => {
      const database = await opened();
      expect(await database.query("SELECT 'n' || CAST($1 AS BIGINT) AS text", [12])).toEqual([
        { text: 'n12' },
      ]);
    });

    test('inserts or updates and returns the row that is there then', async () => {
      const database = await opened();
      const upsert = `INSERT INTO notes (agent_id, id, words) VALUES ($1, $2, $3)
        ON CONFLICT (agent_id, id) DO UPDATE SET words = excluded.words RETURNING id, words`;
      const put = (words: string) => database.transaction(async (tx) => tx.query(upsert, ['a', 1, words]));
      expect(await put('one')).toEqual([{ id: 1, words: 'one' }]);
      expect(await put('two')).toEqual([{ id: 1, words: 'two' }]);
    });

    test('distinguishes upper and lower case in LIKE', async () => {
      const database = await opened();
      await database.transaction(async (tx) => tx.query(ADD, ['a', 1, 'Word']));
      const like = 'SELECT count(*) AS count FROM notes WHERE words LIKE $1';
      expect(await database.query(like, ['W%'])).toEqual([{ count: 1 }]);
      expect(await database.query(like, ['w%'])).toEqual([{ count: 0 }]);
    });

    test('with too few or too many values is refused', async () => {
      const database = await opened();
      for (const values of [[], ['a', 'b']]) {
        await expect(database.query(IDS, values)).rejects.toMatchObject({ code: 'internal' });
      }
    });

    test('that writes is refused outside of a transaction', async () => {
      const database = await opened();
      await expect(database.query(ADD, ['a', 1, null])).rejects.toMatchObject({ code: 'internal' });
      const hidden = "WITH added AS (SELECT 1) INSERT INTO notes (agent_id, id) VALUES ('a', 1)";
      await expect(database.query(hidden)).rejects.toThrow();
      expect(await idsOf(database)).toEqual([]);
    });

    test('can read the time of the database, which is about now', async () => {
      const database = await opened();
      const [row] = await database.query(`SELECT ${database.nowMs} AS now`);
      expect(Math.abs(Number(row?.now) - Date.now())).toBeLessThan(60_000);
      expect(Number.isInteger(row?.now)).toBe(true);
    });
  });

  describe(`the schema in ${engine}`, () => {
    test('has the migrations that it lacked, in order, each once', async () => {
      const database = await open([...NOTES, () => ['ALTER TABLE notes ADD COLUMN more TEXT']]);
      expect(await database.query('SELECT more FROM notes')).toEqual([]);
      expect(await database.query('SELECT version FROM gateway_schema')).toEqual([{ version: 2 }]);
    });

    test('is unchanged if a statement of a migration fails', async () => {
      const failing = open([...NOTES, () => ['ALTER TABLE nowhere ADD COLUMN more TEXT']]);
      await expect(failing).rejects.toMatchObject({ code: 'internal' });
    });
  });

  describe(`a notification in ${engine}`, () => {
    test('is received by every listener of its channel and by no other, in order', async () => {
      const database = await opened();
      const heard: string[] = [];
      const others: string[] = [];
      await database.listen('replica_1', (payload) => heard.push(`1 ${payload}`), missedNothing);
      await database.listen('replica_1', (payload) => heard.push(`2 ${payload}`), missedNothing);
      await database.listen('replica_2', (payload) => others.push(payload), missedNothing);
      for (const payload of ['a', '', "it's ä 👍"]) await database.notify('replica_1', payload);
      await database.notify('replica_2', 'end');
      await until(
        () => others.length === 1,
        () => 'the last notification',
      );
      expect(heard).toEqual(['1 a', '2 a', '1 ', '2 ', "1 it's ä 👍", "2 it's ä 👍"]);
      expect(others).toEqual(['end']);
    });

    test('is no longer received by a listener that has stopped', async () => {
      const database = await opened();
      const heard: string[] = [];
      const stop = await database.listen('channel', (payload) => heard.push(payload), missedNothing);
      await stop();
      const others: string[] = [];
      await database.listen('channel', (payload) => others.push(payload), missedNothing);
      await database.notify('channel', 'late');
      await until(
        () => others.length === 1,
        () => 'the notification',
      );
      expect(heard).toEqual([]);
    });

    test('reaches the other listeners although one throws', async () => {
      const database = await opened();
      const heard: string[] = [];
      await database.listen(
        'channel',
        () => {
          throw new Error('a mistake');
        },
        missedNothing,
      );
      await database.listen('channel', (payload) => heard.push(payload), missedNothing);
      await database.notify('channel', 'here');
      await until(
        () => heard.length === 1,
        () => 'the notification',
      );
    });

    test('has at most 7999 bytes; one more is refused before it is sent', async () => {
      const database = await opened();
      const heard: number[] = [];
      await database.listen('channel', (payload) => heard.push(Buffer.byteLength(payload)), missedNothing);
      await database.notify('channel', `${'ä'.repeat(3_999)}x`);
      await until(
        () => heard.length === 1,
        () => 'the notification',
      );
      expect(heard).toEqual([7_999]);
      await expect(database.notify('channel', 'ä'.repeat(4_000))).rejects.toMatchObject({ code: 'internal' });
      await expect(database.notify('a"b', '')).rejects.toMatchObject({ code: 'internal' });
    });
  });

  describe(`closing ${engine}`, () => {
    test('finishes the transactions that have begun, and refuses what comes later', async () => {
      const database = await opened();
      const begun = database.transaction(async (tx) => tx.query(ADD, ['a', 1, null]));
      const closed = database.close();
      await expect(begun).resolves.toEqual([]);
      await closed;
      await database.close();
      const unavailable = { code: 'storage_unavailable' };
      await expect(database.transaction(async () => 1)).rejects.toMatchObject(unavailable);
      await expect(database.query('SELECT 1 AS one')).rejects.toMatchObject(unavailable);
      await expect(database.notify('channel', '')).rejects.toMatchObject(unavailable);
    });
  });
}

const missedNothing = () => undefined;

/** A promise and what resolves it. */
export function gate(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
