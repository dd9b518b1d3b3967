import { describeError } from '../errors.js';
import type { EventType } from '../model/events.js';
import type { IncomingAttachment, IncomingMessage, MessagePart } from '../model/incoming.js';
import { knownParts, textsOf } from '../store/incomingRecord.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { type ChatEvents, editKey } from './ChatEvents.js';

/**
 * The current state in chat.db of a sent row (`reversed`: if it counted as a person's message, it no longer does), a
 * message that its sender edited or unsent, its files, or a transcribed audio message (`said`, by the guid of the
 * file). `sentAt` is when the message was written. `partsUnsent` are the unsent parts, `text` the remaining text,
 * `filesLeft` the guids of the remaining files, absent: all of them. Times are Unix ms; null is unknown.
 */
type MessageUpdate =
  | { kind: 'reversed'; guid: string; rowId: number }
  | {
      kind: 'edited';
      guid: string;
      text: string;
      /** Absent: not known. */
      parts?: MessagePart[];
      /** How long the text is that was cut, in UTF-16 units. */
      wholeLength?: number;
      at: number | null;
      partsUnsent?: readonly number[];
      filesLeft?: ReadonlySet<string>;
    }
  | { kind: 'unsent'; guid: string; rowId: number; sentAt: number | null; at: number | null }
  | { kind: 'files'; guid: string; files: readonly IncomingAttachment[] }
  | { kind: 'transcribed'; guid: string; said: ReadonlyMap<string, string> };

interface MessageUpdatesOptions {
  store: Store;
  happenings: Pick<ChatEvents, 'report'>;
  settings: () => { edits: boolean; unsends: boolean; transcriptions: boolean };
  /** Inside a write: files joined this message after it was stored; its attachments are these alone. */
  onFiles: (message: IncomingMessage) => void;
  /** Inside a write: a stored message was sent from this account; its row will be read again. */
  onReversed: (message: IncomingMessage) => void;
  clock: Clock;
}

/** How many sent rows that never counted as messages are remembered, so that each is looked up once. */
const SENT_REMEMBERED = 20_000;

/**
 * Processes edits, unsends, transcriptions and late files of forwarded messages: each is reported once, across restarts
 * too. A message that the backend has not answered yet is posted in its current form, or no longer posted; if the
 * backend cannot have read it before, there is nothing to report. A message that turns out to be sent from here is no
 * longer posted or answered, and its row is judged again, as ours or the operator's. An unknown unsent message is
 * reported if an agent whose store was replaced since may have forwarded it. A file that joined its message after that
 * was stored is passed on once, like one that came with it.
 */
export class MessageUpdates {
  private readonly sent = new Set<string>();

  constructor(private readonly options: MessageUpdatesOptions) {}

  /**
   * Processes the changes; one that was processed before has no effect. A change that causes an internal error is set
   * aside, so that it does not hold up others. False if the disk could not store it.
   */
  note(changes: readonly MessageUpdate[]): boolean {
    const { store } = this.options;
    const fresh = store.tryRead(() => changes.flatMap((row) => this.ofFresh(row)))?.value;
    if (fresh === undefined) return false;
    if (fresh.length === 0) return true;
    return store.tryEach(
      fresh,
      ({ take }) => take(),
      ({ change }, fault) => {
        if (change.kind !== 'files') store.emittedEvents.note(keyOf(change));
        store.setAside.note('change', `${change.kind}:${change.guid}`, describeError(fault));
      },
    );
  }

  private ofFresh(row: MessageUpdate): { change: MessageUpdate; take: () => void }[] {
    if (row.kind === 'unsent' && this.mayBeForgotten(row))
      return [{ change: row, take: () => this.reportForgotten(row) }];
    const change = this.ofKnown(row);
    return change === undefined ? [] : [{ change, take: () => this.takeFresh(change) }];
  }

  /** The change as one of a message that is stored, if it was not taken before. */
  private ofKnown(row: MessageUpdate): MessageUpdate | undefined {
    const { store } = this.options;
    if (this.sent.has(row.guid)) return undefined;
    const change = this.ofOriginal(row);
    if (change === undefined) return undefined;
    if (store.emittedEvents.has(change.kind === 'files' ? unsentKey(change.guid) : keyOf(change)))
      return undefined;
    const message = store.incoming.find(change.guid);
    if (message === undefined && change.kind === 'reversed') this.rememberSent(row.guid);
    return message === undefined || isKnown(change, message) ? undefined : change;
  }

  /** Whether a message that is not known may be one that the backend has from an agent whose store was replaced. */
  private mayBeForgotten(change: UnsentChange): boolean {
    const { store, settings } = this.options;
    const gap = store.lineage.gap();
    if (gap === undefined || gap.reason === 'new' || !settings().unsends) return false;
    const original = store.cursor.seen.originalOf(change.guid);
    const isUnknown = store.incoming.find(original) === undefined;
    return (
      isUnknown &&
      store.lineage.isInGap(change, store.cursor.order()) &&
      !store.emittedEvents.has(keyOf(change))
    );
  }

