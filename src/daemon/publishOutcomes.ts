import { basename } from 'node:path';
import type { Config } from '../config/schema.js';
import type { CountedSend } from '../incoming/LoopBreaker.js';
import type { Logger } from '../logging/Logger.js';
import type { SendRecord } from '../model/sending.js';
import type { Activity } from '../operator/statusSnapshot.js';
import type { Outgoing } from '../outgoing/Outgoing.js';
import type { Store } from '../store/Store.js';
import { sendTrace } from '../store/sendRecord.js';
import type { Clock } from '../system/clock.js';
import type { Attachments } from './composeAttachments.js';
import type { forwarding } from './composeIncoming.js';
import { isOwnText } from './ownTexts.js';
import { deliveryEvent, isToldOfLife, outcomeEvent } from './sendEvents.js';

interface OutcomeSubscribers {
  outgoing: Outgoing;
  attachments: Attachments;
  told: ReturnType<typeof forwarding>;
  store: Store;
  activity: Activity;
  config: () => Config;
  clock: Clock;
  log: Logger;
}

/** Whatever becomes of a text is told, in the write that stores it, to all whom it concerns: backend, log, status and loop breaker. */
export function publishOutcomes(audience: OutcomeSubscribers): void {
  const { outgoing, attachments, told, store, activity, config, clock, log } = audience;
  outgoing.onOutcome((send, outcome) => {
    if (send.file !== null) store.afterCommit(() => attachments.staged.look());
    if (isOwnText(send)) return;
    if (outcome.kind === 'sent' || outcome.kind === 'unknown') {
      told.loops.sent(counted(send));
    }
    const event = outcomeEvent(send, outcome);
    if (event !== undefined) store.events.add(event);
    if (outcome.kind === 'sent') {
      activity.sentAt = clock.now();
      store.afterCommit(() => log.info('A text was sent', sendTrace(send)));
    }
    if (outcome.kind === 'failed' || outcome.kind === 'unknown') {
      activity.error = outcome.message;
      activity.errorAt = clock.now();
    }
  });
  outgoing.onStarted((send) => {
    if (!isOwnText(send)) told.loops.started(counted(send));
  });
  outgoing.onDelivery((send, life) => {
    if (isOwnText(send) || !isToldOfLife(send, life, config().forward.delivery)) return;
    store.events.add(deliveryEvent(send, life));
  });
}

function counted({ seq, conversation, text, file, answers }: SendRecord): CountedSend {
  return { seq, conversation, answers, text: file === null ? text : basename(file) };
}
