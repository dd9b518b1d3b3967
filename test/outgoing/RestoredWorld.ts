import { BackendTime } from '../../src/backend/BackendTime.js';
import type { SentRow, TextRequest } from '../../src/model/sending.js';
import type { LedgerGap } from '../../src/store/ledgerGap.js';
import { FakeClock } from '../support/FakeClock.js';
import { FakeMessages } from '../support/FakeMessages.js';
import { ledgerGap } from '../support/ledgerGap.js';
import { outgoingOn } from '../support/outgoingOn.js';
import { queuedText } from '../support/queuedText.js';
import { temporaryStore } from '../support/temporaryStore.js';

export const PERSON = '+13105551234';
export const BEGAN_AT = Date.UTC(2026, 10, 29);

export function row(rowId: number, text: string, sentAt: number): SentRow {
  return {
    ...{ rowId, guid: `row-${rowId}`, conversation: PERSON, text, service: 'iMessage', error: 0, sentAt },
    ...{ isSent: true, isDelivered: false, isRead: false, wasDowngraded: false, ghostOf: null },
  };
}

/** A Mac whose store was restored, and a backend that offers commands again. */
export class RestoredWorld {
  readonly clock = new FakeClock(BEGAN_AT);
  readonly messages = new FakeMessages();
  readonly store = temporaryStore(this.clock);
  readonly backendTime = new BackendTime(this.clock);
  readonly outgoing = outgoingOn(
    this.store,
    this.messages,
    this.clock,
    {},
    {
      ownTime: (time) => this.clock.now() - this.backendTime.mostAgeOf(time),
    },
  );
  private offered = 0;

  constructor() {
    this.store.lineage.useBackendTime(() => this.backendTime.skew());
  }

  /** It is this time (Unix ms). */
  at(now: number): void {
    this.clock.advance(now - this.clock.now());
  }

  /** Its row in chat.db is dated then; whether the ledger knows it. */
  wasSent(words: string, datedAt: number, isKnown: boolean): void {
    const sent = row(this.messages.rows.length + 1, words, datedAt);
    this.messages.rows.push(sent);
    if (isKnown) this.claim(sent);
  }

  /** The time by no clock that is ever set, which is that of the backend (Unix ms). */
  get trueTime(): number {
    return BEGAN_AT + this.clock.monotonic();
  }

  /** Two answers of the backend agree on its time. */
  learnTime(): void {
    for (let nth = 0; nth < 2; nth++) this.backendTime.note({ date: new Date(this.trueTime).toUTCString() });
  }

  /** The restored store, from the row on that it read last. */
  restore(afterRow: number, until: number, more: Partial<LedgerGap> = {}): void {
    const { messages, store } = this;
    const gap = ledgerGap({
      ...{
        generation: 'g',
        afterRow,
        untilRow: messages.position()?.rowId ?? null,
        movedAt: messages.movedAt,
      },
      ...{ from: BEGAN_AT - 1, until, foundAt: 0, activeUntil: until, copiedAt: BEGAN_AT - 1 },
      ...{ knownSends: store.sends.newest(), ...more },
    });
    this.store.write(() => this.store.lineage.record({ id: 'store_1', file: '1:1', counter: 7 }, gap));
  }

  offer(words: string, madeAt: number | null, more: Partial<TextRequest> = {}): string {
    this.offered += 1;
    const commandId = `cmd_${this.offered}`;
    const body = JSON.stringify({ payload: {}, priority: 'normal', timestamp: madeAt });
    this.store.write(() => {
      this.store.commands.add({
        commandId,
        commandType: 'send_message_now',
        body,
        bodyHash: '',
        via: 'http',
      });
      this.outgoing.enqueue({
        ...{ id: `command:${commandId}`, commandId, conversation: PERSON, threadId: PERSON, text: words },
        ...{ role: 'message', priority: 2, pauseMs: 0 },
        ...more,
      });
    });
    return commandId;
  }

  /** A text that was scheduled for then (Unix ms of this Mac), and is due. */
  schedule(id: string, text: string, sendAt: number): void {
    const of = { conversation: PERSON, threadId: PERSON, text };
    this.store.write(() =>
      this.store.schedule.add({ ...of, scheduleId: id, commandId: `cmd_${id}`, sendAt, priority: 2 }),
    );
    this.offer(text, null, { id, scheduleId: id });
  }

  /** Sends everything that is sent. */
  async run(): Promise<void> {
    await this.outgoing.start();
    for (let ended = 0; ended < this.messages.started.length; ended++) await this.messages.succeed(PERSON);
  }

  close(): void {
    this.outgoing.stop();
    this.store.close();
  }

  private claim({ guid, text }: SentRow): void {
    this.store.write(() => {
      const known = this.store.sends.add(queuedText({ id: `known:${guid}`, conversation: PERSON, text }));
      if (known !== undefined) this.store.sends.settle(known.seq, { state: 'sent', guid });
    });
  }
}
