import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { CommandRequest } from '../../src/kit/backend/BackendCommands.js';
import type { Persona, PersonaAnswer, ReplyForm } from '../../src/kit/backend/persona.js';
import type { SimulatedChat } from '../../src/kit/messages/SimulatedChats.js';
import { AGENT_ID, type EdgeWorld, PERSON } from '../support/EdgeWorld.js';
import type { StepName } from '../support/killPoints.js';
import { type CommandIntent, guidsOf, type MessageIntent } from './intents.js';
import type { Seeded } from './Seeded.js';

export interface Conversation {
  /** What it is called here, whatever becomes of its chat. */
  readonly id: string;
  readonly isGroup: boolean;
  /** The chat that is written in now. */
  chat: SimulatedChat;
  /** The one who writes most, and all who do. */
  readonly from: string;
  readonly people: readonly string[];
  /** The ways in which a backend may name it. */
  threadIds: readonly string[];
}

/** Those who write, and are written to, in conversations of their own and in one together. */
export const PEOPLE = [PERSON, 'friend@example.com'] as const;
/** One of whom chat.db has the number without its plus, and how a backend may write it. */
const FOREIGNER = { stored: '447967960994', canonical: '+447967960994', other: '00447967960994' };

/** Texts in answer to several messages, as people write them: only the count shows whether one was lost. */
const COMMON_REFLEX = 'one sec';
const FORMS: readonly ReplyForm[] = ['reply_text', 'reply_bubbles', 'reflex_burst'];
/** The group that goes from one chat to the next. */
const MOVING = 'moving group';
const PRIORITIES = ['immediate', 'high', 'normal', 'low', 'deferred'];

/** Asks things of the agent, one at a time and at random, and remembers what it asked. */
export class Traffic {
  readonly commands: CommandIntent[] = [];
  readonly messages: MessageIntent[] = [];
  readonly conversations: readonly Conversation[];
  readonly targets = new Map<string, Set<string>>();
  private readonly known = new Set<string>();
  private readonly requests: CommandRequest[] = [];
  private readonly answers = new Map<string, PersonaAnswer>();
  private readonly unanswered = new Set<string>();
  private readonly commandsOpen = new Set<string>();
  private readonly commandsAcked = new Set<string>();
  private readonly arriving: Promise<unknown>[] = [];
  private count = 0;

  constructor(
    private readonly world: EdgeWorld,
    private readonly random: Seeded,
    /** Called with each text that is to be sent, before anything can send it. */
    private readonly onText: (text: string) => void,
    /** Whether there are people and groups whose names in chat.db are not what they seem, or change. */
    withForms: boolean,
  ) {
    const { chatDb } = world.mac;
    const direct = PEOPLE.map((person) =>
      directWith(chatDb.directChat(person), [person, `iMessage;-;${person}`, `any;-;${person}`]),
    );
    const group = chatDb.groupChat(PEOPLE);
    this.conversations = [...direct, groupIn(group), ...(withForms ? this.oddConversations() : [])];
    for (const { id, chat, threadIds } of this.conversations) {
      const names = threadIds.flatMap((name) => [name, `iMessage;-;${name}`]);
      this.targets.set(id, new Set([chat.guid, chat.identifier, ...names]));
    }
    world.backend.observe((seen) => {
      if (seen.kind === 'command') this.ordered(seen.commandId);
      if (seen.kind === 'ack') this.acked(seen.body.command_id);
      if (seen.kind !== 'reply' || !seen.delivered) return;
      const message = this.messages.find((sent) => guidsOf(sent).includes(seen.guid));
      if (message === undefined) return;
      this.unanswered.delete(message.guid);
      this.known.add(message.conversation);
    });
  }

  /** Sends what was planned for the message. */
  readonly persona: Persona = (_message, { guid }) => {
    const message = this.messages.find((sent) => guidsOf(sent).includes(guid));
    return this.answers.get(message?.guid ?? guid) ?? { bubbles: [], shouldRespond: false };
  };

  /** How many commands are not acked. */
  get unacked(): number {
    return this.commandsOpen.size;
  }

  /** How much of what was asked has not been done, roughly. */
  get backlog(): number {
    return this.unacked + this.unanswered.size;
  }

