import type { ChatMessage, MonitorClient } from '../../monitor-client/index.js';
import { MonitorError } from '../../monitor-client/index.js';

/** What the agent answers to a question that it does not know, or to a cursor that is none. */
const NOT_UNDERSTOOD = 'invalid_payload';
const RETRY_MS = 1_000;

/** What comes of reading. Calls are in the order of the texts. */
interface TextReaderListener {
  text: (message: ChatMessage) => void;
  /** From now on each text is given as it comes. */
  ready: () => void;
  /** Texts are missing before those that come next, or some of them come again; in words. */
  gap: (words: string) => void;
  /** The agent does not keep texts: it is an earlier version. */
  refused: () => void;
}

const GAP_WORDS = {
  not_kept:
    'Some texts since then were deleted (texts are kept for 7 days); the oldest kept text comes next.',
  unknown_cursor:
    'The agent does not know this cursor: it is from another agent, or the state of the agent was replaced. All its texts follow.',
} as const;

/**
 * Follows the texts of the agent after a cursor, across reconnects and restarts, each once and none left out: a live
 * text is used only if it is the next one, else the missing ones are requested from the agent.
 */
export class TextReader {
  private readonly endings: (() => void)[];
  private reading = false;
  /** The number of the newest text that is known to be there. */
  private heardOf = 0;
  private retry: { cancel(): void } | undefined;

  constructor(
    private readonly client: MonitorClient,
    /** Undefined: from the first connection on. */
    private last: string | undefined,
    private readonly listener: TextReaderListener,
  ) {
    this.endings = [
      client.on('state', ({ name }) => {
        if (name === 'online') void this.read(true);
      }),
      client.on('chat_message', (message) => this.live(message)),
    ];
  }

  /** Behind the last text that was given; undefined: nothing is known yet. */
  get cursor(): string | undefined {
    return this.last;
  }

  stop(): void {
    this.retry?.cancel();
    for (const end of this.endings) end();
  }

  private live(message: ChatMessage): void {
    // It is in no journal: an embedding program said it, or an agent of an earlier version.
    if (message.cursor === undefined) {
      this.listener.text(message);
      return;
    }
    const number = numberOf(message.cursor);
    this.heardOf = Math.max(this.heardOf, number);
    if (this.reading || this.last === undefined || number <= numberOf(this.last)) return;
    if (number === numberOf(this.last) + 1) this.give(message, message.cursor);
    else void this.read(false);
  }

  private give(message: ChatMessage, cursor: string): void {
    this.last = cursor;
    this.listener.text(message);
  }

  /** Reads up to what is there now. `isNew`: a connection has just begun. */
  private async read(isNew: boolean): Promise<void> {
    this.retry?.cancel();
    if (isNew) this.heardOf = 0;
    if (this.reading) return;
    this.reading = true;
    try {
      while (await this.readPage());
    } catch (error) {
      this.failed(error, isNew);
      return;
    } finally {
      this.reading = false;
    }
    if (isNew) this.listener.ready();
  }

  /** Whether there is more. */
  private async readPage(): Promise<boolean> {
    const { last } = this;
    const page = await this.client.request('texts.since', last === undefined ? {} : { cursor: last });
    if (page.gap !== null) this.listener.gap(GAP_WORDS[page.gap]);
    for (const text of page.texts) this.give(text, text.cursor);
    this.last = page.cursor;
    return page.texts.length > 0 || this.heardOf > numberOf(page.cursor);
  }

  private failed(error: unknown, isNew: boolean): void {
    const code = error instanceof MonitorError ? error.code : '';
    // The next connection starts again.
    if (this.client.state.name !== 'online') return;
    if (code === NOT_UNDERSTOOD) this.listener.refused();
    else this.retry = this.client.clock.after(RETRY_MS, () => void this.read(isNew));
  }
}

/** A cursor begins with the number of the text. */
function numberOf(cursor: string): number {
  return Number.parseInt(cursor, 10);
}
