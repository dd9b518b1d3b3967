import { maskHandle } from '../../logging/mask.js';
import type { ChatMessage, LiveEvent, MonitorClient } from '../../monitor-client/index.js';
import type { Clock } from '../../system/clock.js';
import { perhapsSame, sameConversation, type WatchEntry, type WatchWish } from './watchEntry.js';
import { levelStyle, watchWords } from './watchWords.js';

/** Who wrote from another device of the account. */
const OPERATOR = 'operator';

type Shown = Omit<WatchEntry, 'at' | 'record'>;

/** Turns the frames of the client into entries, and returns the wanted ones. */
export class WatchStream {
  private readonly endings: (() => void)[];
  private agentName: string | undefined;

  constructor(
    client: MonitorClient,
    private readonly wish: WatchWish,
    private readonly clock: Clock,
    private readonly give: (entry: WatchEntry) => void,
  ) {
    this.endings = [
      client.on('event', (event) => this.event(event)),
      client.on('agent_status', (status) => {
        const { agentName, state, currentTask, progress } = status;
        this.agentName = agentName;
        const task = currentTask === undefined ? '' : `: ${currentTask}`;
        const share = progress === undefined ? '' : ` (${progress} %)`;
        this.aside({ type: 'status', words: `${state}${task}${share}` }, status);
      }),
      client.on('notification', (notification) => {
        const { level, message } = notification;
        const words = `${level}: ${message}`;
        this.aside({ type: 'notification', words, style: levelStyle(level) }, notification);
      }),
      client.on('user_presence', (user) =>
        this.aside({ type: 'presence', words: `${user.userId} is ${user.status}` }, user),
      ),
    ];
  }

  stop(): void {
    for (const end of this.endings) end();
  }

  /** A received or sent text. */
  message({ conversationId, content, sender, messageId, timestamp, cursor }: ChatMessage): void {
    const { conversation, texts } = this.wish;
    if (conversation !== undefined && !sameConversation(conversationId, conversation)) return;
    const isOperator = sender === OPERATOR;
    const isOut = isOperator || sender === this.agentName;
    const characters = [...content].length;
    const shown = texts ? conversationId : maskHandle(conversationId);
    const said = texts ? content : `${characters} ${characters === 1 ? 'character' : 'characters'}`;
    this.print(
      {
        type: 'message',
        words: `${isOut ? '→' : '←'} ${shown}  ${isOperator ? 'operator: ' : ''}${said}`,
        style: isOut ? 'green' : 'bold',
      },
      {
        direction: isOut ? 'out' : 'in',
        conversation: shown,
        sender: isOut || texts ? sender : maskHandle(sender),
        messageId,
        cursor,
        characters,
        ...(texts ? { text: content } : {}),
      },
      Date.parse(timestamp),
    );
  }

  private event(event: LiveEvent): void {
    const { conversation } = this.wish;
    const concerns = event.topic === 'sends' && perhapsSame(event.conversation, conversation ?? '');
    if (conversation !== undefined && !concerns) return;
    const { topic: _, at, ...record } = event;
    this.print(watchWords(event), record, Date.parse(at));
  }

  /** What concerns no conversation is left out where one was asked for. */
  private aside(shown: Shown, record: object): void {
    if (this.wish.conversation === undefined) this.print(shown, record, this.clock.now());
  }

  private print(shown: Shown, record: object, at: number): void {
    if (!this.wish.types.has(shown.type)) return;
    this.give({ ...shown, at, record: { type: shown.type, at: new Date(at).toISOString(), ...record } });
  }
}
