import type { Logger } from '../logging/Logger.js';
import type { IncomingMessage, Photo, PhotoResult } from '../model/incoming.js';
import { textsOf } from '../store/incomingRecord.js';
import type { Store } from '../store/Store.js';
import type { UploadMessage, UploadRecord } from '../store/uploads.js';
import { Circuit } from '../system/Circuit.js';
import { type Clock, SteadyTime, type Timer } from '../system/clock.js';
import { exhaustion, type MachineFault, ownFileFault, systemCode } from '../system/failures.js';
import type { Random } from '../system/random.js';
import { joinAtSeams, seamsAsLineBreaks } from '../system/seams.js';
import { arrivedImage, type Image } from './arrivedImage.js';
import { isImage } from './contentTypes.js';
import { faultCode } from './faultCode.js';
import { jpegOfHeic } from './jpegOfHeic.js';
import type { IncomingFiles, PhotoPosting } from './ports.js';
import { type UploadEnd, uploadRetry } from './uploadRetry.js';

export interface UploaderSettings {
  enabled: boolean;
  maxBytes: number;
  attachmentsPath: string;
  userPhone: string;
}

interface UploaderOptions {
  store: Store;
  files: IncomingFiles;
  backend: PhotoPosting & { agentId(): string };
  /** Of the backend as a whole: while it is open, one request at a time shows whether that is back. */
  circuit?: Circuit;
  settings: () => UploaderSettings;
  /** The text of a message as it may leave this machine; U+FFFC marks the seams between the texts of its parts. */
  caption: (text: string) => string;
  sips: string;
  /** What sips inherits: without our secrets. */
  env: NodeJS.ProcessEnv;
  home: string;
  /** A private directory for conversions. */
  workDirectory: string;
  /** Called with the result of each upload: a fault of this machine, or none. */
  onMachine?: (fault: MachineFault | undefined) => void;
  clock: Clock;
  random: Random;
  log: Logger;
}

const MOST_IN_FLIGHT = 2;
/** An open one that is looked at must not hide behind those in flight, nor behind those that a pause holds. */
const LOOKED_AT = MOST_IN_FLIGHT * 2;
const LOOKED_AT_IN_PAUSES = 1000;
const STORE_RETRY_MS = 2_000;
/** A probe is a whole file, read and converted. */
const PROBE_WAITS = { firstMs: 5_000, longestMs: 60_000 };
/** No retry is put off for longer. */
const LONGEST_WAIT_MS = 3_600_000;
/** What an earlier life put off, by whatever clock, is tried at the latest so long after the start. */
const LONGEST_WAIT_AT_START_MS = 60_000;

/**
 * Uploads the images of incoming messages to the backend. Each is queued in the commit that stores its message and
 * stays open until the backend has it, refuses it permanently, or it is given up; then the event `upload_failed`
 * reports it, and it can be queued again. The message itself never waits for it. While uploads of all messages fail,
 * one is tried at a time (`Circuit`).
 */
export class Uploader {
  private readonly inFlight = new Set<number>();
  private timer: Timer | undefined;
  private running = false;
  private readonly steady: SteadyTime;
  private readonly circuit: Circuit;

  constructor(private readonly options: UploaderOptions) {
    const { clock, random, circuit, store } = options;
    this.steady = new SteadyTime(clock);
    const within = circuit === undefined ? {} : { within: circuit };
    this.circuit = new Circuit({ clock, random, waits: PROBE_WAITS, ...within });
    this.circuit.onProbe(() => this.pump());
    this.circuit.onRecovery(() => {
      if (this.running && store.tryWrite(() => store.uploads.retryNow())) this.pump();
    });
    options.store.incoming.onInsert((message) => this.take(message));
    options.store.pauses.afterChange(() => this.pump());
  }

  start(): void {
    this.running = true;
    const { store } = this.options;
    store.tryWrite(() => store.uploads.retryBy(this.steady.now() + LONGEST_WAIT_AT_START_MS));
    this.pump();
  }

