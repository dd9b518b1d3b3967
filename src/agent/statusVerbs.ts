import type { Backend } from '../backend/Backend.js';
import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { maskHandle } from '../logging/mask.js';
import { runtime } from '../status/runtime.js';
import type { StatusVerb } from '../status/StatusServer.js';
import type { StatusSnapshot } from '../status/snapshot.js';
import type { Store } from '../store/Store.js';
import type { LiveConfig } from './LiveConfig.js';
import { pauseVerbs } from './pauseVerbs.js';

/** A parked message as the operator sees it; the handle is masked. Times are ISO 8601. */
export interface QueueEntry {
  guid: string;
  conversation: string;
  sent_at: string;
  parked_at: string;
  attempts: number;
  error: string | null;
}

const MOST_ENTRIES = 1000;
const SELFTEST_TEXT = /^edge-agent selftest [0-9a-f]{8}$/;

/** What the daemon answers to over its private socket. */
export function statusVerbs(rooms: {
  store: Store;
  config: LiveConfig;
  backend: Backend;
  snapshot: () => StatusSnapshot;
  conversationKey: (threadId: string) => string;
  log: Logger;
  /** Queues a text to our own number; false if the store takes no writes. */
  sendToSelf: (text: string) => boolean;
}): Readonly<Record<string, StatusVerb>> {
  const { store, config, backend, snapshot } = rooms;
  const forParked = (guid: unknown, act: (guid: string) => boolean): string[] => {
    const guids =
      guid === 'all' ? store.incoming.parked(MOST_ENTRIES).map((message) => message.guid) : [guid];
    return store.write(() => guids.map(String).filter(act));
  };
  return {
    status: snapshot,
    runtime,
    config: () => config.settings(),
    'config.reset-remote': () => store.write(() => config.reset()),
    kick: () => backend.kick('the operator asked for it'),
    ...pauseVerbs(store, rooms.conversationKey, rooms.log),
    'selftest.send': ({ text }) => {
      if (typeof text !== 'string' || !SELFTEST_TEXT.test(text)) {
        throw new EdgeError('invalid_payload', 'text: expected one of the selftest.');
      }
      if (!rooms.sendToSelf(text)) {
        throw new EdgeError(
          'state_unwritable',
          'The store takes no writes now.',
          'Look at: edge-agent status',
        );
      }
      return true;
    },
    'queue.list': () =>
      store.incoming.parked(MOST_ENTRIES).map(
        (message): QueueEntry => ({
          guid: message.guid,
          conversation: maskHandle(message.conversation),
          sent_at: new Date(message.sentAt).toISOString(),
          parked_at: new Date(message.parkedAt).toISOString(),
          attempts: message.attempts,
          error: message.error,
        }),
      ),
    'queue.retry': ({ guid }) => forParked(guid, (parked) => store.incoming.unpark(parked)),
    'queue.drop': ({ guid }) => forParked(guid, (parked) => store.incoming.drop(parked)),
  };
}
