import type { NewSend, SendRecord } from '../model/sending.js';

/** The values of the insert, in its order. By position: binding so many by name takes half as long again. */
export function columnsOf(send: NewSend, seq: number, createdAt: number): unknown[] {
  return [
    ...[
      seq,
      seq,
      send.id,
      send.conversation,
      send.threadId,
      send.text,
      send.role,
      send.priority,
      send.pauseMs,
    ],
    ...[
      send.commandId,
      send.scheduleId,
      send.answers,
      send.assumed ?? null,
      send.twinKey,
      send.twin,
      send.state,
    ],
    ...[send.errorCode, send.error, createdAt, send.chatGuid ?? null],
  ];
}

/** The values that come after those for a part or a file: what a whole text leaves at its defaults. */
export function partColumnsOf(send: NewSend): unknown[] {
  return [send.partOf ?? null, send.part ?? 0, send.file ?? null, send.source ?? null, stagedAtOnce(send)];
}

function stagedAtOnce(send: NewSend): number {
  return (send.file ?? null) !== null && (send.source ?? null) === null ? 1 : 0;
}

/** The record that the insert has stored. Field by field: V8 takes 40 µs for a spread that so many fields follow, and under 1 µs for this. */
export function freshRecord(send: NewSend, seq: number, createdAt: number): SendRecord {
  return {
    id: send.id,
    conversation: send.conversation,
    threadId: send.threadId,
    text: send.text,
    role: send.role,
    priority: send.priority,
    pauseMs: send.pauseMs,
    commandId: send.commandId,
    scheduleId: send.scheduleId,
    answers: send.answers,
    assumed: send.assumed ?? null,
    twinKey: send.twinKey,
    twin: send.twin,
    state: send.state,
    errorCode: send.errorCode,
    error: send.error,
    seq,
    place: seq,
    createdAt,
    notBefore: 0,
    attempts: 0,
    resends: 0,
    form: 0,
    tag: null,
    generation: null,
    afterRow: null,
    attemptedAt: null,
    endedAt: null,
    watchUntil: null,
    guid: null,
    service: null,
    told: 0,
    lifeUntil: null,
    partOf: send.partOf ?? null,
    part: send.part ?? 0,
    file: send.file ?? null,
    source: send.source ?? null,
    staged: stagedAtOnce(send),
    settledAt: null,
    chatGuid: send.chatGuid ?? null,
  };
}