  /** Inside a write. By the guid that the row has: under which of several iCloud wrote it first is not known any more. */
  private reportForgotten(change: UnsentChange): void {
    const { store } = this.options;
    if (!store.emittedEvents.note(keyOf(change))) return;
    const details = { message_guid: change.guid, unsent_at: isoOrNull(change.at) };
    store.events.add({ eventType: 'message_unsent', details });
  }

  /** Read again: an earlier change in this same write may have changed it too. */
  private takeFresh(change: MessageUpdate): void {
    const message = this.options.store.incoming.find(change.guid);
    if (message !== undefined) this.take(change, message);
  }

  /**
   * Inside a write: a link that Messages wrote as a separate row belongs to this message, whose text does not have it.
   * It is posted with that text, or reported as an edit if the backend may have read the text before. False if no such
   * message is stored, or it was read and edits are not reported: the link must not be lost.
   */
  joinLink(link: IncomingMessage, to: string): boolean {
    const { store, settings } = this.options;
    const message = store.incoming.find(to);
    if (message === undefined || store.emittedEvents.has(unsentKey(to))) return false;
    const key = `link:${link.guid}`;
    if (!store.emittedEvents.has(key)) {
      if (!settings().edits && !store.incoming.isUnread(to)) return false;
      const text = [message.text, link.text].filter((part) => part !== '').join('\n');
      const known = knownParts(message);
      const parts = known && { parts: [...known, ...(knownParts(link) ?? [])] };
      this.rewritten(key, { kind: 'edited', guid: to, text, ...parts, at: link.sentAt }, message);
    }
    return true;
  }

  /**
   * The change as one of the message that the backend knows, where iCloud wrote that again under another guid. The files of such
   * a copy are those of the message under other guids.
   */
  private ofOriginal(change: MessageUpdate): MessageUpdate | undefined {
    const guid = this.options.store.cursor.seen.originalOf(change.guid);
    if (guid === change.guid) return change;
    return change.kind === 'files' ? undefined : { ...change, guid };
  }

  private take(change: MessageUpdate, message: IncomingMessage): void {
    if (change.kind === 'reversed') this.reversed(change, message);
    else if (change.kind === 'edited') this.edited(change, message);
    else if (change.kind === 'unsent') this.unsent(change, message);
    else if (change.kind === 'files') this.joined(change, message);
    else this.transcribed(change, message);
  }

  private reversed(change: Extract<MessageUpdate, { kind: 'reversed' }>, message: IncomingMessage): void {
    const { store, clock, onReversed } = this.options;
    store.uploads.withdraw(message.guid);
    const isUnread = store.incoming.reverse(change.guid);
    if (isUnread) store.emittedEvents.note(keyOf(change));
    else
      this.report(keyOf(change), message, 'message_withdrawn', {
        cause: 'sent_from_here',
        ...this.numberOf(message),
      });
    store.cursor.seen.forget(message.guid);
    store.cursor.readAgain(change.rowId, clock.now());
    onReversed(message);
  }

  /** It is never a message: a sent row is not stored as one. */
  private rememberSent(guid: string): void {
    if (this.sent.size >= SENT_REMEMBERED) this.sent.clear();
    this.sent.add(guid);
  }

  private joined(change: FilesChange, message: IncomingMessage): void {
    const { store, onFiles } = this.options;
    if (store.emittedEvents.has(unsentKey(change.guid))) return;
    const late = lateFiles(change, message);
    const isUnread = store.incoming.rewrite({ ...message, attachments: [...message.attachments, ...late] });
    onFiles({ ...message, attachments: late });
    if (isUnread) return;
    const attachments = late.map(({ guid, mimeType, filename, sizeBytes }) => ({
      guid,
      mime_type: mimeType,
      filename,
      size_bytes: sizeBytes,
    }));
    const key = `files:${message.guid}:${late.map(({ guid }) => guid).join(' ')}`;
    this.report(key, message, 'message_attachments', { attachments });
  }

  private edited(change: EditedChange, message: IncomingMessage): void {
    this.rewritten(keyOf(change), change, message);
  }

  private rewritten(key: string, change: EditedChange, message: IncomingMessage): void {
    const { store, settings } = this.options;
    const { text, parts, wholeLength, at, partsUnsent = [] } = change;
    const gone = unsentFiles(change, message);
    for (const { guid } of gone) store.uploads.withdrawFile(guid);
    store.uploads.rewrite(message.guid, text);
    const attachments = message.attachments.filter((file) => !gone.includes(file));
    // The parts that it had say nothing of the text that it has now.
    const { parts: _, wholeLength: __, ...rest } = message;
    const now = {
      ...rest,
      text,
      ...(parts === undefined ? {} : { parts }),
      ...(wholeLength === undefined ? {} : { wholeLength }),
      attachments,
    };
    const isUnread = store.incoming.rewrite(now);
    if (isUnread || !settings().edits) {
      store.emittedEvents.note(key);
      return;
    }
    const details = {
      text,
      edited_at: isoOrNull(at),
      ...(wholeLength === undefined ? {} : { truncated: true, original_length: wholeLength }),
      ...(partsUnsent.length === 0 ? {} : { parts_unsent: [...partsUnsent] }),
      ...(gone.length === 0 ? {} : { attachments_unsent: gone.map(({ guid }) => guid) }),
    };
    this.report(key, message, 'message_edited', details, textsOf(now));
  }

