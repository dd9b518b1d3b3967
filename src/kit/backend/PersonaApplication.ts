import { describeError } from '../../errors.js';
import type { ConnectionRegistry } from '../../gateway/agents/ConnectionRegistry.js';
import type { MessageBody } from '../../gateway/agents/requests.js';
import type { AnswerPorts } from '../../gateway/application.js';
import { eventId } from '../../gateway/ledger/eventLog.js';
import type { RequestStanding } from '../../gateway/MessageAnswering.js';
import type { MessageListener } from '../../gateway/startAgentSide.js';
import type { GatewayDatabase } from '../../gateway/storage/GatewayDatabase.js';
import type { MessageReply } from '../../model/backendBodies.js';
import type { Clock } from '../../system/clock.js';
import { freshId } from '../../system/random.js';
import type { Faults } from './Faults.js';
import type { Journal } from './Journal.js';
import { MessageOrder } from './MessageOrder.js';
import type { Pauses } from './Pauses.js';
import { answers, type Persona, type PersonaAnswer, replyBody, validAnswer } from './persona.js';
import type { ReplyHold } from './ReplyHold.js';

/** How long a persona may think: an agent waits 60 s for its reply. */
const PATIENCE_MS = 50_000;

/** The persona did not answer in time. */
export class PersonaLate extends Error {
  constructor() {
    super(`the persona did not answer for ${PATIENCE_MS / 1000} s`);
  }
}

interface ApplicationParts {
  persona: Persona;
  clock: Clock;
  database: GatewayDatabase;
  /** What the gateway lets an application do; asked for once messages come. */
  ports: () => AnswerPorts;
  registry: ConnectionRegistry;
  hold: ReplyHold;
  pauses: Pauses;
  faults: Faults;
  journal: Journal;
  log: (line: string) => void;
  /** How many conversations and answers are remembered. */
  remembered: number;
}

/** A message that was kept, of the agent that posted it. */
interface KeptMessage {
  readonly agentId: string;
  readonly guid: string;
  readonly message: MessageBody;
}

/**
 * The persona as the application of a gateway: it gets a message once that is stored, and is called until an answer is
 * stored. A failure of the persona is not an answer: it is called again when the message is repeated.
 */
export class PersonaApplication implements MessageListener {
  /** The messages that the persona is asked about now. */
  private readonly underWay = new Map<string, Promise<void>>();
  /** Reflexes on their way. */
  private readonly reflexes = new Set<Promise<void>>();
  private readonly failureListeners = new Map<string, Set<(mistake: unknown) => void>>();
  /** What the persona said, for reflexes that are to be repeated. */
  private readonly said = new Map<string, PersonaAnswer>();
  private readonly asked = new Map<string, number>();
  private readonly order: MessageOrder;

  constructor(private readonly parts: ApplicationParts) {
    this.order = new MessageOrder(parts.remembered);
  }

  async mayAnswer(): Promise<boolean> {
    return true;
  }

  onRequest(agentId: string, guid: string, message: MessageBody, standing: RequestStanding): void {
    const kept = { agentId, guid, message };
    const key = keyOf(kept);
    if (standing === 'new') this.first(kept);
    else this.parts.journal.record({ kind: 'message', agentId, guid, repeat: true, body: message });
    const said = this.said.get(key);
    if (standing !== 'new' && this.parts.faults.repeatReflexes && said !== undefined && answers(said))
      this.pushReflex(kept, said, freshId('cmd'));
    if (standing !== 'answered' && !this.underWay.has(key)) this.begin(kept);
  }

  /** Calls `failed` when the persona fails on this message; returns the way to stop that. */
  onFailure(agentId: string, guid: string, failed: (mistake: unknown) => void): () => void {
    const key = `${agentId} ${guid}`;
    const listeners = this.failureListeners.get(key) ?? new Set();
    this.failureListeners.set(key, listeners.add(failed));
    return () => {
      listeners.delete(failed);
      if (listeners.size === 0) this.failureListeners.delete(key);
    };
  }