  /** Asks one thing. */
  step(): void {
    const act = this.random.weighted({
      message: 4,
      image: 0.5,
      send: 5,
      file: 0.7,
      schedule: 1.5,
      cancel: 0.7,
      repeat: 1,
    });
    switch (act) {
      case 'message':
        this.receive();
        return;
      case 'image':
        this.receiveImage();
        return;
      case 'send':
        this.send();
        return;
      case 'file':
        this.sendFile();
        return;
      case 'schedule':
        this.schedule();
        return;
      case 'cancel':
        this.cancel();
        return;
      case 'repeat':
        this.repeat();
        return;
    }
  }

  /** Asks what leads to this step. */
  provoke(step: StepName): void {
    if (step.startsWith('a')) this.receive();
    else if (step.startsWith('d')) this.schedule();
    else if (step.startsWith('f')) this.receiveImage();
    else if (step === "c0'") this.sendFile();
    else this.send();
  }

  /** Resolves when nothing that was begun is still to come. */
  async arrived(): Promise<void> {
    await Promise.all(this.arriving);
  }

  /** A message came in that is to be answered. */
  takeIn(name: string, message: MessageIntent): void {
    const answer = this.plan(name);
    this.answers.set(message.guid, answer);
    this.unanswered.add(message.guid);
    message.isReflexNamed = answer.inReplyTo === true;
    this.messages.push(message);
  }

  /** There is no longer any evidence of the order in which the unanswered messages were written. */
  orderIsLost(): void {
    for (const message of this.messages) if (this.unanswered.has(message.guid)) message.late = true;
  }

  /** No answer to this message is expected any more. */
  givenUp(guid: string): void {
    this.unanswered.delete(guid);
  }

  /** Whether the backend has answered a message of this conversation. */
  isKnown(conversation: string): boolean {
    return this.known.has(conversation);
  }

  /** The group that moves goes over to another chat. */
  moveGroup(move: (chat: SimulatedChat) => SimulatedChat): void {
    const group = this.conversations.find(({ id }) => id === MOVING);
    if (group === undefined) return;
    group.chat = move(group.chat);
    group.threadIds = [...group.threadIds, group.chat.guid, group.chat.identifier];
    this.targets.get(MOVING)?.add(group.chat.guid);
  }

  /** A command that cannot be done. */
  offend(payload: Record<string, unknown>): void {
    const commandId = this.name('cmd-');
    const request = { command_id: commandId, command_type: 'send_message_now', payload };
    this.world.backend.pushCommand(request, { agentId: AGENT_ID });
    this.ordered(commandId);
    this.commands.push({ kind: 'hostile', commandId });
  }

  private ordered(commandId: string): void {
    if (!this.commandsAcked.has(commandId)) this.commandsOpen.add(commandId);
  }

  private acked(commandId: string): void {
    this.commandsAcked.add(commandId);
    this.commandsOpen.delete(commandId);
  }

  /** A name that nothing had before. */
  name(kind: string): string {
    this.count += 1;
    return `${kind}${this.count}`;
  }

  private receive(): void {
    const { random } = this;
    const { id, from, chat } = random.pick(this.conversations);
    const name = this.name('m');
    const late = random.chance(0.1);
    const text = `${name} hello`;
    const message = { from, chat, text };
    const { chatDb } = this.world.mac;
    const incoming = chatDb.receive(late ? { ...message, stages: ['row'] } : message);
    const { guid } = incoming;
    this.takeIn(name, { guid, conversation: id, late, text, images: [], copies: [] });
    if (late) {
      this.arriving.push(pause(random.int(50, 1_200)).then(() => incoming.complete()));
    }
  }

  private receiveImage(): void {
    const { id, from, chat } = this.random.pick(this.conversations);
    const name = this.name('i');
    const image = `at_0_${name}`;
    const text = `${name} look`;
    const guid = this.world.receiveImage({ from, chat, text }, image);
    this.takeIn(name, { guid, conversation: id, late: false, text, images: [image], copies: [] });
  }

  private oddConversations(): Conversation[] {
    const { chatDb } = this.world.mac;
    const { stored, canonical, other } = FOREIGNER;
    const foreign = directWith(chatDb.directChat(stored), [canonical, stored, other, `any;-;${canonical}`]);
    return [foreign, { ...groupIn(chatDb.groupChat(PEOPLE)), id: MOVING }];
  }

