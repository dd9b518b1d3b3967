import type { Command } from '../../../model/command.js';
import type { ConformanceRun, Push } from '../ConformanceRun.js';
import { type ConformanceCheck, type ConformanceOutcome, judge, latencyOf, skip } from '../check.js';
import type { ProbeSocket, SeenFrame } from '../ProbeSocket.js';
import { commandFor, commandIn, commandsIn, textOf, threadOf } from '../received.js';
import { clip, described } from '../request.js';
import { faultOf } from '../textFault.js';

/** How many texts are pushed to measure how long they take. */
const PUSHES = 5;

const SENT = 'a text posted to the send URL';

/** Commands on their way to the agent: by socket, after a reconnect, and after an absence. */
export const COMMANDS: readonly ConformanceCheck[] = [
  {
    id: 'push.live',
    clause: 'P3.5',
    title: 'a command is sent by the live socket',
    expected: 'a frame with the text, within 5 s',
    needs: ['auth.socket.signed'],
    run: async (run) => {
      const socket = await run.connect();
      const times: number[] = [];
      while (times.length < PUSHES) {
        const push = await run.push();
        if (push.kind === 'unavailable') return skip(push.why);
        if (push.kind === 'refused') return judge(false, SENT, described(push.answer));
        const seen = await arrival(run, socket, push);
        if (seen === undefined) return judge(false, `${SENT}, with a live socket`, 'no frame with that text');
        times.push(seen.at - push.at);
      }
      const latency = latencyOf(times);
      const words = `${PUSHES} commands, p50 ${latency.p50_ms} ms, longest ${latency.longest_ms} ms`;
      return judge(true, `${PUSHES} texts posted to the send URL, with a live socket`, words, latency);
    },
  },
  {
    id: 'push.envelope',
    clause: 'P4.1',
    title: 'a command can be read, acked and carried out',
    expected:
      'a text frame of type "command"; under data or payload a command_id, a command_type and a payload with thread_id and text, as the agent reads them; a timestamp, if there is one, of now',
    needs: ['push.live'],
    run: async (run) => {
      const [sighting] = await pushed(run, 1);
      if (sighting === undefined) return judge(false, SENT, 'no frame with that text');
      const { seen } = sighting;
      const command = commandIn(seen);
      const fault = command && faultOf(command, run.clock.now());
      const holds =
        command !== undefined &&
        fault === undefined &&
        threadOf(command).endsWith(run.target.person) &&
        textOf(command.payload) === sighting.text;
      return judge(holds, SENT, clip(`${fault === undefined ? '' : `${fault}, in `}${seen.text}`));
    },
  },
  {
    id: 'push.ids',
    clause: 'P0.2',
    title: 'each command has a different id',
    expected: 'two texts, two ids',
    needs: ['push.envelope'],
    run: async (run) => {
      const ids = (await pushed(run, 2)).map(({ seen }) => commandIn(seen)?.commandId);
      return judge(new Set(ids).size === 2, 'two texts posted to the send URL', ids.join(', '));
    },
  },
  {
    id: 'push.order',
    clause: 'P4.2',
    title: 'commands arrive in the order in which they were created',
    expected: 'the texts in the order in which they were posted',
    needs: ['push.envelope'],
    run: async (run) => {
      const socket = await run.connect();
      const made: string[] = [];
      while (made.length < PUSHES) {
        const push = await run.push();
        if (push.kind !== 'taken') return untaken(push);
        made.push(push.text);
      }
      return inOrder(run, socket, made, `${PUSHES} texts posted to the send URL, one after the other`);
    },
  },
  {
    id: 'redelivery.reconnect',
    clause: 'P0.2',
    title: 'a command that was not acked is offered again after a reconnect',
    expected: 'the same command_id again, by the new socket or by a sync',
    needs: ['push.envelope'],
    run: async (run) => {
      const [sighting] = await pushed(run, 1);
      const id = sighting && commandIn(sighting.seen)?.commandId;
      if (sighting === undefined || id === undefined) return judge(false, SENT, 'no command');
      await run.hangUp();
      return offered(run, sighting.text, `${SENT}, received, not acked; then a new socket and a sync`, id);
    },
  },
  {
    id: 'redelivery.offline',
    clause: 'P0.2',
    title: 'a command for a disconnected agent waits for it',
    expected: 'the command, by the next socket or by a sync',
    needs: ['push.envelope'],
    run: async (run) => {
      const push = await run.push();
      if (push.kind !== 'taken') return untaken(push);
      return offered(run, push.text, `${SENT} without a socket; then a socket and a sync`);
    },
  },
  {
    id: 'redelivery.order',
    clause: 'P4.2',
    title: 'commands that waited for the agent arrive in the order in which they were created',
    expected: 'the texts in the order in which they were posted, all by the socket or all by a sync',
    needs: ['redelivery.offline'],
    unless: ['push.order'],
    run: async (run) => {
      const made: string[] = [];
      while (made.length < PUSHES) {
        const push = await run.push();
        if (push.kind !== 'taken') return untaken(push);
        made.push(push.text);
      }
      const sent = `${PUSHES} texts posted to the send URL without a socket; then a socket and a sync`;
      const socket = await run.connect();
      const first = await socket.frame((one) => fits(commandIn(one), made[0] ?? ''), run.patience.quietMs);
      if (first !== undefined || !(await run.hasSync())) return inOrder(run, socket, made, sent);
      const came = commandsIn(await run.sync()).map(({ payload }) => textOf(payload));
      return ordered(made, came, sent);
    },
  },
  {
    id: 'socket.successor',
    clause: 'P3.8',
    title: 'the late close of a replaced socket does not affect the new one',
    expected: 'a command by the new socket, after the old one has closed',
    needs: ['push.envelope', 'socket.replaced'],
    run: async (run) => {
      const first = await run.connect();
      // Its close frame is left unread, so that it ends long after the new socket is registered.
      first.pause();
      const second = await run.connect();
      first.resume();
      await first.untilClosed(run.patience.answerMs);
      await second.untilClosed(run.patience.quietMs);
      const push = await run.push();
      if (push.kind !== 'taken') return untaken(push);
      const seen = await arrival(run, second, push);
      return judge(
        seen !== undefined,
        'a second dial; the first socket closes late; then a text',
        seen ? 'the command, by the new socket' : 'no command by the new socket',
      );
    },
  },
];

