import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DaemonWorld } from './DaemonWorld.mjs';
import { bounded, median, ratio } from './figures.mjs';
import { StampProgram } from './StampProgram.mjs';

const WARM_UP = 50;
/** How many texts to how many people. */
const BURSTS = [
  { texts: 1000, people: 50 },
  { texts: 1000, people: 100 },
  { texts: 3000, people: 3000 },
];
const KIB = 1024;
const BARE = fileURLToPath(new URL('./bareRows.mjs', import.meta.url));
/** A text in the first seconds of a store may be from before it, and is compared with all texts sent since. */
const FIRST_SECONDS_MS = 6_000;

/**
 * Commands for many texts come at once: what each costs the daemon, from the frame until its ack is cleared. Each text gets its row in
 * chat.db, in the commits in which Messages writes it, as soon as the program in osascript's place runs.
 */
export async function run() {
  const measured = [];
  for (const burst of BURSTS) measured.push({ ...burst, ...(await sent(burst)) });
  const [first, few, many] = measured;
  const name = ({ texts, people }) => `${texts} texts to ${people} people`;
  return [
    bounded({
      what: `CPU a text, ${name(first)}`,
      measured: first.cpuMs,
      reference: { name: 'bare spawn', value: first.spawnMs },
      unit: 'ms',
      most: 8,
    }),
    bounded({
      what: `commits a text, ${name(first)}`,
      measured: first.commits,
      unit: '',
      most: 3,
    }),
    ...(Number.isNaN(first.written)
      ? []
      : [
          bounded({
            what: `written to the disk a text, ${name(first)}`,
            measured: first.written,
            reference: { name: 'bare inserts of its rows, in one commit', value: first.bareWritten },
            unit: 'KiB',
            most: 60,
          }),
        ]),
    ratio({
      what: `CPU a text, ${name(many)}`,
      measured: many.cpuMs,
      reference: { name: name(few), value: few.cpuMs },
      unit: 'ms',
      most: 1.25,
    }),
  ];
}

export async function sent({ texts, people }) {
  let stamp;
  const world = await DaemonWorld.open(({ directory }) => {
    stamp = new StampProgram(directory);
    return { EDGE_IMESSAGE_OSASCRIPT_PATH: stamp.path };
  });
  const { backend, mac } = world;
  const person = (number) => `+1310${6_660_000 + (number % people)}`;
  for (let number = 0; number < people; number++) mac.chatDb.directChat(person(number));
  stamp.onStart(({ text, target }) => {
    mac.chatDb.writeSent({ text, chat: target, upTo: 'delivered' });
  });
  const push = (number) =>
    backend.pushCommand({
      command_id: `cmd_${number}`,
      command_type: 'send_message_now',
      payload: { thread_id: person(number), text: `Number ${number} of many, as it is` },
    });
  await new Promise((resolve) => setTimeout(resolve, FIRST_SECONDS_MS));
  for (let number = 0; number < WARM_UP; number++) push(number);
  await backend.until(() => ended(backend) >= WARM_UP);
  const bare = fork(BARE, [
    join(world.directory, 'state', 'edge-agent.db'),
    join(world.directory, 'bare.db'),
    '1',
  ]);
  await once(bare, 'message');
  await inserted(bare, WARM_UP);
  const before = await world.usage();
  for (let number = WARM_UP; number < WARM_UP + texts; number++) push(number);
  await backend.until(() => ended(backend) >= WARM_UP + texts, 600_000);
  const after = await world.usage();
  const { written: bareWritten } = await inserted(bare, texts);
  bare.disconnect();
  const spawnMs = await bareSpawn(stamp);
  await world.close();
  stamp.close();
  return {
    cpuMs: (after.cpu - before.cpu) / 1000 / texts,
    commits: (after.commits - before.commits) / texts,
    written: (after.written - before.written) / KIB / texts,
    bareWritten: bareWritten / KIB / texts,
    spawnMs,
  };
}

/** Each command is acked once where the link holds. */
function ended({ acks }) {
  return acks.length;
}

/** The rows of so many texts, by the bare program. */
async function inserted(bare, texts) {
  bare.send('insert');
  const [{ rows, written }] = await once(bare, 'message');
  if (rows.some((count) => count !== texts)) throw new Error(`the reference inserted ${rows} rows`);
  return { written };
}

/** Ms from the call of spawn until the program runs, median of 50. */
async function bareSpawn(stamp) {
  const samples = [];
  for (let round = 0; round < 50; round++) {
    const started = stamp.next();
    const began = stamp.now();
    const child = spawn(stamp.path, [], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    samples.push((await started) - began);
    await ended;
  }
  return median(samples);
}
