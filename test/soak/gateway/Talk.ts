import type { SimulatedChat } from '../../../src/kit/messages/SimulatedChats.js';
import type { EdgeWorld } from '../../support/EdgeWorld.js';
import type { Seeded } from '../Seeded.js';
import { PEOPLE } from '../Traffic.js';
import type { Application, Lane } from './Application.js';
import type { FollowedEvent } from './EventFollower.js';
import { messageGuidIn, type WrittenMessage } from './intents.js';

interface Conversation {
  readonly lane: Lane;
  readonly chat: SimulatedChat;
  readonly people: readonly string[];
  /** The application's text here that is under way; a conversation has one at a time, so that their order is known. */
  sending: Promise<void> | undefined;
}

const ENDED = new Set(['sent', 'delivered', 'read', 'failed', 'cancelled', 'unknown']);
/** How much may be asked and not yet done: more would only wait. */
const BACKLOG = 12;

/** What people and the application send through one agent. */
export class Talk {
  readonly messages: WrittenMessage[] = [];
  readonly targets = new Map<string, Set<string>>();
  private readonly conversations: readonly Conversation[];
  private readonly open = new Set<string>();
  private readonly ended = new Set<string>();
  private asked = 0;
  private count = 0;

  constructor(
    readonly agentId: string,
    private readonly world: EdgeWorld,
    private readonly application: Application,
    private readonly random: Seeded,
  ) {
    const { chatDb } = world.mac;
    const direct = PEOPLE.map((person) => {
      const chat = chatDb.directChat(person);
      return this.conversation(person, { to: person }, chat, [person]);
    });
    const group = chatDb.groupChat(PEOPLE);
    this.conversations = [...direct, this.conversation(group.guid, { chat: group.guid }, group, PEOPLE)];
  }

  /** Whether there is room for more. */
  get isCalm(): boolean {
    return this.open.size + this.asked - this.ended.size < BACKLOG;
  }

  /** A person writes a message. */
  step(): void {
    if (!this.isCalm) return;
    if (this.random.chance(0.5)) this.write();
    else this.send();
  }

  /** Every text that was begun is accepted. */
  async accepted(): Promise<void> {
    await Promise.all(this.conversations.map(({ sending }) => sending));
  }

  /** Takes note of what is done, for `isCalm`. */
  hear({ type, agent, data }: FollowedEvent): void {
    if (agent !== this.agentId) return;
    if (type === 'message.received') this.open.delete(messageGuidIn(data) ?? '');
    else if (
      type === 'message.status' &&
      data.message_id != null &&
      data.in_reply_to == null &&
      ENDED.has(data.status ?? '')
    )
      this.ended.add(data.message_id);
  }

  private conversation(
    id: string,
    to: Lane['to'],
    chat: SimulatedChat,
    people: readonly string[],
  ): Conversation {
    this.targets.set(
      `${this.agentId} ${id}`,
      new Set(
        [chat.guid, chat.identifier, ...(people.length === 1 ? people : [])].map(
          (target) => `${this.agentId} ${target}`,
        ),
      ),
    );
    return { lane: { agentId: this.agentId, conversation: id, to }, chat, people, sending: undefined };
  }

  private write(): void {
    const { random, world, agentId } = this;
    const { lane, chat, people } = random.pick(this.conversations);
    this.count += 1;
    // The bot does not answer those with a mark.
    const text = `${agentId.slice(-1)}m${this.count}${random.chance(0.1) ? '!' : ''} hello`;
    const { guid } = world.mac.chatDb.receive({ from: random.pick(people), chat, text });
    this.open.add(guid);
    this.messages.push({ agentId, conversation: lane.conversation, guid, text });
  }

  private send(): void {
    const free = this.conversations.filter(({ sending }) => sending === undefined);
    if (free.length === 0) return;
    const conversation = this.random.pick(free);
    this.asked += 1;
    conversation.sending = this.application.send(conversation.lane).finally(() => {
      conversation.sending = undefined;
    });
  }
}
