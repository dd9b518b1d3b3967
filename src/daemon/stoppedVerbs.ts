import { homedir } from 'node:os';
import { Acks } from '../commands/Commands.js';
import type { Config } from '../config/schema.js';
import { EdgeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import { ChatDb } from '../messages/chatdb/ChatDb.js';
import { ConversationNames } from '../messages/chatdb/ConversationNames.js';
import { regionOf } from '../messages/conversationId.js';
import type { Answers, OperatorApi } from '../model/operatorApi.js';
import { commandVerbs } from '../operator/commandVerbs.js';
import { conversationVerbs } from '../operator/conversationVerbs.js';
import { namedConversation } from '../operator/namedConversation.js';
import { type Names, namesOn } from '../operator/names.js';
import { queueVerbs } from '../operator/queueVerbs.js';
import { stoppedPauseVerbs } from '../operator/resumeAtStart.js';
import { scheduleVerbs } from '../operator/scheduleVerbs.js';
import { wordsKey } from '../outgoing/DuplicatePairing.js';
import { cancelScheduled } from '../outgoing/Scheduler.js';
import type { Store } from '../store/Store.js';
import { visitStore } from '../store/visitStore.js';
import { type Clock, systemClock } from '../system/clock.js';
import { scheduleSettings } from './componentSettings.js';
import { makeStateDirectory } from './stateDirectory.js';

/** What an operator can do while no agent runs. */
export type StoppedVerb =
  | 'conversations'
  | 'conversations.show'
  | 'pause'
  | 'resume'
  | 'queue.list'
  | 'queue.retry'
  | 'queue.drop'
  | 'schedule.list'
  | 'schedule.cancel'
  | 'commands.list'
  | 'commands.show';

interface StoppedAgent {
  directory: string;
  /** The configuration that the next start would have. What does not depend on it is done even where this throws. */
  config: () => Config;
  /** Called with findings about the store. */
  log: Logger;
  /** The caller holds the lock of the agent. */
  isLockHeld?: boolean;
}

/**
 * The verbs for an agent that is not running, with the same code, on its store and under its lock: texts that are
 * paused or cancelled here are not sent at the next start, which also reports to the backend what the running agent
 * would have reported. Each throws EdgeError `not_running` if there is no store yet; only `pause` creates one.
 */
export function stoppedVerbs(agent: StoppedAgent): Answers<Pick<OperatorApi, StoppedVerb>> {
  const on =
    <Args, Result>(pick: (verbs: ReturnType<typeof verbsOn>) => (args: Args) => Result, makes = false) =>
    (args: Args): Result => {
      if (makes) makeStateDirectory(agent.directory);
      const done = visitStore({ ...agent, makes }, (store) => {
        const chat = chatOf(store, agent);
        try {
          return { result: pick(verbsOn(store, chat, agent))(args) };
        } finally {
          chat.close();
        }
      });
      if (done !== undefined) return done.result;
      throw new EdgeError(
        'not_running',
        `No edge-agent has run on ${agent.directory} yet.`,
        'See why: edge-agent status',
      );
    };
  return {
    pause: on((verbs) => verbs.pause, true),
    resume: on((verbs) => verbs.resume),
    conversations: on((verbs) => verbs.conversations),
    'conversations.show': on((verbs) => verbs['conversations.show']),
    'queue.list': on((verbs) => verbs['queue.list']),
    'queue.retry': on((verbs) => verbs['queue.retry']),
    'queue.drop': on((verbs) => verbs['queue.drop']),
    'schedule.list': on((verbs) => verbs['schedule.list']),
    'schedule.cancel': on((verbs) => verbs['schedule.cancel']),
    'commands.list': on((verbs) => verbs['commands.list']),
    'commands.show': on((verbs) => verbs['commands.show']),
  };
}

const silence = () => undefined;
const SILENT: Logger = { debug: silence, info: silence, warn: silence, error: silence };

function verbsOn(store: Store, { keyOf, meant, names }: Chat, { config }: StoppedAgent) {
  const acks = new Acks(store, systemClock);
  const cancel = (id: string, by: string) =>
    cancelScheduled({ store, acks, ackWhen: scheduleSettings(config()).acks }, id, by);
  return {
    ...stoppedPauseVerbs(store, keyOf, meant, SILENT),
    ...conversationVerbs({ store, names, conversationKey: keyOf, operatorTexts: { list: () => [] } }),
    ...queueVerbs(store, names),
    ...commandVerbs(store, names),
    ...scheduleVerbs(store, names, cancel, SILENT),
  };
}

interface Chat {
  keyOf: (written: string) => string;
  meant: (written: string) => ReturnType<typeof namedConversation>;
  names: Names;
  close: () => void;
}

/** What conversations are called. Neither the configuration nor chat.db is read before one is named. */
function chatOf(store: Store, { config: read, log }: StoppedAgent, clock: Clock = systemClock): Chat {
  let known: Config | undefined;
  const config = () => {
    known ??= read();
    return known;
  };
  let chatDb: ChatDb | undefined;
  const region = () => regionOf(config().edge.user_phone);
  const keysOf = () => new ConversationNames(store, region(), log, wordsKey);
  const chatDbOf = () => {
    chatDb ??= new ChatDb({
      path: config().imessage.db_path,
      clock,
      log: SILENT,
      region: region(),
      groups: keysOf(),
    });
    return chatDb;
  };
  let names: Names | undefined;
  return {
    keyOf: (written) => keysOf().keyOf(written),
    meant: (written) => namedConversation(written, keysOf().keyOf, chatDbOf()),
    names: {
      nameOf(conversation) {
        try {
          const isWanted = () => config().contacts.enabled;
          names ??= namesOn({ chatDb: chatDbOf(), homeDir: homedir(), isWanted, region, clock, log });
          return names.nameOf(conversation);
        } catch (error) {
          // Names are optional: the result is also shown if the configuration has errors.
          if (error instanceof EdgeError) return null;
          throw error;
        }
      },
    },
    close: () => chatDb?.close(),
  };
}