/** A command that came, with the text that was asked for. */
interface Sighting {
  readonly text: string;
  readonly seen: SeenFrame;
  readonly socket: ProbeSocket;
}

/** Hands so many texts to the backend, and waits for each on a socket. Leaves out what did not come. */
export async function pushed(run: ConformanceRun, count: number): Promise<Sighting[]> {
  const socket = await run.connect();
  const sightings: Sighting[] = [];
  for (let index = 0; index < count; index += 1) {
    const push = await run.push();
    if (push.kind !== 'taken') break;
    const seen = await arrival(run, socket, push);
    if (seen !== undefined) sightings.push({ text: push.text, seen, socket });
  }
  return sightings;
}

/** Looked for by its text alone: what else is wrong with the frame is for another check to say. */
function arrival(
  run: ConformanceRun,
  socket: ProbeSocket,
  push: { text: string },
): Promise<SeenFrame | undefined> {
  return socket.frame(({ text }) => text.includes(push.text), run.patience.answerMs);
}

/** Whether a command, of this id if one is given, is offered to a new socket or to a sync. */
export async function offered(
  run: ConformanceRun,
  text: string,
  sent: string,
  id?: string,
): Promise<ConformanceOutcome> {
  const socket = await run.connect();
  const seen = await socket.frame((one) => fits(commandIn(one), text), run.patience.quietMs);
  const bySocket = seen && commandIn(seen);
  const hasSync = await run.hasSync();
  const command = bySocket ?? (hasSync ? commandFor(text, commandsIn(await run.sync())) : undefined);
  if (command === undefined)
    return judge(
      false,
      sent,
      hasSync ? 'neither the socket nor the sync had it' : 'the socket did not have it',
    );
  const way = bySocket === undefined ? 'by sync' : 'by socket';
  const holds = id === undefined || command.commandId === id;
  return judge(
    holds,
    sent,
    holds ? `the command, ${way}` : `${way}, but as ${command.commandId} instead of ${id}`,
  );
}

/** Whether these texts come by this socket, in this order. */
async function inOrder(
  run: ConformanceRun,
  socket: ProbeSocket,
  made: readonly string[],
  sent: string,
): Promise<ConformanceOutcome> {
  const come = () => socket.seen.map((one) => textOf(commandIn(one)?.payload ?? {}));
  await socket.until(
    () => (made.every((text) => come().includes(text)) ? true : undefined),
    run.patience.answerMs,
  );
  return ordered(made, come(), sent);
}

/** By when each came first: one may come twice. */
function ordered(made: readonly string[], came: readonly unknown[], sent: string): ConformanceOutcome {
  const numbers = [...new Set(came)].flatMap((text) => made.indexOf(String(text)) + 1 || []);
  const holds = numbers.length === made.length && numbers.every((number, index) => number === index + 1);
  return judge(holds, sent, numbers.length === 0 ? 'none of them' : `number ${numbers.join(', ')}`);
}

function fits(command: Command | undefined, text: string): boolean {
  return command !== undefined && textOf(command.payload) === text;
}

function untaken(push: Exclude<Push, { kind: 'taken' }>): ConformanceOutcome {
  return push.kind === 'unavailable' ? skip(push.why) : judge(false, SENT, described(push.answer));
}
