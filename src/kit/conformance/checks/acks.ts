import { asObject, parseSyncReply } from '../../../backend/protocol.js';
import type { ConformanceRun } from '../ConformanceRun.js';
import { type ConformanceCheck, type ConformanceOutcome, judge } from '../check.js';
import type { ProbeSocket } from '../ProbeSocket.js';
import { commandIn } from '../received.js';
import { clip, described, succeeded } from '../request.js';
import { ACK_PATH, postAck } from './bodies.js';
import { offered, pushed } from './commands.js';

const NEEDS = ['push.envelope'];

/** Acks by all three ways, in the form in which the agent writes them, once and again. */
export const ACKS: readonly ConformanceCheck[] = [
  {
    id: 'ack.socket',
    clause: 'P5.2',
    title: 'an ack by the socket is accepted',
    expected: 'no error frame; after the pong to the next ping the command is no longer offered',
    needs: [...NEEDS, 'keepalive.pong'],
    run: onReceipt(async (run, command) => {
      const { id, socket } = command;
      const from = socket.seen.length;
      socket.send({ type: 'command_ack', data: run.ack(id) });
      const pong = await socket.ping(run.patience.answerMs);
      const error = socket.seen
        .slice(from)
        .find(({ frame }) => frame.type === 'notice' && frame.name === 'error');
      const waiting = await isOffered(run, id);
      const came = [
        error === undefined ? '' : clip(error.text),
        pong === undefined ? 'no pong' : 'pong',
        waiting ? 'the command offered again' : 'the command not offered again',
      ];
      const holds = error === undefined && pong !== undefined && !waiting;
      return judge(holds, 'command_ack in all its documented keys, a ping, then a sync', words(came));
    }),
  },
  {
    id: 'ack.repeat',
    clause: 'P0.1',
    title: 'a repeated ack is harmless',
    expected: 'the socket stays open and the command stays acked',
    needs: ['ack.socket'],
    run: onReceipt(async (run, command) => {
      const { id, socket } = command;
      const frame = { type: 'command_ack', data: run.ack(id) };
      socket.send(frame);
      socket.send(frame);
      // The same ack by another way as well, as after a reconnect.
      const again = (await run.hasSync()) ? await run.sync({ acks: [frame.data] }) : undefined;
      await socket.ping(run.patience.answerMs);
      const { closed } = socket;
      const isTaken = again === undefined || succeeded(again);
      const waiting = await isOffered(run, id);
      const came = [
        closed ? `socket closed with ${closed.code}` : 'socket open',
        isTaken ? '' : `sync: ${described(again)}`,
        waiting ? 'the command offered again' : 'the command not offered again',
      ];
      return judge(
        closed === undefined && isTaken && !waiting,
        `the same ack twice by the socket${again === undefined ? '' : ' and once in a sync'}`,
        words(came),
      );
    }),
  },
  {
    id: 'ack.corrected',
    clause: 'P5.1',
    title: 'a later ack may correct an earlier one',
    expected: 'the socket stays open and the command stays acked',
    needs: ['ack.socket'],
    run: onReceipt(async (run, command) => {
      const { id, socket } = command;
      const unknown = {
        ...run.ack(id),
        status: 'failed',
        success: false,
        error:
          'outcome_unknown: osascript was stopped at its deadline. It may still arrive; it is not sent again.',
        result: { outcome: 'unknown', retry_safe: false },
      };
      const from = socket.seen.length;
      socket.send({ type: 'command_ack', data: unknown });
      socket.send({ type: 'command_ack', data: run.ack(id, 2) });
      await socket.ping(run.patience.answerMs);
      const error = socket.seen
        .slice(from)
        .find(({ frame }) => frame.type === 'notice' && frame.name === 'error');
      const { closed } = socket;
      const waiting = await isOffered(run, id);
      const came = [
        closed ? `socket closed with ${closed.code}` : 'socket open',
        error ? clip(error.text) : '',
        waiting ? 'the command offered again' : 'the command not offered again',
      ];
      return judge(
        closed === undefined && error === undefined && !waiting,
        'revision 1, failed; then revision 2, completed',
        words(came),
      );
    }),
  },
  {
    id: 'ack.http',
    clause: 'P5.3',
    title: 'an ack by HTTP is accepted',
    expected: '2xx with a JSON body; the command is no longer offered',
    needs: [...NEEDS, 'auth.ack.signed'],
    run: onReceipt(async (run, command) => {
      const answer = await postAck(run, run.ack(command.id));
      const waiting = await isOffered(run, command.id);
      const read = succeeded(answer) && asObject(answer.json) !== undefined;
      const came = [described(answer), waiting ? 'the command offered again' : ''];
      return judge(read && !waiting, `POST ${ACK_PATH}, then a sync`, words(came));
    }),
  },
  {
    id: 'ack.unknown',
    clause: 'P5.3',
    title: 'an ack for a command that the backend does not know is harmless',
    expected: '2xx with a JSON body; 404 would mean that there is no such endpoint',
    needs: ['ack.http'],
    run: async (run) => {
      const answer = await postAck(run, run.ack(`cmd_conformance_${run.fresh()}`));
      return judge(
        succeeded(answer) && asObject(answer.json) !== undefined,
        `POST ${ACK_PATH} for an unknown id`,
        described(answer),
      );
    },
  },
  {
    id: 'ack.sync',
    clause: 'P6.3',
    title: 'an ack in a sync is accepted, and listed in the reply',
    expected: 'its command_id in ack_commands; the command is no longer offered',
    needs: [...NEEDS, 'auth.http.signed'],
    run: onReceipt(async (run, command) => {
      const answer = await run.sync({ acks: [run.ack(command.id)] });
      const named = succeeded(answer) && parseSyncReply(answer.json)?.ackCommands.includes(command.id);
      const waiting = await isOffered(run, command.id);
      const came = [described(answer), waiting ? 'the command offered again' : ''];
      return judge(
        named === true && !waiting,
        'POST /edge/sync with command_acks, then another',
        words(came),
      );
    }),
  },
  {
    id: 'ack.foreign',
    clause: 'P5.4',
    title: "an agent's ack clears no command of another agent",
    expected: 'the command is still offered to its own agent',
    needs: [...NEEDS, 'redelivery.reconnect'],
    run: onReceipt(async (run, command) => {
      const { other } = run.target;
      const ack = run.ack(command.id);
      const foreign = await run.connect(other);
      foreign.send({ type: 'command_ack', data: ack });
      await foreign.ping(run.patience.answerMs);
      if (await run.hasSync()) await run.sync({ as: other, acks: [ack] });
      await postAck(run, ack, { as: other });
      await run.hangUp();
      const sent = `its ack as ${other.id}, by socket, sync and HTTP; then a new socket and a sync`;
      return offered(run, command.text, sent, command.id);
    }),
  },
];

interface Received {
  readonly id: string;
  readonly socket: ProbeSocket;
  /** The text that was handed to the send URL. */
  readonly text: string;
}

/** Has a command pushed, and judges what becomes of it; without one the check fails. */
function onReceipt(
  work: (run: ConformanceRun, command: Received) => Promise<ConformanceOutcome>,
): ConformanceCheck['run'] {
  return async (run) => {
    const [sighting] = await pushed(run, 1);
    const id = sighting && commandIn(sighting.seen)?.commandId;
    if (sighting === undefined || id === undefined)
      return judge(false, 'a text posted to the send URL', 'no command by the socket');
    return work(run, { id, socket: sighting.socket, text: sighting.text });
  };
}

/** Where there are no syncs a new socket is asked, which ends the one before. */
async function isOffered(run: ConformanceRun, id: string): Promise<boolean> {
  return (await run.offered()).some(({ commandId }) => commandId === id);
}

function words(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('; ');
}
