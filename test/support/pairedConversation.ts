import { requestVerdict } from '../../src/commands/handlers/sendMessage.js';
import type { AttemptResult } from '../../src/model/sending.js';
import type { SendOutcome } from '../../src/outgoing/OutcomeRecorder.js';
import type { OutgoingSettings } from '../../src/outgoing/Outgoing.js';
import { FakeClock } from './FakeClock.js';
import { FakeMessages } from './FakeMessages.js';
import { outgoingOn } from './outgoingOn.js';
import { temporaryStore } from './temporaryStore.js';

export const ANN = '+13105551234';

/** A conversation with Ann in which messages are posted, reflexes arrive and replies come back. */
export async function pairedConversation(options: Partial<OutgoingSettings> = {}) {
  const clock = new FakeClock();
  const store = temporaryStore(clock);
  const messages = new FakeMessages();
  const outcomes: Record<string, string> = {};
  const failures: Record<string, SendOutcome> = {};
  const acks: Record<string, Record<string, unknown>[]> = {};
  const answered = new Set<string>();
  store.lineage.onAnswer((message) => {
    if (message !== undefined) answered.add(message.guid);
  });
  const open = async () => {
    const outgoing = outgoingOn(store, messages, clock, options);
    outgoing.onOutcome((send, outcome) => {
      outcomes[send.id] = outcome.kind;
      if (outcome.kind === 'failed') failures[send.id] = outcome;
    });
    outgoing.onEnded(({ commandId, parts }) => {
      const verdict = requestVerdict(parts);
      if (commandId !== null) acks[commandId] = [...(acks[commandId] ?? []), { ...verdict.result }];
    });
    await outgoing.start();
    return outgoing;
  };
  let outgoing = await open();
  let ended = 0;
  const seqs = new Map<string, number>();
  const text = { conversation: ANN, threadId: ANN, priority: 2, pauseMs: 0 };
  return {
    clock,
    messages,
    store,
    outcomes,
    failures,
    /** The messages of which it is recorded that they were begun to be answered. */
    answered,
    /** The results of the acks of each reflex, by its id. */
    acks,
    restart: async () => {
      await outgoing.drain();
      outgoing.stop();
      outgoing = await open();
    },
    post(guid: string) {
      const message = {
        guid,
        rowId: 1,
        conversation: ANN,
        threadId: ANN,
        chatGuid: `iMessage;-;${ANN}`,
        sender: ANN,
        text: 'hi',
        sentAt: clock.now(),
        isGroup: false,
        participants: [ANN],
        service: 'iMessage',
        replyToGuid: null,
        attachments: [],
      };
      store.write(() => {
        if (store.incoming.add(message)) seqs.set(guid, store.incoming.open(ANN, 100).at(-1)?.seq ?? 0);
        store.incoming.postStarted(seqs.get(guid) ?? 0, store.sends.newest());
      });
    },
    /** The post on its way cannot have been read, as none before it. */
    unread(guid: string) {
      const failure = { retryAt: 0, strikes: 0, firstStrikeAt: null, isUnread: true, error: 'ECONNREFUSED' };
      store.write(() => store.incoming.postFailed(seqs.get(guid) ?? 0, failure));
    },
    reflex(id: string, words: string, inReplyTo?: string, conversation = ANN) {
      const answers = inReplyTo === undefined ? {} : { answers: inReplyTo };
      store.write(() =>
        outgoing.enqueue({
          ...text,
          ...answers,
          ...{ id, conversation, text: words, role: 'reflex', commandId: id },
        }),
      );
    },
    reply(guid: string, ...bubbles: string[]) {
      store.write(() => {
        store.incoming.settle(seqs.get(guid) ?? 0, 'answered');
        bubbles.forEach((words, index) => {
          const role = index === 0 ? 'first' : 'bubble';
          outgoing.enqueue({ ...text, id: `${guid}:${index}`, text: words, role, answers: guid });
        });
      });
    },
    /** The row of this guid is judged: it is a copy of that message, under whose guid the backend may name it. */
    copied(guid: string, original: string) {
      const row = { conversation: ANN, key: null, words: '', files: '', changed: false, seenAt: clock.now() };
      store.write(() => store.cursor.seen.add({ ...row, guid, original }));
    },
    /** Ends the attempt on its way, if there is one that has not ended. */
    async endOne(result: AttemptResult | 'sent') {
      if (messages.started.length === ended) return;
      ended = messages.started.length;
      if (result === 'sent') await messages.succeed();
      else await messages.end(result);
    },
    /** Ends the attempt on its way: Messages has a row of it, with this error. */
    async endByRow(error: number) {
      ended = messages.started.length;
      await messages.succeed(ANN, error);
    },
    /** chat.db changed. */
    look: () => outgoing.chatChanged(),
    /** Lets everything that can go out go out. */
    async flow() {
      while (messages.started.length > ended) {
        ended = messages.started.length;
        await messages.succeed();
      }
    },
  };
}