  /** Starts no further upload. The current one is cut by the owner of the connection, and retried at the next start. */
  stop(): void {
    this.running = false;
    this.circuit.stop();
    this.timer?.cancel();
  }

  /** Inside a write: queues a file again, whatever became of it. `unknown`: it never was to be uploaded. */
  again(attachmentGuid: string): 'queued' | 'unknown' | 'off' {
    const { store, settings } = this.options;
    if (!settings().enabled) return 'off';
    if (!store.uploads.reopen(attachmentGuid)) return 'unknown';
    store.afterCommit(() => this.pump());
    return 'queued';
  }

  /** The backend seems to answer again: what waits for a retry is tried now. */
  retryNow(): void {
    this.circuit.hint();
  }

  /** Inside a write: queues the images of a message; one that is known already stays as it is. */
  take(message: IncomingMessage): void {
    const { store, settings } = this.options;
    if (message.attachments.length === 0 || !settings().enabled) return;
    const { guid, chatGuid, conversation, isGroup, text, participants } = message;
    for (const file of message.attachments) {
      if (!isImage(file.mimeType, file.filename)) continue;
      store.uploads.add(file.guid, { guid, chatGuid, conversation, isGroup, text, participants });
    }
    store.afterCommit(() => this.pump());
  }

  private pump(): void {
    const { store, clock, settings } = this.options;
    this.timer?.cancel();
    if (!this.running || !store.isOpen || !settings().enabled || !this.circuit.mayBegin()) return;
    const mayBeHeld = store.pauses.list().some(({ incoming }) => incoming);
    const open = store.tryRead(() => store.uploads.open(mayBeHeld ? LOOKED_AT_IN_PAUSES : LOOKED_AT));
    if (open === undefined) this.timer = clock.after(STORE_RETRY_MS, () => this.pump());
    for (const upload of open?.value ?? []) {
      if (this.inFlight.has(upload.seq) || store.pauses.holdsIncoming(upload.message.conversation)) continue;
      if (this.inFlight.size >= MOST_IN_FLIGHT || !this.circuit.mayBegin()) return;
      const wait = this.steady.left(upload.retryAt, LONGEST_WAIT_MS);
      if (wait > 0) {
        this.timer = clock.after(wait, () => this.pump());
        return;
      }
      this.inFlight.add(upload.seq);
      this.circuit.began();
      void this.attempt(upload).then((end) => this.conclude(upload, end));
    }
  }

  private async attempt(upload: UploadRecord): Promise<UploadEnd> {
    const { files, settings, home, backend } = this.options;
    try {
      const found = files.find(upload.message.guid, upload.attachmentGuid);
      if (found.kind === 'gone') return { kind: 'failed', why: 'chat.db no longer has it' };
      if (found.kind === 'unreadable') return { kind: 'later', why: 'chat.db cannot be read' };
      const { attachmentsPath, maxBytes } = settings();
      const arrived = await arrivedImage(found.file, { attachmentsPath, maxBytes, home });
      if (arrived.kind === 'refused') return { kind: 'failed', why: arrived.why };
      const waited = this.steady.waited(upload.queuedAt);
      const image =
        arrived.kind === 'image'
          ? arrived.image
          : uploadRetry.asItIs(arrived.partial, upload.attempts, waited);
      if (image === undefined) return { kind: 'missing', why: arrived.kind === 'waiting' ? arrived.why : '' };
      const readable = await this.readable(image);
      if ('fault' in readable) return kept(readable.fault);
      // Its sender may have changed or taken back the message while the file was read.
      const message = this.options.store.uploads.messageOf(upload);
      if (message === undefined) return { kind: 'failed', why: 'it is no longer wanted' };
      const result = await backend.uploadPhoto(this.photo({ ...upload, message }, readable));
      this.reportToCircuit(message.conversation, result);
      return ended(result);
    } catch (error) {
      const fault = exhaustion(systemCode(error));
      if (fault !== undefined) return kept(fault);
      return { kind: 'later', why: `it cannot be read (${faultCode(error)})` };
    }
  }

