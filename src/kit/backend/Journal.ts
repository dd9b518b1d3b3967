import { EventEmitter } from 'node:events';
import type { Channel, DeliveryWay, Sighting, UploadedFile } from '../../gateway/agents/EdgeBackend.js';
import type { Ack, AgentEvent, ReportedStatus } from '../../gateway/agents/frames.js';
import type { MessageBody, RegisterBody } from '../../gateway/agents/requests.js';
import type { Clock } from '../../system/clock.js';
import type { MessagePlace } from './MessageOrder.js';

/** What the files that are kept may come to, in bytes (64 MiB); one alone may have 16 MiB. */
const PHOTOS_BYTES = 64 * 1024 * 1024;

/** Everything that can happen, as the backend sees it. */
type What =
  | Sighting
  | { kind: 'registered'; agentId: string; body: RegisterBody }
  /** `repeat`: a guid that came before. `place`, for a new one: its number relative to those before. */
  | {
      kind: 'message';
      agentId: string;
      guid: string;
      repeat: boolean;
      place?: MessagePlace;
      body: MessageBody;
    }
  /** A file of an incoming message. `repeat`: a guid that came before. */
  | {
      kind: 'photo';
      agentId: string;
      guid: string;
      repeat: boolean;
      fields: Record<string, string>;
      file: UploadedFile;
    }
  /** Reflex and reply of this message wait for a release. */
  | { kind: 'held'; agentId: string; guid: string }
  /** `commandId` null: there was no socket, so the reflex goes in the HTTP reply alone. */
  | { kind: 'reflex'; agentId: string; guid: string; text: string; commandId: string | null }
  | {
      kind: 'command';
      agentId: string;
      commandId: string;
      commandType: string;
      via: DeliveryWay;
      repeat: boolean;
    }
  | { kind: 'ack'; agentId: string; channel: Channel; body: Ack }
  | { kind: 'event'; agentId: string; channel: Channel; body: AgentEvent }
  | { kind: 'status'; agentId: string; channel: Channel; body: ReportedStatus }
  | { kind: 'down' }
  | { kind: 'up' };

/** One thing that happened; `at` is Unix ms. */
export type JournalEntry = What & { readonly at: number };
type EntryOf<K extends JournalEntry['kind']> = Extract<JournalEntry, { kind: K }>;

/**
 * What happened, in order: as lists to look at, as a stream to listen to, and as something to wait for.
 * Each list keeps its newest `limit` entries; that of photos the newest upload of each file, and 64 MiB in all. Listeners are called in the same turn, after the thing was done.
 */
export class Journal {
  readonly registrations: EntryOf<'registered'>[] = [];
  readonly connects: EntryOf<'connected'>[] = [];
  readonly disconnects: EntryOf<'disconnected'>[] = [];
  readonly messages: EntryOf<'message'>[] = [];
  readonly photos: EntryOf<'photo'>[] = [];
  readonly replies: EntryOf<'reply'>[] = [];
  readonly reflexes: EntryOf<'reflex'>[] = [];
  readonly commands: EntryOf<'command'>[] = [];
  readonly acks: EntryOf<'ack'>[] = [];
  readonly syncs: EntryOf<'sync'>[] = [];
  readonly events: EntryOf<'event'>[] = [];
  readonly statuses: EntryOf<'status'>[] = [];
  readonly refusals: EntryOf<'refused'>[] = [];
  private readonly emitter = new EventEmitter();

  constructor(
    private readonly clock: Clock,
    private readonly limit: number,
    private readonly log: (line: string) => void,
  ) {
    // As many may wait at once as a test likes.
    this.emitter.setMaxListeners(0);
  }

  record(what: What): void {
    const entry: JournalEntry = { ...what, at: this.clock.now() };
    this.file(entry);
    for (const listener of this.emitter.listeners('entry')) {
      try {
        listener(entry);
      } catch (mistake) {
        // An error in a listener must not affect the answer to the agent.
        this.log(`[Backend] A listener failed on ${entry.kind}: ${String(mistake)}`);
      }
    }
  }

  /** Calls `listener` with everything from now on; returns the way to stop it. */
  observe(listener: (entry: JournalEntry) => void): () => void {
    this.emitter.on('entry', listener);
    return () => {
      this.emitter.off('entry', listener);
    };
  }

  /**
   * Resolves as soon as `condition` holds: looked at now, and again after each thing that happens. Rejects when it throws,
   * after `timeoutMs`, and when the backend stops.
   */
  until(condition: () => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (end: () => void) => {
        stopObserving();
        timer.cancel();
        this.emitter.off('ended', onEnded);
        end();
      };
      const look = () => {
        let met: boolean;
        try {
          met = condition();
        } catch (mistake) {
          finish(() => reject(mistake));
          return;
        }
        if (met) finish(resolve);
      };
      const onEnded = () => finish(() => reject(new Error('the backend stopped before the condition held')));
      const timer = this.clock.after(timeoutMs, () =>
        finish(() => reject(new Error(`not within ${timeoutMs} ms; seen so far: ${this.summary()}`))),
      );
      const stopObserving = this.observe(look);
      this.emitter.on('ended', onEnded);
      look();
    });
  }

  /** Ends every wait; the lists stay readable. */
  end(): void {
    this.emitter.emit('ended');
    this.emitter.removeAllListeners();
  }

  private summary(): string {
    const counts = {
      registrations: this.registrations.length,
      connects: this.connects.length,
      disconnects: this.disconnects.length,
      messages: this.messages.length,
      photos: this.photos.length,
      replies: this.replies.length,
      reflexes: this.reflexes.length,
      commands: this.commands.length,
      acks: this.acks.length,
      syncs: this.syncs.length,
      events: this.events.length,
      statuses: this.statuses.length,
      refusals: this.refusals.length,
    };
    return Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ');
  }

  private file(entry: JournalEntry): void {
    switch (entry.kind) {
      case 'registered':
        this.keep(this.registrations, entry);
        break;
      case 'connected':
        this.keep(this.connects, entry);
        break;
      case 'disconnected':
        this.keep(this.disconnects, entry);
        break;
      case 'message':
        this.keep(this.messages, entry);
        break;
      case 'photo':
        this.keepPhoto(entry);
        break;
      case 'reply':
        this.keep(this.replies, entry);
        break;
      case 'reflex':
        this.keep(this.reflexes, entry);
        break;
      case 'command':
        this.keep(this.commands, entry);
        break;
      case 'ack':
        this.keep(this.acks, entry);
        break;
      case 'sync':
        this.keep(this.syncs, entry);
        break;
      case 'event':
        this.keep(this.events, entry);
        break;
      case 'status':
        this.keep(this.statuses, entry);
        break;
      case 'refused':
        this.keep(this.refusals, entry);
        break;
    }
  }

  private keepPhoto(photo: EntryOf<'photo'>): void {
    const { photos } = this;
    const before = photos.findIndex(({ agentId, guid }) => agentId === photo.agentId && guid === photo.guid);
    if (before >= 0) photos.splice(before, 1);
    this.keep(photos, photo);
    let bytes = photos.reduce((sum, { file }) => sum + file.bytes.length, 0);
    while (bytes > PHOTOS_BYTES) bytes -= photos.shift()?.file.bytes.length ?? bytes;
  }

  private keep<T>(list: T[], entry: T): void {
    list.push(entry);
    if (list.length > this.limit) list.splice(0, list.length - this.limit);
  }
}
