import type { Config } from '../config/schema.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import type { IncomingMessage } from '../model/incoming.js';
import type { Store } from '../store/Store.js';
import type { Clock } from '../system/clock.js';
import { ChatEvents, givenUpEvent, type OperatorReply, pausedEvent } from './ChatEvents.js';
import { ForwardPolicy } from './ForwardPolicy.js';
import type { LoopPattern } from './LoopBreaker.js';
import { LoopBreaker } from './LoopBreaker.js';
import { MessageUpdates } from './MessageUpdates.js';
import { OperatorReplies, type OwnAccountRow, type UnprovenWords } from './OperatorReplies.js';

interface ForwardingOptions {
  store: Store;
  clock: Clock;
  log: Logger;
  config: () => Config;
  conversationKey: (written: string) => string;
  /** A text as Messages compares it. */
  normalise: (text: string) => string;
  /** What the backend may read of a text that a person wrote. */
  disclose: (text: string) => string;
  /** Inside a write: files joined a message after it was stored; its attachments are these alone. */
  onFiles: (message: IncomingMessage) => void;
  /** Inside a write: a message that was taken in turned out to have gone out from this account. */
  onReversed?: (message: IncomingMessage) => void;
}

/** What the log says of each pattern. Operators search for the first one: its wording is kept. */
const LOOP_LINE: Record<LoopPattern, string> = {
  repeat: 'The same exchange keeps repeating; conversation paused',
  speed: 'Answered faster than a person writes: the conversation is paused',
  even: 'Answered as evenly as no person writes: the conversation is paused',
  endless: 'An exchange without a pause that a person would make: the conversation is paused',
};

/** What the backend learns of chat.db beside messages, and what is kept from it: `rows` is for what reads chat.db. */
export type Forwarding = ReturnType<typeof forwarding>;

export function forwarding(options: ForwardingOptions) {
  const { store, clock, log, config, conversationKey, normalise, disclose, onFiles } = options;
  const onReversed = (message: IncomingMessage) => {
    log.warn('A stored message was sent from this account; it is withdrawn', {
      trace: message.guid,
    });
    options.onReversed?.(message);
  };
  const policy = new ForwardPolicy(() => {
    const { allow, ignore, unknown_senders, one_time_codes } = config().forward;
    return { allow, ignore, unknownSenders: unknown_senders, oneTimeCodes: one_time_codes };
  }, conversationKey);
  store.onRekeyed(() => policy.forgetNames());
  store.onRollback(() => policy.forgetNames());
  const operators = new OperatorReplies({ store, clock, normalise });
  const replyListeners: ((reply: OperatorReply) => void)[] = [];
  const happenings = new ChatEvents({
    store,
    disclose,
    pauseOnOperatorReply: () => config().outgoing.pause_on_operator_reply,
    onOperatorReply: (reply) => {
      for (const listener of replyListeners) listener(reply);
    },
  });
  const loops = new LoopBreaker({
    store,
    clock,
    isOn: () => config().outgoing.pause_on_loop,
    normalise,
    onLoop(conversation, { pattern, exchanges }) {
      if (!store.pauses.set(conversation, 'loop')) return;
      store.events.add(pausedEvent(conversation, { reason: 'loop', pattern, exchanges }));
      store.afterCommit(() =>
        log.error(LOOP_LINE[pattern], { conversation: maskHandle(conversation), pattern, exchanges }),
      );
    },
  });
  const changes = new MessageUpdates({
    store,
    happenings,
    clock,
    onFiles,
    onReversed,
    settings: () => config().forward,
  });
  store.incoming.onInsert((message) => loops.received(message));
  // An operator looked at it: what was before counts no longer.
  store.pauses.onLifted((conversation) => loops.reset(conversation));
  return {
    rows: {
      rules() {
        const { reactions, group_events, unknown_senders, filtered } = config().forward;
        return {
          reactions,
          groupEvents: group_events,
          filtered,
          asksAcquaintance: !unknown_senders,
          refusal: policy.refusal.bind(policy),
          ownRow: (row: OwnAccountRow) => operators.authorOf(row),
          mayBeOurs: operators.mayBeOurs.bind(operators),
          isOurText: operators.isOurText.bind(operators),
          unprovenText: (said: UnprovenWords) => operators.unprovenText(said),
        };
      },
      tell: happenings.tell.bind(happenings),
      wasEdited: happenings.wasEdited.bind(happenings),
      joinLink: changes.joinLink.bind(changes),
    },
    changes,
    loops,
    /** Inside a write: a stored message is not posted any more, because of its age or because it was set aside. */
    givenUp(message: IncomingMessage, reason: 'expired' | 'set_aside'): void {
      if (config().forward.filtered) {
        store.events.add(givenUpEvent(message, reason, store.incoming.sequenceOf(message.guid)));
      }
    },
    /** Inside a write: a person answered from another device. */
    onOperatorReply: (listener: (reply: OperatorReply) => void) => void replyListeners.push(listener),
  };
}