  private reportToCircuit(source: string, result: PhotoResult): void {
    if (result.kind !== 'retry') this.circuit.taken();
    else if (result.cause !== 'aborted') {
      this.circuit.failed({ source, isUnread: result.unread === true, retryAfterMs: result.retryAfterMs });
    }
  }

  /** The image in a form that others than Apple can read, or why this machine cannot make it now. */
  private async readable(image: Image): Promise<Image | { fault: MachineFault }> {
    if (!image.isHeic) return image;
    const { sips, env, workDirectory, clock, settings } = this.options;
    const { maxBytes } = settings();
    let jpeg: Buffer | undefined;
    try {
      jpeg = await jpegOfHeic(image.bytes, { sips, env, workDirectory, maxBytes, clock });
    } catch (error) {
      const fault = ownFileFault(error);
      if (fault === undefined) throw error;
      return { fault };
    }
    if (jpeg === undefined) return image;
    return {
      ...image,
      bytes: jpeg,
      name: image.name.replace(/\.[^.]*$/, '').concat('.jpg'),
      type: 'image/jpeg',
    };
  }

  private photo({ attachmentGuid, message }: UploadRecord, image: Image): Photo {
    const { backend, settings, store } = this.options;
    return {
      bytes: image.bytes,
      name: image.name,
      type: image.type,
      fields: {
        user_phone: settings().userPhone,
        edge_agent_id: backend.agentId(),
        attachment_guid: attachmentGuid,
        message_guid: message.guid,
        chat_guid: message.chatGuid,
        is_group: message.isGroup ? 'true' : 'false',
        caption: this.captionOf(message),
        participants: JSON.stringify(message.participants),
        context: JSON.stringify(store.contexts.get(message.conversation) ?? {}),
      },
    };
  }

  private captionOf({ guid, text }: UploadMessage): string {
    const { caption, store } = this.options;
    const stored = store.incoming.find(guid);
    const texts = stored?.text === text ? textsOf(stored) : [text];
    return seamsAsLineBreaks(caption(joinAtSeams(texts)));
  }

  private conclude(upload: UploadRecord, end: UploadEnd): void {
    const { store, clock } = this.options;
    if (!store.isOpen || (!this.running && end.kind !== 'done')) return;
    this.options.onMachine?.(end.kind === 'kept' ? end.fault : undefined);
    if (!store.tryWrite(() => this.settle(upload, end))) {
      clock.after(STORE_RETRY_MS, () => this.conclude(upload, end));
      return;
    }
    this.inFlight.delete(upload.seq);
    this.pump();
  }

  private settle(upload: UploadRecord, end: UploadEnd): void {
    const { store, log, random } = this.options;
    const attachment = upload.attachmentGuid;
    const trace = upload.message.guid;
    const ages = { ofFile: this.steady.waited(upload.queuedAt), inAll: this.steady.age(upload.queuedAt) };
    const next = uploadRetry.next(upload, end, ages, random);
    switch (next.kind) {
      case 'done':
        store.uploads.settle(upload, 'done');
        log.info('Uploaded an image', { trace, attachment });
        return;
      case 'retry':
        store.uploads.retryAt(upload, this.steady.now() + next.inMs, next.why);
        return;
      case 'failed':
        if (!store.uploads.settle(upload, 'failed', next.why)) return;
        store.events.add({
          eventType: 'upload_failed',
          threadId: upload.message.conversation,
          details: { attachment_guid: attachment, message_guid: upload.message.guid, error: next.why },
        });
        log.warn('An image could not be uploaded; giving up', { trace, attachment, cause: next.why });
    }
  }
}

function kept(fault: MachineFault): UploadEnd {
  return { kind: 'kept', why: fault.message, fault };
}

function ended(result: Awaited<ReturnType<PhotoPosting['uploadPhoto']>>): UploadEnd {
  switch (result.kind) {
    case 'done':
      return result;
    case 'rejected':
      return { kind: 'failed', why: `the backend refused it (${result.status})` };
    case 'retry':
      return result.retryAfterMs === undefined
        ? { kind: 'later', why: result.detail }
        : { kind: 'later', why: result.detail, afterMs: result.retryAfterMs };
  }
}
