import { existsSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TargetForm } from '../../messages/applescript/scripts.js';
import { openDatabase } from '../../store/sqlite.js';
import { freshId } from '../../system/random.js';
import { ChatDbWriter, comeTo, type SentMessage } from './ChatDbWriter.js';
import { readSettings } from './installOsascript.js';
import type { FirstWriting, RowFate } from './osascriptBehaviour.js';
import type { SentStage, SimulatedSent } from './SimulatedSent.js';

/** The text, or the file, whose outgoing row is to be written. */
interface SentRow {
  readonly form: TargetForm;
  readonly text: string;
  /** An absolute path: this file was sent instead of the text. */
  readonly file?: string;
  readonly target: string;
  readonly first: FirstWriting;
}

/** What Messages does some time after osascript has ended. */
type Job = { readonly directory: string; readonly afterMs: number } & (
  | { readonly kind: 'write'; readonly row: SentRow }
  | { readonly kind: 'fail' | 'downgrade'; readonly rowId: number }
);

/** "Not Delivered": the recipient is not on iMessage. */
const NOT_ON_IMESSAGE = { error: 22, is_finished: 1, is_sent: 0 };
/** "Sent as Text Message", which Messages does on its own. */
const BY_SMS = { error: 0, is_finished: 1, is_sent: 1, was_downgraded: 1, service: 'SMS' };

/** Whether chat.db has a chat of this guid: what `chat id` finds, and nothing else. */
export function chatExists(chatDbPath: string, guid: string): boolean {
  if (!existsSync(chatDbPath)) return false;
  const database = openDatabase(chatDbPath, { readonly: true });
  try {
    return database.prepare('SELECT 1 FROM chat WHERE guid = ?').get(guid) !== undefined;
  } finally {
    database.close();
  }
}

/** As much of the caller of osascript as matters here. */
interface Writing {
  readonly ended: AbortSignal;
  later(directory: string, path: string): void;
}

/**
 * Writes the row of a sent text. Later changes are made by another process, because Messages is a separate process:
 * osascript can end or be killed without affecting it. Rejects when the caller ends meanwhile: the row then stays
 * unchanged.
 */
export async function writeSentRow(
  directory: string,
  writing: Writing,
  row: SentRow,
  fate: RowFate,
): Promise<void> {
  const { ended } = writing;
  if (fate.kind === 'none') return;
  if (fate.kind === 'late') {
    doLater(writing, { directory, kind: 'write', row, afterMs: fate.afterMs });
  } else if (fate.kind === 'failing') {
    const rowId = await withWriter(directory, async (to) => (await writeSent(to, row, 'sent', ended)).rowId);
    doLater(writing, { directory, kind: 'fail', rowId, afterMs: fate.afterMs });
  } else if (fate.kind === 'downgraded') {
    const rowId = await withWriter(
      directory,
      async (to) => (await writeSent(to, row, 'inserted', ended)).markFailed().rowId,
    );
    doLater(writing, { directory, kind: 'downgrade', rowId, afterMs: fate.afterMs });
  } else if (fate.kind === 'echoed') {
    await withWriter(directory, async (to) => {
      await writeSent(to, row, 'sent', ended);
      to.receive({ from: row.target.split(';').at(-1) ?? '', text: row.text });
    });
  } else if (fate.kind === 'ghost') {
    await withWriter(directory, async (to) => to.writeSent({ ...messageOf(row), ghost: true }));
  } else {
    const { kind } = fate;
    await withWriter(directory, (to) => writeSent(to, row, kind, ended));
  }
}

/** The row in its first state, and after a moment what it comes to. */
async function writeSent(
  writer: ChatDbWriter,
  row: SentRow,
  stage: SentStage,
  ended?: AbortSignal,
): Promise<SimulatedSent> {
  const { form, settlesAfterMs } = row.first;
  const sent = writer.writeSent({ ...messageOf(row), upTo: 'first', firstState: form });
  if (form !== 'none') await pause(settlesAfterMs, undefined, { signal: ended });
  return stage === 'first' ? sent : comeTo(sent.settle(), stage);
}

/** Does the job in the file `path`, once, when it is time. */
export async function doJob(path: string): Promise<void> {
  const job = JSON.parse(readFileSync(path, 'utf8')) as Job;
  unlinkSync(path);
  await pause(job.afterMs);
  await withWriter(job.directory, async (writer) => {
    if (job.kind === 'write') await writeSent(writer, job.row, 'sent');
    else writer.updateMessage(job.rowId, job.kind === 'fail' ? NOT_ON_IMESSAGE : BY_SMS);
  });
}

function doLater(writing: Writing, job: Job): void {
  const jobs = join(job.directory, 'later');
  mkdirSync(jobs, { recursive: true });
  const path = join(jobs, `${freshId('job')}.json`);
  writeFileSync(path, JSON.stringify(job));
  writing.later(job.directory, path);
}

function messageOf({ form, text, target, file }: SentRow): Omit<SentMessage, 'upTo'> {
  const content = file === undefined ? { text } : { text, file };
  if (form === 'chat') return { ...content, chat: target };
  return { ...content, handle: target, service: form === 'sms' ? 'SMS' : 'iMessage' };
}

/** What is made of a row reads chat.db until the writer is closed: `work` must take from it what is needed later. */
async function withWriter<T>(directory: string, work: (writer: ChatDbWriter) => Promise<T>): Promise<T> {
  const { chatDbPath, version, clockOffsetMs = 0 } = readSettings(directory);
  const writer = new ChatDbWriter(chatDbPath, { version });
  writer.setClock(clockOffsetMs);
  try {
    return await work(writer);
  } finally {
    writer.close();
  }
}