  /** Resolves when nothing is under way any more; the pauses must have ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.underWay.values(), ...this.reflexes]);
  }

  private first({ agentId, guid, message }: KeptMessage): void {
    const { journal, log } = this.parts;
    const { thread_id: threadId, sequence } = message;
    const place = this.order.note(agentId, threadId, sequence);
    if (place === 'gap') log(`[HTTP POST] A number is missing before ${sequence} of ${threadId}`);
    if (place === 'late') log(`[HTTP POST] Number ${sequence} of ${threadId} came late`);
    journal.record({ kind: 'message', agentId, guid, repeat: false, place, body: message });
  }

  private begin(kept: KeptMessage): void {
    const key = keyOf(kept);
    const work = this.answer(kept).then(
      () => void this.underWay.delete(key),
      (mistake) => {
        this.underWay.delete(key);
        for (const failed of this.failureListeners.get(key) ?? []) failed(mistake);
      },
    );
    this.underWay.set(key, work);
  }

  /** Reflex and reply set out at the same moment; each then keeps its own pace, and neither waits for the other. */
  private async answer(kept: KeptMessage): Promise<void> {
    const { hold, pauses, registry } = this.parts;
    const { agentId, guid } = kept;
    const answer = await this.ask(kept);
    if (answer === undefined) return;
    this.remember(keyOf(kept), answer);
    if (!answers(answer)) return this.reply(kept, replyBody(answer, false));
    const reflexBySocket = answer.reflex !== undefined && registry.find(agentId) !== undefined;
    // Made of its cause: where the persona is asked again, its reflex is not sent again.
    const reflexId = eventId('reflex', agentId, guid).replace('evt_', 'cmd_');
    const push = () => this.pushReflex(kept, answer, reflexId);
    const held = hold.take(agentId, guid, answer.reflex === undefined ? undefined : push);
    if (held === undefined) void this.pushLater(answer.reflexDelayMs ?? 0, push);
    if (held !== undefined && !(await pauses.waitFor(held))) return;
    if (!(await pauses.wait(answer.delayMs ?? 0))) return;
    await this.reply(kept, replyBody(answer, reflexBySocket));
  }

  /** Undefined when the backend stopped first. */
  private async ask({ agentId, guid, message }: KeptMessage): Promise<PersonaAnswer | undefined> {
    const { persona, registry, pauses } = this.parts;
    const answered = this.asked.get(agentId) ?? 0;
    this.asked.set(agentId, answered + 1);
    const connected = registry.find(agentId) !== undefined;
    const said = (async () => persona(message, { agentId, guid, answered, connected }))();
    const came = await pauses.within(said, PATIENCE_MS);
    if (came.kind === 'late') throw new PersonaLate();
    return came.kind === 'ended' ? undefined : validAnswer(came.value);
  }

  private remember(key: string, answer: PersonaAnswer): void {
    this.said.set(key, answer);
    const oldest = this.said.size > this.parts.remembered ? this.said.keys().next() : undefined;
    if (oldest?.done === false) this.said.delete(oldest.value);
  }

  private async reply({ agentId, guid }: KeptMessage, reply: MessageReply): Promise<void> {
    const { database, ports } = this.parts;
    await database.transaction((transaction) => ports().replies.answer(transaction, agentId, guid, reply));
  }

  private async pushLater(ms: number, push: () => void): Promise<void> {
    if (ms > 0 && !(await this.parts.pauses.wait(ms))) return;
    push();
  }

  /** Finds the socket of the agent that posted the message, and sends the reflex over it. Returns the command's id. */
  private pushReflex(kept: KeptMessage, answer: PersonaAnswer, commandId: string): string | null {
    const { registry, journal, log } = this.parts;
    const { agentId, guid } = kept;
    const { reflex: text } = answer;
    if (text === undefined) return null;
    if (registry.find(agentId) === undefined) {
      log('[Reflex] WebSocket NOT found ❌ (will return in HTTP response only)');
      journal.record({ kind: 'reflex', agentId, guid, text, commandId: null });
      return null;
    }
    log(`[Reflex] WebSocket found for ${agentId} ✅`);
    const sent = this.sendReflex(kept, answer, text, commandId).finally(() => this.reflexes.delete(sent));
    this.reflexes.add(sent);
    return commandId;
  }

  /** Never rejects. */
  private async sendReflex(
    { agentId, guid, message }: KeptMessage,
    answer: PersonaAnswer,
    text: string,
    commandId: string,
  ): Promise<void> {
    const { database, ports, clock, journal, log } = this.parts;
    const payload = {
      thread_id: answer.threadId ?? message.thread_id,
      text,
      bubble_type: 'reflex',
      ...(message.is_group === undefined ? {} : { is_group: message.is_group }),
      ...(answer.inReplyTo ? { in_reply_to: guid } : {}),
    };
    const command = { commandId, type: 'send_message_now', payload, priority: 'immediate' };
    try {
      await database.transaction((transaction) =>
        ports().commands.add(transaction, agentId, command, clock.now()),
      );
    } catch (mistake) {
      // The text is in the HTTP reply as well, so it is not awaited.
      log(`[Reflex] Not sent: ${describeError(mistake)}`);
      return;
    }
    log(`[Reflex] Sent "${text}" via WebSocket to ${agentId}`);
    journal.record({ kind: 'reflex', agentId, guid, text, commandId });
  }
}

const keyOf = ({ agentId, guid }: KeptMessage) => `${agentId} ${guid}`;
