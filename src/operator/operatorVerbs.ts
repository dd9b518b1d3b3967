import type { Backend } from '../backend/Backend.js';
import type { Commands } from '../commands/Commands.js';
import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { type Answers, type OperatorApi, SELFTEST_WORDS, type SettingInForce } from '../model/operatorApi.js';
import type { StatusSnapshot } from '../model/status.js';
import type { Scheduler } from '../outgoing/Scheduler.js';
import type { Store } from '../store/Store.js';
import { commandVerbs } from './commandVerbs.js';
import { conversationVerbs } from './conversationVerbs.js';
import { type ConversationSource, namedConversation } from './namedConversation.js';
import type { Names } from './names.js';
import type { OperatorTexts } from './OperatorTexts.js';
import { pauseVerbs } from './pauseVerbs.js';
import { queueVerbs } from './queueVerbs.js';
import { runtime } from './runtime.js';
import { scheduleVerbs } from './scheduleVerbs.js';
import { sendVerb } from './sendVerb.js';
import { neededText } from './verbInput.js';

const SELFTEST_TEXT = new RegExp(`^${SELFTEST_WORDS} [0-9a-f]{8}$`);

/** What the daemon answers to over its private socket. */
export function operatorVerbs(components: {
  store: Store;
  /** The settings in force, and back to those of the file. */
  config: { settings(): SettingInForce[]; reset(): string[] };
  backend: Backend;
  commands: Commands;
  scheduler: Scheduler;
  snapshot: () => StatusSnapshot;
  conversationKey: (threadId: string) => string;
  chatDb: ConversationSource;
  names: Names;
  operatorTexts: OperatorTexts;
  log: Logger;
  isService: boolean;
  /** Queues a text to our own number; its id, undefined if the store takes no writes. */
  sendToSelf: (text: string) => string | undefined;
  /** Takes over secrets that have changed, also in the Keychain, which nothing watches. */
  readSecrets: () => void;
}): Answers<
  Omit<
    OperatorApi,
    'waiting' | 'monitor.rotate' | 'alerts.test' | 'automation' | 'marker' | 'timers' | 'accounts'
  >
> {
  const { store, config, backend, snapshot, names, log } = components;
  const meant = (written: string) =>
    namedConversation(written, components.conversationKey, components.chatDb);
  return {
    status: snapshot,
    runtime: () => runtime(components.isService),
    config: () => config.settings(),
    'config.reset-remote': () => store.write(() => config.reset()),
    'conversation.key': ({ conversation }) =>
      components.conversationKey(
        neededText(conversation, 'conversation', 'a number, an address or a group id'),
      ),
    kick: () => {
      components.readSecrets();
      backend.kick('requested by the operator');
      return null;
    },
    ...pauseVerbs(store, components.conversationKey, meant, log),
    ...conversationVerbs(components),
    ...queueVerbs(store, names),
    ...commandVerbs(store, names),
    ...scheduleVerbs(store, names, components.scheduler.cancel, log),
    ...sendVerb(store, names, components.commands, meant),
    'selftest.send': ({ text }) => {
      if (typeof text !== 'string' || !SELFTEST_TEXT.test(text)) {
        throw new EdgeError('invalid_payload', 'text: expected one of the selftest.');
      }
      const id = components.sendToSelf(text);
      if (id === undefined) {
        throw new EdgeError(
          'state_unwritable',
          'The store cannot be written now.',
          'Look at: edge-agent status',
        );
      }
      return { id };
    },
    'selftest.text': ({ id }) => {
      const send = store.sends.findById(neededText(id, 'id', 'one of a text of the selftest'));
      if (send === undefined) throw new EdgeError('invalid_payload', 'id: there is no such text.');
      return { state: send.state, attempts: send.tries, error_code: send.errorCode, error: send.error };
    },
  };
}