  private plan(name: string): PersonaAnswer {
    const { random } = this;
    if (random.chance(0.1)) return { bubbles: [], shouldRespond: false };
    const form = random.pick(FORMS);
    const bubbles = Array.from({ length: random.int(form === 'reply_text' ? 1 : 0, 3) }, (_, index) =>
      this.text(`${name}b${index}.`),
    );
    const isCommon = form !== 'reply_text' && random.chance(0.3);
    const reflex = isCommon ? COMMON_REFLEX : this.text(`${name}r.`);
    const hasReflex = bubbles.length === 0 || form === 'reflex_burst' || random.chance(0.7);
    return {
      bubbles,
      form,
      ...(hasReflex ? { reflex } : {}),
      ...(random.chance(0.3) ? { reflexDelayMs: random.int(1, 400) } : {}),
      ...(random.chance(0.5) ? { delayMs: random.int(1, 400) } : {}),
      // Such a reflex is in no reply, so only its name distinguishes it from a repeated one (protocol, "Reflex
      // bubbles").
      ...(form === 'reply_text' || random.chance(0.5) ? { inReplyTo: true } : {}),
      ...(form === 'reflex_burst' ? { burstDelayMs: random.int(0, 60) } : {}),
    };
  }

  private send(): void {
    const { random } = this;
    const conversation = random.pick(this.conversations);
    const last = this.commands.findLast((intent) => intent.kind === 'send');
    // Texts that are equal and follow one another are each their own.
    const isAgain = last?.conversation === conversation.id && !last.isFile && random.chance(0.15);
    const text = isAgain ? last.text : this.text(this.name('s'));
    const payload = {
      thread_id: random.pick(conversation.threadIds),
      text,
      bubble_type: random.pick(['normal', 'burst']),
    };
    const commandId = this.push('send_message_now', payload);
    this.commands.push({
      kind: 'send',
      commandId,
      conversation: conversation.id,
      text,
      isFile: false,
    });
  }

  private sendFile(): void {
    const { random, world } = this;
    const conversation = random.pick(this.conversations);
    const name = this.text(this.name('f'));
    const path = join(world.shared, name);
    writeFileSync(path, name);
    const payload = { thread_id: random.pick(conversation.threadIds), text: '', attachments: [{ path }] };
    const commandId = this.push('send_message_now', payload);
    this.commands.push({
      kind: 'send',
      commandId,
      conversation: conversation.id,
      text: name,
      isFile: true,
    });
  }

  private schedule(): void {
    const { random } = this;
    const text = this.text(this.name('t'));
    const sendAt = new Date(Date.now() + random.int(-200, 2_500)).toISOString();
    const { id, threadIds } = random.pick(this.conversations);
    const payload = {
      thread_id: random.pick(threadIds),
      message_text: text,
      send_at: sendAt,
    };
    const commandId = this.push('schedule_message', payload);
    this.commands.push({ kind: 'schedule', commandId, conversation: id, text });
  }

  private cancel(): void {
    const scheduled = this.commands.filter((intent) => intent.kind === 'schedule').slice(-3);
    if (scheduled.length === 0) return;
    const payload = { schedule_id: this.random.pick(scheduled).commandId };
    this.commands.push({ kind: 'cancel', commandId: this.push('cancel_scheduled', payload) });
  }

  /** The backend repeats an earlier frame, in a frame of its own or with the next one. */
  private repeat(): void {
    const { backend } = this.world;
    const request = this.requests.length === 0 ? undefined : this.random.pick(this.requests.slice(-8));
    if (request === undefined || this.random.chance(0.3)) backend.duplicateNextCommand();
    else backend.pushRaw(JSON.stringify({ type: 'command', data: request }), AGENT_ID);
  }

  private push(type: string, payload: Record<string, unknown>): string {
    const { random } = this;
    const commandId = this.name('cmd-');
    const request = {
      command_id: commandId,
      command_type: type,
      payload,
      priority: random.pick(PRIORITIES),
      timestamp: new Date().toISOString(),
    };
    this.requests.push(request);
    const envelope = random.pick(['data', 'payload'] as const);
    this.world.backend.pushCommand(request, { agentId: AGENT_ID, envelope });
    this.ordered(commandId);
    return commandId;
  }

  /** No such text is part of another one: each ends with a mark that none has inside. */
  private text(name: string): string {
    const text = `${name}~`;
    this.onText(text);
    return text;
  }
}

function directWith(chat: SimulatedChat, threadIds: readonly string[]): Conversation {
  const from = chat.identifier;
  return { id: chat.guid, isGroup: false, chat, from, people: [from], threadIds };
}

function groupIn(chat: SimulatedChat): Conversation {
  const [from = ''] = chat.participants;
  const threadIds = [chat.guid, chat.identifier];
  return { id: chat.guid, isGroup: true, chat, from, people: chat.participants, threadIds };
}
