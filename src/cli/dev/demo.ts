import type { JournalEntry } from '../../kit/backend/Journal.js';
import { systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { EXIT } from '../exitCodes.js';
import { print, wantsColour } from '../print.js';
import { ANN } from './DemoMac.js';
import { DemoWorld } from './DemoWorld.js';
import { DemoScreen, type Speaker } from './demoScreen.js';

/** One thing that the demo promises, and whether it happened. */
interface Promised {
  what: string;
  kept: boolean;
}

/**
 * Shows the agent at its whole job, on a simulated Mac and a simulated backend: the real daemon, a real chat.db, a real
 * child process for osascript. Ends on its own within 30 s; 0 only if everything happened as announced.
 */
export async function demo(): Promise<number> {
  const screen = new DemoScreen(print, wantsColour(process.stdout, environment()));
  const began = systemClock.monotonic();
  const promised: Promised[] = [];
  const world = await DemoWorld.open(screen);
  world.backend.observe((entry) => {
    world.mac.showSent();
    const line = describeEvent(entry);
    if (line !== undefined) screen.line('backend', line);
  });
  const check = (what: string, kept: boolean) => {
    promised.push({ what, kept });
    screen.line(kept ? 'check' : 'failed', what);
  };
  try {
    for (const act of [connect, reflexFirst, replyFirst, socketDrop, scheduled, stop]) {
      await act(world, screen, check);
    }
  } finally {
    await world.close();
  }
  return summary(screen, promised, systemClock.monotonic() - began);
}

type Act = (
  world: DemoWorld,
  screen: DemoScreen,
  check: (what: string, kept: boolean) => void,
) => Promise<void>;

const connect: Act = async (world, screen, check) => {
  screen.title('1  The agent starts, registers and opens its WebSocket');
  await world.agent.start();
  check('connected in real time', await world.mac.until(() => world.agent.snapshot().link === 'realtime'));
};

const reflexFirst: Act = async (world, screen, check) => {
  screen.title(
    '2  A message arrives: the quick reply (the reflex) comes by WebSocket, the complete reply by HTTP',
  );
  const { backend } = world;
  backend.holdReply();
  world.mac.annWrites('can you find me a good deal for a Mac mini?');
  await world.mac.until(() => backend.held.length === 1);
  backend.releaseReflex();
  const instant = await world.mac.until(() => world.mac.texts.length === 1);
  await backend.release('replyFirst');
  const all = await world.mac.until(() => world.mac.texts.length === 3);
  check('the reflex was sent before the reply arrived', instant);
  check('the same text in the reply was not sent again', all && sent(world, 'okie lemme see') === 1);
};

const replyFirst: Act = async (world, screen, check) => {
  screen.title('3  The HTTP reply is faster than the reflex: the late reflex is not sent again');
  const { backend } = world;
  const acked = backend.acks.length;
  backend.holdReply();
  world.mac.annWrites('yes please');
  await world.mac.until(() => backend.held.length === 1);
  await backend.releaseReply();
  await world.mac.until(() => world.mac.texts.length === 5);
  backend.releaseReflex();
  await backend.release('both');
  const deduplicated = () => backend.acks.slice(acked).some(({ body }) => body.result?.deduplicated === true);
  check('the late reflex was acked as deduplicated', await world.mac.until(deduplicated));
  check('its text was sent once', sent(world, 'sure thing') === 1);
};

const socketDrop: Act = async (world, screen, check) => {
  screen.title('4  The WebSocket drops: the agent polls by HTTP until it is back');
  const { backend, agent } = world;
  backend.refuseUpgrades(503);
  backend.dropSocket();
  const polling = await world.mac.until(() => agent.snapshot().link === 'polling');
  const { commandId } = backend.pushCommand({
    command_type: 'send_message_now',
    payload: { thread_id: ANN, text: 'this one came by polling' },
  });
  const delivered = await world.mac.until(() => sent(world, 'this one came by polling') === 1);
  const acked = await world.mac.until(() => isAcked(world, commandId));
  backend.refuseUpgrades(null);
  check('fell back to HTTP polling', polling);
  check('a command sent in the meantime was executed and acked', delivered && acked);
  check(
    'connected in real time again',
    await world.mac.until(() => agent.snapshot().link === 'realtime', 12_000),
  );
};

const scheduled: Act = async (world, screen, check) => {
  screen.title('5  A scheduled message');
  const sendAt = new Date(systemClock.now() + 1_500).toISOString();
  const { commandId } = world.backend.pushCommand({
    command_type: 'schedule_message',
    payload: { thread_id: ANN, message_text: 'right on time', send_at: sendAt },
  });
  const stored = await world.mac.until(() => isAcked(world, commandId));
  const early = sent(world, 'right on time') === 1;
  const done = await world.mac.until(() => acksOf(world, commandId) === 2);
  check('acked when it was stored, and not sent yet', stored && !early);
  check('sent on time and acked again', done && sent(world, 'right on time') === 1);
};

const stop: Act = async (world, screen, check) => {
  screen.title('6  The agent stops');
  const { agent, backend, mac } = world;
  await world.mac.until(() => agent.snapshot().acks_undelivered === 0);
  const undelivered = agent.snapshot().acks_undelivered;
  await agent.stop();
  check('every ack was delivered', undelivered === 0);
  check('no text was sent twice', new Set(mac.texts).size === mac.texts.length);
  check('the connection was closed cleanly', backend.journal.disconnects.at(-1)?.code === 1000);
};

function sent(world: DemoWorld, text: string): number {
  return world.mac.texts.filter((other) => other === text).length;
}

function acksOf(world: DemoWorld, commandId: string): number {
  return new Set(
    world.backend.acks.filter(({ body }) => body.command_id === commandId).map(({ body }) => body.revision),
  ).size;
}

function isAcked(world: DemoWorld, commandId: string): boolean {
  return acksOf(world, commandId) > 0;
}

/** What the backend does, in words; undefined for what is not worth a line. */
export function describeEvent(entry: JournalEntry): string | undefined {
  switch (entry.kind) {
    case 'message':
      return `POST /edge/message: “${entry.body.filtered_text}”`;
    case 'reflex':
      return entry.commandId === null ? undefined : `reflex by WebSocket: “${entry.text}”`;
    case 'reply':
      return `HTTP reply: ${JSON.stringify(entry.body)}`;
    case 'command':
      return `command ${entry.commandType} ${short(entry.commandId)}`;
    case 'ack': {
      const { command_id, status, result } = entry.body;
      const note = result?.deduplicated === true ? ', deduplicated' : '';
      return `ack of ${short(String(command_id))}: ${status}${note} (${entry.channel})`;
    }
    case 'connected':
      return 'the agent’s WebSocket is connected';
    case 'disconnected':
      return `the agent’s WebSocket is gone (${entry.code})`;
    default:
      return undefined;
  }
}

function short(id: string): string {
  return id.slice(0, 12);
}

function summary(screen: DemoScreen, promised: readonly Promised[], ms: number): number {
  const kept = promised.filter((promise) => promise.kept).length;
  const speaker: Speaker = kept === promised.length ? 'check' : 'failed';
  screen.title('Summary');
  for (const { what, kept: ok } of promised) screen.line(ok ? 'check' : 'failed', what);
  screen.line(speaker, `${kept} of ${promised.length} promises kept in ${(ms / 1000).toFixed(1)} s`);
  return kept === promised.length ? EXIT.ok : EXIT.failed;
}
