import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Store } from '../dist/store/Store.js';
import { systemClock } from '../dist/system/clock.js';
import { bounded, median, ratio } from './figures.mjs';

const SIZES = [1_000, 10_000, 100_000];
const ITEMS = 500;
/** Of a thousand, five rounds leave half. */
const TEXTS = 100;
const ROUNDS = 5;
const ignore = () => undefined;
const LOG = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * What one item costs, in CPU time of this process, while ever more of its kind wait: a message that is posted and answered, a scheduled
 * text that comes and goes, and the questions of one status.
 */
export async function run() {
  const measured = SIZES.map(measure);
  const [first] = measured;
  return SIZES.flatMap((size, index) => {
    const figures = measured[index];
    const row = (what, key, unit) => ({
      what: `${what}, ${size} waiting`,
      measured: figures[key],
      reference: { name: `${SIZES[0]} waiting`, value: first[key] },
      unit,
    });
    return [
      ratio({ ...row('a message posted and answered', 'message', 'µs'), most: 1.25 }),
      ratio({ ...row('a text scheduled and taken', 'scheduled', 'µs'), most: 1.25 }),
      bounded({ ...row('the questions of a status', 'status', 'ms'), most: 20 }),
    ];
  });
}

function measure(size) {
  const directory = mkdtempSync(join(tmpdir(), 'edge-agent-bench-'));
  const store = Store.open(join(directory, 'edge-agent.db'), { clock: systemClock, log: LOG });
  const person = (number) => `+1310${6_660_000 + (number % (size / 10))}`;
  const receive = (number) => {
    const conversation = person(number);
    store.incoming.add({
      ...{ guid: `G-${number}`, conversation, threadId: conversation, chatGuid: '', sender: conversation },
      ...{ text: 'One of many.', rowId: number, sentAt: Date.now(), isGroup: false, participants: [] },
      ...{ service: 'iMessage', replyToGuid: null, attachments: [] },
    });
  };
  const schedule = (number) =>
    store.schedule.add({
      ...{
        scheduleId: `s${number}`,
        commandId: `c${number}`,
        conversation: person(number),
        threadId: person(number),
      },
      ...{ text: 'Later.', priority: 2, sendAt: Date.now() + 86_400_000 + number },
    });
  store.write(() => {
    for (let number = 0; number < size; number++) {
      store.commands.add({
        commandId: `c${number}`,
        commandType: 't',
        body: '{}',
        bodyHash: 'x',
        via: 'http',
      });
      receive(number);
      schedule(number);
    }
  });
  let next = 0;
  const figures = {
    message: each(ITEMS, () => {
      for (let item = 0; item < ITEMS; item++, next++) {
        const [record] = store.incoming.open(person(next), 1);
        store.incoming.postStarted(record.seq, 0);
        store.incoming.settle(record.seq, 'answered');
        receive(size + next);
      }
    }),
    scheduled: each(TEXTS, () => {
      for (const { scheduleId } of store.schedule.due(Date.now() + 10 * 86_400_000, TEXTS)) {
        store.schedule.setState(scheduleId, 'sent');
      }
    }),
    status: each(1_000, () => {
      store.backlog.oldest();
      store.backlog.posts();
      store.backlog.uploads();
      store.incoming.countOpen();
      store.deadLetters.count();
      store.incoming.expired();
      store.schedule.pendingCount();
      store.schedule.nextDueAt();
      store.commands.countWaiting();
      store.uploads.countWaiting();
    }),
  };
  store.close();
  rmSync(directory, { recursive: true, force: true });
  return figures;

  /** Median µs of CPU of one of `items`, each round in a separate write. */
  function each(items, work) {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = process.cpuUsage();
      store.write(work);
      const { user, system } = process.cpuUsage(before);
      rounds.push((user + system) / items);
    }
    return median(rounds);
  }
}
