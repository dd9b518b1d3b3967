import type { MessageSender, SentRows } from '../../src/model/sending.js';
import { Outgoing, type OutgoingSettings } from '../../src/outgoing/Outgoing.js';
import type { Store } from '../../src/store/Store.js';
import type { Clock } from '../../src/system/clock.js';
import { RecordingLog } from './RecordingLog.js';

/** An Outgoing on a store, whose texts go to `messages` and are proven there; it is not started. */
export function outgoingOn(
  store: Store,
  messages: MessageSender & SentRows,
  clock: Clock,
  settings: Partial<OutgoingSettings> = {},
  more: Partial<ConstructorParameters<typeof Outgoing>[0]> = {},
): Outgoing {
  return new Outgoing({
    store,
    sender: messages,
    rows: messages,
    clock,
    log: new RecordingLog(),
    settings: () => ({ maxTextLength: 1000, resendUnknown: false, ...settings }),
    ...more,
  });
}
