import { isDeepStrictEqual } from 'node:util';
import { asObject } from '../../../backend/protocol.js';
import { OVERLAP_AFTER_MS } from '../../../incoming/posts.js';
import { type ParsedReply, parseReply } from '../../../incoming/reply.js';
import type { Command } from '../../../model/command.js';
import { sleep } from '../../../system/clock.js';
import type { ConformanceRun } from '../ConformanceRun.js';
import { type ConformanceCheck, judge, skip } from '../check.js';
import type { ProbeSocket } from '../ProbeSocket.js';
import { commandIn, textOf, threadOf } from '../received.js';
import { clip, described, type RequestAnswer, succeeded } from '../request.js';
import { faultOf } from '../textFault.js';
import { picture, postMessage } from './bodies.js';

/** Incoming messages: how they are answered, and to whom the reflex goes. */
export const MESSAGES: readonly ConformanceCheck[] = [
  {
    id: 'message.reply',
    clause: 'P7.1',
    title: 'a message is answered in one of the documented forms',
    expected: '2xx with should_respond and reply_bubbles, reflex_message and burst_messages, or reply_text',
    needs: ['auth.message.signed'],
    run: async (run) => {
      const answer = await post(run, run.fresh());
      return judge(isReply(answer), 'POST /edge/message', described(answer));
    },
  },
  {
    id: 'message.key',
    clause: 'P7.5',
    title: 'the Idempotency-Key is decoded before it is compared with the guid',
    expected: '2xx with a reply, or 409',
    needs: ['message.reply'],
    run: async (run) => {
      const guid = `p:0/${run.fresh()}`;
      const answer = await post(run, guid);
      const conflict = answer.kind === 'answered' && answer.status === 409;
      const sent = `POST /edge/message with the guid ${guid}, and ${encodeURIComponent(guid)} in Idempotency-Key`;
      return judge(isReply(answer) || conflict, sent, described(answer));
    },
  },
  {
    id: 'message.repeat',
    clause: 'P7.2',
    title: 'a message that is posted again gets the same answer',
    expected: 'the same reply, or 409; and no second reflex under a new command_id',
    needs: ['message.reply', 'auth.socket.signed'],
    run: async (run) => {
      const old = await waiting(run);
      const socket = await run.connect();
      const guid = run.fresh();
      const sequence = run.nextSequence();
      const first = await post(run, guid, sequence);
      const second = await post(run, guid, sequence);
      const isSecond = () =>
        new Set(reflexes(socket, old).map(({ commandId }) => commandId)).size > 1 ? true : undefined;
      const twice = (await socket.until(isSecond, run.patience.quietMs)) === true;
      const conflict = second.kind === 'answered' && second.status === 409;
      // What an agent reads is compared: a key such as the id of the request may differ.
      const same = isReply(first) && isReply(second) && isDeepStrictEqual(readable(first), readable(second));
      const came = `first ${described(first)}; then ${described(second)}${twice ? '; and two reflexes' : ''}`;
      return judge((same || conflict) && !twice, 'POST /edge/message twice with the same message_guid', came);
    },
  },
  {
    id: 'message.sequence',
    clause: 'P7.6',
    title: 'a message is answered whatever its number: after a gap, late, or in a series that starts again',
    expected: '2xx with a reply to each, within the time that a reply may take',
    needs: ['message.reply'],
    run: async (run) => {
      const before = run.nextSequence();
      const numbers = [
        { what: `number ${before}`, sequence: before },
        { what: `number ${before + 3} after it`, sequence: run.nextSequence(2) },
        { what: `number ${before + 1} after that`, sequence: before + 1 },
        { what: 'number 1 again', sequence: 1 },
      ];
      const came: string[] = [];
      let holds = true;
      for (const { what, sequence } of numbers) {
        const answer = await post(run, run.fresh(), sequence);
        holds &&= isReply(answer);
        if (!isReply(answer)) came.push(`to ${what}: ${described(answer)}`);
      }
      const sent = `messages with new guids: ${numbers.map(({ what }) => what).join(', ')}`;
      return judge(holds, sent, holds ? 'a reply to each' : came.join('; '));
    },
  },
  {
    id: 'message.overlap',
    clause: 'P7.7',
    title: 'a message is answered while the previous one is still being answered',
    expected: '2xx with a reply to both',
    needs: ['message.reply'],
    unless: ['message.sequence'],
    run: async (run) => {
      const first = post(run, run.fresh());
      const isSlow = await Promise.race([
        first.then(() => false),
        sleep(run.clock, OVERLAP_AFTER_MS).then(() => true),
      ]);
      const second = await post(run, run.fresh());
      const sent = `a message, and ${isSlow ? 'when it had no answer after 2 s' : 'after its answer'} the next one`;
      const came = `to the first ${described(await first)}; to the second ${described(second)}`;
      return judge(isReply(await first) && isReply(second), sent, came);
    },
  },
  {
    id: 'message.reflex',
    clause: 'P7.3',
    title: 'the reflex goes over the socket of the agent that posted the message',
    expected:
      'send_message_now with bubble_type "reflex" for this conversation, by that socket and no other; in_reply_to, if given, is the message_guid',
    needs: ['message.reply', 'auth.socket.signed'],
    unless: ['push.envelope', 'message.sequence'],
    run: async (run) => {
      if (!run.target.reflexes) return skip('--no-reflex was given');
      const { agent, other, person } = run.target;
      const old = await waiting(run);
      const mine = await run.connect(agent);
      const others = await run.connect(other);
      const guid = run.fresh();
      const answer = await post(run, guid);
      const come = () => reflexes(mine, old)[0] ?? reflexes(others, old)[0];
      const reflex = await mine.until(come, run.patience.answerMs);
      await others.until(() => reflexes(others, old)[0], run.patience.quietMs);
      const astray = reflexes(others, old).length > 0;
      const sent = `POST /edge/message as ${agent.id}, while ${other.id} is connected too`;
      if (reflex === undefined && !astray && !promisesReflex(answer)) {
        return skip(
          'no reflex came and the reply has none: the backend seems to send none, which is allowed',
          sent,
        );
      }
      const fault = reflex && faultOf(reflex, run.clock.now());
      const came = astray
        ? `a reflex by the socket of ${other.id}`
        : reflex === undefined
          ? `no reflex by the socket; in the reply ${described(answer)}. A backend that sends none: --no-reflex`
          : clip(`${fault === undefined ? '' : `${fault}, in `}${JSON.stringify(reflex.raw)}`);
      const fits =
        reflex !== undefined &&
        fault === undefined &&
        threadOf(reflex).endsWith(person) &&
        namesNoOther(reflex, guid) &&
        isFirst(reflex, answer);
      return judge(!astray && fits, sent, came);
    },
  },
  {
    id: 'photo.upload',
    clause: 'P7.4',
    title: 'an image can be uploaded',
    expected: '2xx with a JSON body, or 409',
    needs: ['auth.upload.signed'],
    run: async (run) => {
      const answer = await run.post('/photo/upload', picture(run));
      const sent = 'POST /photo/upload with an image of one pixel';
      const conflict = answer.kind === 'answered' && answer.status === 409;
      const taken = succeeded(answer) && asObject(answer.json) !== undefined;
      return judge(taken || conflict, sent, described(answer));
    },
  },
];

