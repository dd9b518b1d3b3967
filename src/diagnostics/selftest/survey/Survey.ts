import type { ChatRow } from '../../../messages/chatdb/chatRow.js';
import type { RowIdentity } from '../../../messages/chatdb/classify.js';
import type { Table } from '../../../messages/chatdb/schema.js';
import type { CheckDetail } from '../../../model/operatorApi.js';

/** What the body and the history of a row look like; of its words only what comparing them takes. */
export interface SurveyedBody {
  /** What a person reads, at most `MOST_CHARACTERS`: for comparing rows, never for output. */
  readonly words: string;
  /** `attributedBody` is there and could be read. */
  readonly isDecoded: boolean;
  /** The part numbers of its runs, each once. */
  readonly parts: readonly number[];
  /** Runs without a part number, in a body of several. */
  readonly unnumbered: number;
  /** Seams between two texts: with a place for a file between them, and without. */
  readonly markedSeams: number;
  readonly bareSeams: number;
  /** The files whose position has the part number of the text beside it, by guid; null: the body does not name it. */
  readonly inline: readonly (string | null)[];
  /** It has a name that Messages fills in, and one of a form that the agent does not know. */
  readonly hasMacro: boolean;
  readonly hasOtherMacro: boolean;
  /** It begins with such a name. */
  readonly isAppLine: boolean;
  readonly original: readonly number[];
  readonly retracted: readonly number[];
  /** Its history has versions. */
  readonly hasVersions: boolean;
  /** Whether the newest versions are the body; null: they do not cover all parts. */
  readonly historyFits: boolean | null;
  /** Nothing can be read, and no file has a place in it. */
  readonly isEmptied: boolean;
  /** The agent treats it as an unsent message. */
  readonly isTakenBack: boolean;
}

/** A row as the agent reads it, without the blobs, and what follows from it. */
export interface SurveyedRow {
  readonly row: ChatRow;
  readonly body: SurveyedBody;
  readonly identity: Omit<RowIdentity, 'text'>;
  /** The sender, canonical; null: this Mac, or not recorded. */
  readonly person: string | null;
}

export interface SurveyedChat {
  readonly rowId: number;
  readonly isGroup: boolean;
  /** Canonical. */
  readonly identifier: string;
  /** A number of more than six digits without a plus. */
  readonly isPlainNumber: boolean;
  readonly service: string | null;
  readonly accountId: string | null;
  /** `group_id` and `original_group_id`, where they are UUIDs. */
  readonly groupIds: readonly string[];
  /** What `chat_lookup` finds it by. */
  readonly lookups: readonly string[];
  /** Canonical, sorted. */
  readonly people: readonly string[];
}

export interface SurveyedFile {
  readonly guid: string;
  readonly mimeType: string | null;
  readonly statedMimeType: string | null;
  readonly transferState: number | null;
  readonly hasPath: boolean;
  readonly isHidden: boolean;
}

/** What was read of a chat.db to judge the assumptions about it. Rows in the order of ROWID. */
export interface Survey {
  /** Unix ms. */
  readonly now: number;
  readonly region: string;
  /** Our addresses by the configuration and by the accounts of the rows, canonical. */
  readonly own: ReadonlySet<string>;
  readonly rows: readonly SurveyedRow[];
  readonly chats: readonly SurveyedChat[];
  readonly files: readonly SurveyedFile[];
  /** `account_guid` of the rows. */
  readonly accountGuids: ReadonlySet<string>;
  /** Chats in which an own message was delivered, by ROWID. */
  readonly deliveredIn: ReadonlySet<number>;
  /** The highest ROWID that was given out, as SQLite keeps it (null: it does not), and the highest there is. */
  readonly issued: number | null;
  readonly highest: number;
  /** Deleted messages that are kept for a while; of these, those that are still in their chat. Null without the table. */
  readonly deleted: { readonly kept: number; readonly stillJoined: number } | null;
  /** Reading took too long: the older rows of the window are left out. */
  readonly isCut: boolean;
  readonly has: (table: Table, column: string) => boolean;
}

/** Rows for and against an assumption, and further counts for the report. */
export interface Seen {
  readonly agree: number;
  readonly contradict: number;
  readonly counts?: Readonly<Record<string, number>>;
}

/** Something that the code takes for granted about the rows of chat.db. Pure data and a pure judge. */
export interface Assumption {
  /** Named in docs/macos.md and in reports: never changed. */
  readonly id: string;
  readonly contradictedWhen: string;
  /** What the agent gets wrong on a Mac that contradicts it. A sentence. */
  readonly cost: string;
  /** Columns without which it cannot be judged. */
  readonly needs?: readonly (readonly [Table, string])[];
  /** The share of contradicting rows that is tolerated; then a single one never counts. */
  readonly tolerance?: number;
  readonly judge: (survey: Survey) => Seen;
}

/** Judges one assumption; `absent` if this Mac has no relevant row. Only counts: safe to share. Pure. */
export function judged(assumption: Assumption, survey: Survey): CheckDetail {
  const { id, needs = [], tolerance = 0, judge } = assumption;
  if (needs.some(([table, column]) => !survey.has(table, column)))
    return { id, result: 'absent', agree: 0, contradict: 0 };
  const seen = judge(survey);
  const { agree, contradict } = seen;
  const allowed = tolerance === 0 ? 0 : Math.max(1, Math.floor((agree + contradict) * tolerance));
  if (contradict > allowed) return { id, result: 'contradicted', ...seen };
  return { id, result: agree + contradict > 0 ? 'agrees' : 'absent', ...seen };
}

/** The relevant rows for and against; undefined rows are ignored. */
export function tally<T>(all: readonly T[], verdict: (one: T) => boolean | undefined): Seen {
  const verdicts = all.map(verdict);
  return {
    agree: verdicts.filter((one) => one === true).length,
    contradict: verdicts.filter((one) => one === false).length,
  };
}

/** How many of them are so. */
export function countOf<T>(all: readonly T[], isSo: (one: T) => boolean): number {
  return all.filter(isSo).length;
}

/** Rows that are messages: neither notices nor about another message. */
export function messagesOf({ rows }: Survey): readonly SurveyedRow[] {
  return rows.filter(({ row }) => (row.itemType ?? 0) === 0 && (row.associatedType ?? 0) === 0);
}

export function isIMessage({ service }: { service: string | null }): boolean {
  return service?.toLowerCase() === 'imessage';
}
