import { basename } from 'node:path';
import type { ErrorCode } from '../errors.js';
import type { Store } from '../store/Store.js';
import type { SendRecord } from '../store/sendRecord.js';
import type { SendTable } from '../store/sends.js';
import type { SendOutcome } from './outcome.js';

/** How one part of a request ended; `file` is the name of its file, null for a text. */
export interface PartEnd {
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

/** What the ledger says of a send's end; undefined while it has none. One that failed with its twin has its twin's row. */
export function outcomeOf(send: SendRecord, sends: SendTable): SendOutcome | undefined {
  const { guid, service } = send;
  const rowGuid = guid ?? (send.twin === null ? null : (sends.get(send.twin)?.guid ?? null));
  const row = rowGuid === null ? {} : { guid: rowGuid };
  const message = send.error ?? '';
  switch (send.state) {
    case 'sent':
      return { kind: 'sent', confirmed: guid !== null, guid, service, late: false };
    case 'failed':
      return { kind: 'failed', errorCode: (send.errorCode ?? 'internal') as ErrorCode, message, ...row };
    case 'unknown':
      return { kind: 'unknown', message };
    case 'deduplicated':
      return { kind: 'deduplicated' };
    default:
      return undefined;
  }
}
