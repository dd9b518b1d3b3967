import { basename } from 'node:path';
import type { ErrorCode } from '../model/errorCodes.js';
import type { SendRecord } from '../model/sending.js';
import type { Store } from '../store/Store.js';
import type { SendTable } from '../store/sends.js';
import { isDuplicate } from './DuplicatePairing.js';
import type { DuplicateOf, SendOutcome } from './outcome.js';

/** How one part of a request ended; `file` is the name of its file, null for a text. */
interface PartEnd {
  file: string | null;
  outcome: SendOutcome;
}

/** All parts of a request have ended; told again when one of them is corrected. In the order in which they were sent. */
export interface RequestEnd {
  commandId: string | null;
  scheduleId: string | null;
  parts: readonly PartEnd[];
}

/** Told inside the write that ends the last part, so that what follows is stored with it. */
export type RequestListener = (end: RequestEnd) => void;

/** The end of the request that a send is a part of, now that it ended so; undefined while another part has not ended. */
export function requestEnd(send: SendRecord, outcome: SendOutcome, store: Store): RequestEnd | undefined {
  const { commandId, scheduleId, partOf } = send;
  if (partOf === null) return { commandId, scheduleId, parts: [partEnd(send, outcome)] };
  const parts: PartEnd[] = [];
  for (const part of store.sendParts.of(partOf)) {
    const end = part.seq === send.seq ? outcome : outcomeOf(part, store.sends);
    if (end === undefined) return undefined;
    parts.push(partEnd(part, end));
  }
  return { commandId, scheduleId, parts };
}

function partEnd(send: SendRecord, outcome: SendOutcome): PartEnd {
  return { file: send.file === null ? null : basename(send.file), outcome };
}

/** What the ledger says of a send's end; undefined while it has none. A duplicate has the end of the text that goes out. */
export function outcomeOf(send: SendRecord, sends: SendTable): SendOutcome | undefined {
  const { guid, service } = send;
  const root = isDuplicate(send) && send.twin !== null ? sends.get(send.twin) : undefined;
  const rowGuid = root?.guid ?? guid;
  const row = rowGuid === null ? {} : { guid: rowGuid };
  const duplicate = root === undefined ? {} : { duplicateOf: duplicateOf(root, root.guid) };
  const message = send.error ?? '';
  switch (send.state) {
    case 'sent':
      return { kind: 'sent', confirmed: guid !== null, guid, service, late: false };
    case 'failed': {
      const errorCode = (send.errorCode ?? 'internal') as ErrorCode;
      return { kind: 'failed', errorCode, message, ...row, ...duplicate };
    }
    case 'unknown':
      return { kind: 'unknown', message, ...duplicate };
    case 'deduplicated':
      return { kind: 'deduplicated', ...duplicate };
    default:
      return undefined;
  }
}

/** How the duplicates of a text end that ended so, and that may have gone out. */
export function endOfDuplicate(
  root: SendRecord,
  outcome: SendOutcome,
): Extract<SendOutcome, { kind: 'deduplicated' | 'failed' | 'unknown' }> {
  switch (outcome.kind) {
    case 'sent': {
      const late = outcome.late ? { late: true } : {};
      return { kind: 'deduplicated', duplicateOf: duplicateOf(root, outcome.guid), ...late };
    }
    case 'failed':
      return { ...outcome, duplicateOf: duplicateOf(root, outcome.guid ?? null) };
    case 'unknown':
      return { ...outcome, duplicateOf: duplicateOf(root, null) };
    case 'deduplicated':
      return outcome;
  }
}

function duplicateOf({ commandId, answers }: SendRecord, guid: string | null): DuplicateOf {
  return { commandId, answers, guid };
}