function post(run: ConformanceRun, guid: string, sequence = run.nextSequence()): Promise<RequestAnswer> {
  return postMessage(run, guid, sequence);
}

function isReply(answer: RequestAnswer): boolean {
  return succeeded(answer) && asObject(answer.json) !== undefined && readable(answer)?.kind === 'reply';
}

function readable(answer: RequestAnswer): ParsedReply | undefined {
  return succeeded(answer) ? parseReply(answer.json) : undefined;
}

function bubblesOf(answer: RequestAnswer): readonly string[] {
  const parsed = readable(answer);
  return parsed?.kind === 'reply' ? parsed.reply.bubbles : [];
}

/** Several bubbles, or a reflex by name: then the first was meant to go ahead by the socket. */
function promisesReflex(answer: RequestAnswer): boolean {
  return bubblesOf(answer).length > 1;
}

/** A reflex in the reply must be first, or the person would get it twice. */
function isFirst(reflex: Command | undefined, answer: RequestAnswer): boolean {
  return bubblesOf(answer).findIndex((bubble) => bubble === textOf(reflex?.payload ?? {})) <= 0;
}

/** A reflex under another name has no counterpart in the reply, so that a person would read it twice. */
function namesNoOther({ payload }: Command, guid: string): boolean {
  const name = payload.in_reply_to ?? '';
  return name === guid || (typeof name === 'string' && name.trim() === '');
}

/** The ids of what waits already: reflexes to earlier messages may be offered again at any moment. Ends open sockets where there are no syncs. */
async function waiting(run: ConformanceRun): Promise<ReadonlySet<string>> {
  const { agent, other } = run.target;
  const commands = [...(await run.offered(agent)), ...(await run.offered(other))];
  return new Set(commands.map(({ commandId }) => commandId));
}

function reflexes(socket: ProbeSocket, old: ReadonlySet<string>): Command[] {
  const commands = socket.seen.flatMap((seen) => commandIn(seen) ?? []);
  return commands.filter(({ commandId, payload }) => payload.bubble_type === 'reflex' && !old.has(commandId));
}
