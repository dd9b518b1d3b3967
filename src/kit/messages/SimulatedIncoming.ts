import { type AppleDatabase, appleDate, appleGuid, type Columns } from './AppleDatabase.js';
import type { ChatService, SimulatedChat } from './SimulatedChats.js';
import { ATTACHMENT_MARK, encodeAttributedBody } from './typedstreamEncoder.js';

/** The commits in which Messages writes a message that comes in, in its order (docs/facts.md#order-of-writes). */
export const STAGES = ['row', 'text', 'chat', 'attachments', 'transfers'] as const;
export type Stage = (typeof STAGES)[number];

interface SimulatedAttachment {
  guid?: string;
  name?: string;
  mimeType?: string | null;
  uti?: string | null;
  sizeBytes?: number;
  hidden?: boolean;
  /** The state that the transfer ends in; 5 is finished. */
  endState?: number;
  /** What a device wrote down of an audio message. */
  transcription?: string | null;
}

export interface NewIncoming {
  from: string;
  text?: string;
  /** Instead of `text`: texts as separate parts; U+FFFC is the position of the next file. */
  parts?: readonly string[];
  /** Null: it never belongs to one. Left out: the direct chat with the sender. */
  chat?: SimulatedChat | null;
  service?: ChatService;
  /** When it was sent, Unix ms. */
  date?: number;
  guid?: string;
  attachments?: readonly SimulatedAttachment[];
  /** Where the text is written; as the version does it, if left out. */
  textIn?: 'text' | 'attributedBody' | 'both';
  /** What `archivedBody` makes of it, where the time for that must not count. */
  archived?: Buffer;
  /** Further columns of the row. */
  columns?: Columns;
}

/** A message that comes in, written stage by stage. */
export class SimulatedIncoming {
  readonly guid: string;
  readonly attachments: readonly Required<SimulatedAttachment>[];
  private readonly date: bigint;
  private lastRowId = 0;
  private readonly done = new Set<Stage>();
  private readonly attachmentRows: number[] = [];

  constructor(
    private readonly database: AppleDatabase,
    private readonly message: NewIncoming,
    private readonly chat: SimulatedChat | null,
  ) {
    this.guid = message.guid ?? appleGuid();
    this.date = message.date === undefined ? database.now() : appleDate(message.date);
    this.attachments = (message.attachments ?? []).map((file, index) => ({
      guid: file.guid ?? `at_${index}_${this.guid}`,
      name: file.name ?? `IMG_${index}.jpeg`,
      mimeType: file.mimeType === undefined ? 'image/jpeg' : file.mimeType,
      uti: file.uti ?? null,
      sizeBytes: file.sizeBytes ?? 1024,
      hidden: file.hidden ?? false,
      endState: file.endState ?? 5,
      transcription: file.transcription ?? null,
    }));
  }

  /** Its ROWID as it is now, for a rebuild of chat.db gives out others; its last one if it was deleted, 0 before it is written. */
  get rowId(): number {
    this.lastRowId = this.database.rowIdOf(this.guid) ?? this.lastRowId;
    return this.lastRowId;
  }

  /** Writes one stage in a separate commit; the row first. A written stage is not changed. */
  write(stage: Stage): this {
    if (!this.done.has('row') && stage !== 'row') this.write('row');
    if (this.done.has(stage)) return this;
    this.done.add(stage);
    this.database.transaction(() => this.stage(stage));
    return this;
  }

  /** Writes all stages that are left. */
  complete(): this {
    for (const stage of STAGES) this.write(stage);
    return this;
  }

  /** Writes the stages that are left with a pause before each, in ms. */
  async arrive(pauseMs: number): Promise<this> {
    for (const stage of STAGES.filter((left) => !this.done.has(left))) {
      await new Promise((resolve) => {
        setTimeout(resolve, pauseMs);
      });
      this.write(stage);
    }
    return this;
  }

  private stage(stage: Stage): void {
    const { database } = this;
    switch (stage) {
      case 'row':
        this.insertRow();
        return;
      case 'text':
        if (wholeTextOf(this.message) !== '') database.update('message', this.rowId, this.textColumns());
        return;
      case 'chat':
        if (this.chat === null) return;
        database.insert('chat_message_join', {
          chat_id: this.chat.rowId,
          message_id: this.rowId,
          message_date: this.date,
        });
        return;
      case 'attachments':
        for (const file of this.attachments) this.insertAttachment(file);
        return;
      case 'transfers':
        this.attachments.forEach((file, index) => {
          database.update('attachment', this.attachmentRows[index] ?? 0, {
            transfer_state: file.endState,
            filename: `~/Library/Messages/Attachments/00/00/${file.guid}/${file.name}`,
          });
        });
    }
  }

  private insertRow(): void {
    const { database, message, chat } = this;
    const service = message.service ?? chat?.service ?? 'iMessage';
    this.lastRowId = database.insert('message', {
      guid: this.guid,
      handle_id: database.handle(message.from, service),
      service,
      account: 'E:operator@example.com',
      date: this.date,
      is_finished: 1,
      is_from_me: 0,
      part_count: Math.max(1, message.parts?.length ?? 1),
      destination_caller_id: 'operator@example.com',
      ...message.columns,
    });
  }

  private insertAttachment(file: Required<SimulatedAttachment>): void {
    const row = this.database.insert('attachment', {
      guid: file.guid,
      original_guid: file.guid,
      mime_type: file.mimeType,
      uti: file.uti,
      transfer_name: file.name,
      total_bytes: file.sizeBytes,
      hide_attachment: file.hidden ? 1 : 0,
      transfer_state: 0,
    });
    this.attachmentRows.push(row);
    this.database.insert('message_attachment_join', { message_id: this.rowId, attachment_id: row });
  }

  private textColumns(): Columns {
    const { version } = this.database;
    const where = this.message.textIn ?? (version >= 26 ? 'attributedBody' : 'both');
    const body = this.message.archived ?? archivedBody(this.message, this.attachments);
    return {
      ...(where === 'attributedBody' ? {} : { text: wholeTextOf(this.message) }),
      ...(where === 'text' ? {} : { attributedBody: body }),
    };
  }
}

/** What `attributedBody` of a message holds; its files need guids. */
export function archivedBody(
  message: NewIncoming,
  attachments: readonly SimulatedAttachment[] = message.attachments ?? [],
): Buffer {
  const files = attachments.filter((file) => file.hidden !== true);
  return encodeAttributedBody(message.parts ?? wholeTextOf(message), {
    transferGuids: files.flatMap(({ guid }) => guid ?? []),
    transcriptions: files.map(({ transcription }) => transcription ?? null),
  });
}

/** The text with a mark for each file before it, as Messages has it. */
function wholeTextOf({ text = '', parts, attachments = [] }: NewIncoming): string {
  if (parts !== undefined) return parts.join('');
  if (text.includes(ATTACHMENT_MARK)) return text;
  return ATTACHMENT_MARK.repeat(attachments.filter((file) => file.hidden !== true).length) + text;
}