  private unsent(change: UnsentChange, message: IncomingMessage): void {
    const { store, settings } = this.options;
    // Its images, also of a posted message: they must no longer be uploaded.
    store.uploads.withdraw(message.guid);
    const isUnread = store.incoming.withdraw(change.guid);
    const gap = store.lineage.gap();
    const mayBeRead = gap !== undefined && gap.reason !== 'new' && message.sentAt <= gap.until;
    if ((isUnread && !mayBeRead) || !settings().unsends) store.emittedEvents.note(keyOf(change));
    else
      this.report(keyOf(change), message, 'message_unsent', {
        unsent_at: isoOrNull(change.at),
        ...this.numberOf(message),
      });
  }

  private numberOf({ guid }: IncomingMessage): { sequence?: number } {
    const sequence = this.options.store.incoming.sequenceOf(guid);
    return sequence === undefined ? {} : { sequence };
  }

  private transcribed(
    change: Extract<MessageUpdate, { kind: 'transcribed' }>,
    message: IncomingMessage,
  ): void {
    const { store, settings } = this.options;
    // Its file is not joined yet: the change is found again at the next look.
    if (!message.attachments.some(({ guid }) => change.said.has(guid))) return;
    const isUnread = store.incoming.rewrite(withTranscriptions(message, change.said));
    if (isUnread || !settings().transcriptions) store.emittedEvents.note(keyOf(change));
    else {
      const texts = [...change.said.values()];
      const details = { text: texts.join('\n'), attachment_guids: [...change.said.keys()] };
      this.report(keyOf(change), message, 'message_transcribed', details, texts);
    }
  }

  private report(
    key: string,
    message: IncomingMessage,
    eventType: EventType,
    details: Record<string, unknown>,
    texts: readonly string[] = [],
  ): void {
    this.options.happenings.report({
      key,
      eventType,
      threadId: message.conversation,
      details: { ...placeOf(message), ...details },
      ...(texts.length > 1 ? { texts } : {}),
    });
  }
}

type FilesChange = Extract<MessageUpdate, { kind: 'files' }>;
type EditedChange = Extract<MessageUpdate, { kind: 'edited' }>;
type UnsentChange = Extract<MessageUpdate, { kind: 'unsent' }>;

/** Unsending several parts one by one is several changes, even if no date distinguishes them. */
function keyOf(change: Exclude<MessageUpdate, FilesChange>): string {
  if (change.kind !== 'edited') return `${change.kind}:${change.guid}`;
  const { guid, at, partsUnsent = [] } = change;
  if (at !== null && partsUnsent.length === 0) return editKey(guid, at);
  return `edit:${guid}:${at ?? ''}:${partsUnsent.join(' ')}`;
}

function unsentKey(guid: string): string {
  return `unsent:${guid}`;
}

/** Whether the message was stored with all of it already: one change may show in several forms, one after the other. */
function isKnown(change: MessageUpdate, message: IncomingMessage): boolean {
  if (change.kind === 'reversed') return false;
  if (change.kind === 'files') return lateFiles(change, message).length === 0;
  if (change.kind === 'edited')
    return change.text === message.text && unsentFiles(change, message).length === 0;
  return (
    change.kind === 'transcribed' && message.attachments.some((file) => file.transcription !== undefined)
  );
}

function lateFiles({ files }: FilesChange, { attachments }: IncomingMessage): IncomingAttachment[] {
  const known = new Set(attachments.map(({ guid }) => guid));
  return files.filter(({ guid }) => !known.has(guid));
}

function unsentFiles({ filesLeft }: EditedChange, { attachments }: IncomingMessage): IncomingAttachment[] {
  return filesLeft === undefined ? [] : attachments.filter(({ guid }) => !filesLeft.has(guid));
}

function isoOrNull(unixMs: number | null): string | null {
  return unixMs === null ? null : new Date(unixMs).toISOString();
}

function withTranscriptions(message: IncomingMessage, said: ReadonlyMap<string, string>): IncomingMessage {
  const attachments = message.attachments.map((file) => {
    const transcription = said.get(file.guid);
    return transcription === undefined ? file : { ...file, transcription };
  });
  return { ...message, attachments };
}

function placeOf(message: IncomingMessage): Record<string, unknown> {
  const { guid, sender, chatGuid, isGroup } = message;
  return { message_guid: guid, sender, chat_guid: chatGuid, is_group: isGroup };
}
