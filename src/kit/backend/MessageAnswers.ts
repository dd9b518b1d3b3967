import { describeError } from '../../errors.js';
import type { ConnectionRegistry } from '../../gateway/agents/ConnectionRegistry.js';
import type { MessageBody } from '../../gateway/agents/requests.js';
import type { MessageReply } from '../../model/backendBodies.js';
import type { CommandDelivery } from './CommandDelivery.js';
import type { Faults } from './Faults.js';
import type { Journal } from './Journal.js';
import { MessageOrder } from './MessageOrder.js';
import type { Pauses } from './Pauses.js';
import { answers, type Persona, type PersonaAnswer, replyBody, sayable } from './persona.js';
import type { ReplyHold } from './ReplyHold.js';

/** How long a persona may think: an agent waits 60 s for its reply. */
const PATIENCE_MS = 50_000;

/** The persona did not answer in time. */
export class PersonaLate extends Error {
  constructor() {
    super(`the persona did not answer for ${PATIENCE_MS / 1000} s`);
  }
}

interface DeskParts {
  persona: Persona;
  registry: ConnectionRegistry;
  delivery: CommandDelivery;
  hold: ReplyHold;
  pauses: Pauses;
  faults: Faults;
  journal: Journal;
  log: (line: string) => void;
  /** How many guids are remembered with their replies. */
  remembered: number;
}

interface Case {
  /** Undefined when the backend stopped first. */
  answer: Promise<PersonaAnswer | undefined>;
  /** Resolves with the stored reply; undefined when the backend stopped first. */
  reply: Promise<MessageReply | undefined>;
}

/**
 * Answers messages, each guid once: the persona is asked at the first request, and every later one with that guid, while the
 * first is still being answered or long after, gets the same reply and no second reflex. A failure is not stored.
 */
export class MessageAnswers {
  private readonly cases = new Map<string, Case>();
  private readonly answered = new Map<string, number>();
  private readonly order: MessageOrder;

  constructor(private readonly parts: DeskParts) {
    this.order = new MessageOrder(parts.remembered);
  }

  /**
   * The HTTP reply to a message; undefined when the backend stopped before there was one. Rejects as the persona does, and with
   * PersonaLate when it is silent for too long; what it says afterwards is not listened to.
   */
  async reply(agentId: string, guid: string, message: MessageBody): Promise<MessageReply | undefined> {
    const { journal, faults } = this.parts;
    const key = `${agentId} ${guid}`;
    const known = this.cases.get(key);
    if (known !== undefined) journal.record({ kind: 'message', agentId, guid, repeat: true, body: message });
    else this.first(agentId, guid, message);
    if (known === undefined) return this.open(key, agentId, guid, message).reply;
    if (faults.repeatReflexes) {
      const answer = await known.answer;
      if (answer !== undefined && answers(answer)) this.pushReflex(agentId, guid, message, answer);
    }
    return known.reply;
  }

  private first(agentId: string, guid: string, message: MessageBody): void {
    const { journal, log } = this.parts;
    const { thread_id: threadId, sequence } = message;
    const place = this.order.note(agentId, threadId, sequence);
    if (place === 'gap') log(`[HTTP POST] A number is missing before ${sequence} of ${threadId}`);
    if (place === 'late') log(`[HTTP POST] Number ${sequence} of ${threadId} came late`);
    journal.record({ kind: 'message', agentId, guid, repeat: false, place, body: message });
  }

  private open(key: string, agentId: string, guid: string, message: MessageBody): Case {
    const answer = this.ask(agentId, guid, message);
    const fresh: Case = { answer, reply: answer.then((said) => this.speak(agentId, guid, message, said)) };
    this.cases.set(key, fresh);
    // Only forgets: the caller, who awaits the same promise, is the one who hears of the failure.
    fresh.reply.catch(() => this.cases.delete(key));
    if (this.cases.size > this.parts.remembered) {
      const oldest = this.cases.keys().next();
      if (!oldest.done) this.cases.delete(oldest.value);
    }
    return fresh;
  }

  private async ask(agentId: string, guid: string, message: MessageBody): Promise<PersonaAnswer | undefined> {
    const { persona, registry, pauses } = this.parts;
    const answered = this.answered.get(agentId) ?? 0;
    this.answered.set(agentId, answered + 1);
    const connected = registry.find(agentId) !== undefined;
    const said = (async () => persona(message, { agentId, guid, answered, connected }))();
    const came = await pauses.within(said, PATIENCE_MS);
    if (came.kind === 'late') throw new PersonaLate();
    return came.kind === 'ended' ? undefined : sayable(came.value);
  }

  /** Reflex and reply set out at the same moment; each then keeps its own pace, and neither waits for the other. */
  private async speak(
    agentId: string,
    guid: string,
    message: MessageBody,
    answer: PersonaAnswer | undefined,
  ): Promise<MessageReply | undefined> {
    if (answer === undefined) return undefined;
    const { hold, pauses, registry } = this.parts;
    if (!answers(answer)) return replyBody(answer, false);
    const reflexBySocket = answer.reflex !== undefined && registry.find(agentId) !== undefined;
    const push = () => this.pushReflex(agentId, guid, message, answer);
    const held = hold.take(agentId, guid, answer.reflex === undefined ? undefined : push);
    if (held === undefined) void this.pushLater(answer.reflexDelayMs ?? 0, push);
    if (held !== undefined && !(await pauses.waitFor(held))) return undefined;
    if (!(await pauses.wait(answer.delayMs ?? 0))) return undefined;
    return replyBody(answer, reflexBySocket);
  }

  private async pushLater(ms: number, push: () => void): Promise<void> {
    if (ms > 0 && !(await this.parts.pauses.wait(ms))) return;
    try {
      push();
    } catch (mistake) {
      // A command that could not be stored: the text is in the HTTP reply as well, so nobody waits for it.
      this.parts.log(`[Reflex] Not sent: ${describeError(mistake)}`);
    }
  }

  /** Finds the socket of the agent that posted the message, and sends the reflex over it. Returns the command's id. */
  private pushReflex(
    agentId: string,
    guid: string,
    message: MessageBody,
    answer: PersonaAnswer,
  ): string | null {
    const { registry, delivery, journal, log } = this.parts;
    if (answer.reflex === undefined) return null;
    const text = answer.reflex;
    if (registry.find(agentId) === undefined) {
      log('[Reflex] WebSocket NOT found ❌ (will return in HTTP response only)');
      journal.record({ kind: 'reflex', agentId, guid, text, commandId: null });
      return null;
    }
    log(`[Reflex] WebSocket found for ${agentId} ✅`);
    const { commandId } = delivery.push(agentId, {
      command_type: 'send_message_now',
      payload: {
        thread_id: answer.threadId ?? message.thread_id,
        text,
        bubble_type: 'reflex',
        ...(message.is_group === undefined ? {} : { is_group: message.is_group }),
        ...(answer.inReplyTo ? { in_reply_to: guid } : {}),
      },
      priority: 'immediate',
    });
    log(`[Reflex] Sent "${text}" via WebSocket to ${agentId}`);
    journal.record({ kind: 'reflex', agentId, guid, text, commandId });
    return commandId;
  }
}
