import { homedir } from 'node:os';
import { Backend } from '../backend/Backend.js';
import type { BackendSecrets } from '../backend/settings.js';
import { backendSettings } from '../backend/settings.js';
import { Acks, Commands } from '../commands/Commands.js';
import { requestVerdict } from '../commands/handlers/sendMessage.js';
import { SendHealth } from '../health/SendHealth.js';
import { type Forwarding, forwarding, worthAnsweringBy } from '../incoming/forwarding.js';
import { MessageDispatcher } from '../incoming/MessageDispatcher.js';
import { livePrivacyFilter } from '../incoming/privacy.js';
import type { Logger } from '../logging/Logger.js';
import { type Automation, automationOf } from '../messages/applescript/Automation.js';
import { accountsOf } from '../messages/applescript/accountsOf.js';
import { messageSender } from '../messages/applescript/messageSender.js';
import { OsascriptRunner } from '../messages/applescript/OsascriptRunner.js';
import { proveMarker } from '../messages/applescript/proveMarker.js';
import { ChatDb, sentRows } from '../messages/chatdb/ChatDb.js';
import { ChatDbWatcher } from '../messages/chatdb/ChatDbWatcher.js';
import { ConversationNames } from '../messages/chatdb/ConversationNames.js';
import { EditWatch } from '../messages/chatdb/EditWatch.js';
import type { IncomingReader } from '../messages/chatdb/IncomingReader.js';
import { normalisedText } from '../messages/chatdb/rowBody.js';
import { isGroupKey, regionOf } from '../messages/conversationId.js';
import type { StatusSnapshot } from '../model/status.js';
import { keepTexts } from '../operator/keepTexts.js';
import { isMarkerProven, macVerbs } from '../operator/macVerbs.js';
import { type Names, namesOn } from '../operator/names.js';
import { OperatorTexts } from '../operator/OperatorTexts.js';
import type { Activity } from '../operator/statusSnapshot.js';
import { wordsKey } from '../outgoing/DuplicatePairing.js';
import { Outgoing } from '../outgoing/Outgoing.js';
import { damagedReplyEvent, publishOutcomes } from '../outgoing/outcomeEvents.js';
import { Scheduler } from '../outgoing/Scheduler.js';
import type { Store } from '../store/Store.js';
import { bootId } from '../system/bootId.js';
import { Circuit } from '../system/Circuit.js';
import { childEnvironment } from '../system/childEnvironment.js';
import type { Clock } from '../system/clock.js';
import type { Outbound } from '../system/Outbound.js';
import type { Programs } from '../system/programs.js';
import type { Random } from '../system/random.js';
import { commandHandlers } from './commandHandlers.js';
import {
  ageLimits,
  commandLimits,
  dispatchSettings,
  outgoingSettings,
  scheduleSettings,
  senderSettings,
} from './componentSettings.js';
import { type Attachments, composeAttachments } from './composeAttachments.js';
import { composeReader } from './composeReader.js';
import type { LiveConfig } from './LiveConfig.js';
import { Supervision } from './Supervision.js';

interface ComponentOptions {
  config: LiveConfig;
  env: NodeJS.ProcessEnv;
  secrets: () => BackendSecrets;
  outbound: Outbound;
  version: string;
  store: Store;
  clock: Clock;
  random: Random;
  log: Logger;
  snapshot: () => StatusSnapshot;
  platform: NodeJS.Platform;
  programs: Programs;
}

export interface Components {
  chatDb: ChatDb;
  reader: IncomingReader;
  incoming: Forwarding;
  edits: EditWatch;
  watcher: ChatDbWatcher;
  runner: OsascriptRunner;
  sender: ReturnType<typeof messageSender>;
  outgoing: Outgoing;
  scheduler: Scheduler;
  commands: Commands;
  forwarder: MessageDispatcher;
  backend: Backend;
  sendHealth: SendHealth;
  automation: Automation;
  macVerbs: ReturnType<typeof macVerbs>;
  conversationKey: (threadId: string) => string;
  names: Names;
  operatorTexts: OperatorTexts;
  supervision: Supervision;
  attachments: Attachments;
  activity: Activity;
  acks: Acks;
  /** Every type of command that is known. */
  commandTypes: readonly string[];
}

/** Builds every room and hands each the others' implementations of what it asks for. Nothing runs yet. */
export function compose(options: ComponentOptions): Components {
  const { env, secrets, outbound, version, store, clock, random, log } = options;
  const config = options.config.current;
  const settled = config();
  const region = regionOf(settled.edge.user_phone);
  const names = new ConversationNames(store, region, log, wordsKey);
  names.moveOldKeys();
  const { keyOf } = names;
  const activity: Activity = { incomingAt: null, sentAt: null, error: null, errorAt: null };

  const chatDb = new ChatDb({
    path: settled.imessage.db_path,
    clock,
    log,
    region,
    groups: names,
  });
  const { osascript_path: osascriptPath } = settled.imessage;
  const { directory: stateDirectory } = settled.state;
  const runner = new OsascriptRunner({
    osascriptPath,
    stateDirectory,
    env,
    clock,
    log,
    isMarkerProven: () => isMarkerProven(store, osascriptPath),
  });
  const sendHealth = new SendHealth(clock);
  const osascript = { osascriptPath, env: childEnvironment(env), clock };
  const automation = automationOf({
    ...osascript,
    log,
    onGranted: sendHealth.automationGranted.bind(sendHealth),
  });
  const sender = messageSender({
    runner,
    chatDb,
    settings: options.config.slice(senderSettings),
    isGroup: isGroupKey,
    hold: () => supervision.ready() ?? automation.hold(),
    onResult: (result) => {
      sendHealth.note(result);
      supervision.note(result);
      automation.note(result);
    },
  });
  const circuit = new Circuit({ clock, random });
  const filter = livePrivacyFilter(
    options.config.slice(({ privacy }) => privacy.redact),
    region,
  );
  const attachments = composeAttachments({
    store,
    chatDb,
    config,
    outbound,
    env,
    clock,
    random,
    log,
    filter,
    programs: options.programs,
    backend: () => backend,
    circuit,
    onMachine: (fault) => sendHealth.noteMachine('uploading', fault),
  });
  const ownTime = (backendTime: number) => clock.now() - backend.mostAgeOf(backendTime);
  const outgoing = new Outgoing({
    store,
    fetcher: attachments.door,
    onMachine: (fault) => sendHealth.noteMachine('staging', fault),
    sender,
    rows: sentRows(chatDb, keyOf, () => store.cursor.reading()?.movedAt ?? null),
    clock,
    log,
    settings: options.config.slice(outgoingSettings),
    ownTime,
    boot: bootId(env, process.platform),
  });

  const acks = new Acks(store, clock);
  const scheduler = new Scheduler({
    store,
    texts: outgoing,
    acks,
    clock,
    log,
    settings: options.config.slice(scheduleSettings),
    ageOf: (at) => backend.ageOf(at),
    knowsBackendTime: () => backend.knowsTime(),
  });
  const handlers = commandHandlers({
    texts: outgoing,
    schedule: scheduler,
    conversationKey: keyOf,
    clock,
    ageOf: (madeAt) => backend.ageOf(madeAt),
    config: options.config,
    contexts: store.contexts,
    events: store.events,
    files: attachments.door,
    uploads: attachments.uploader,
    limits: options.config.slice(commandLimits),
  });
  // What comes in one turn of the loop is one commit.
  const atTurnEnd = (work: () => void) => void setImmediate(work);
  const commands = new Commands(store, acks, log, handlers, ownTime, atTurnEnd);
  const incoming = forwarding({
    store,
    clock,
    log,
    config,
    conversationKey: keyOf,
    normalise: normalisedText,
    disclose: (text) => filter()?.(text).text ?? text,
    onFiles: attachments.uploader.take.bind(attachments.uploader),
    onReversed(message) {
      outgoing.withdrawAnswers(message);
      store.afterCommit(() => reader.scan());
    },
  });
  outgoing.onEnded((request) => {
    const verdict = requestVerdict(request.parts);
    commands.requestEnded(request, verdict);
    scheduler.textEnded(request, verdict);
  });
  publishOutcomes({
    outgoing,
    fileEnded: attachments.staged.look.bind(attachments.staged),
    loops: incoming.loops,
    store,
    activity,
    ended: sendHealth.ended.bind(sendHealth),
    reportsDelivery: options.config.slice(({ forward }) => forward.delivery),
    clock,
    log,
  });

  const backend = new Backend({
    config: options.config.slice(backendSettings),
    secrets,
    outbound,
    version,
    platform: options.platform,
    clock,
    random,
    log,
    store,
    circuit,
    inbox: commands,
    atTurnEnd,
    snapshot: () => ({ ...options.snapshot() }),
    onConfigUpdate: (settings) => void store.write(() => options.config.apply(settings)),
  });
  const worthAnswering = worthAnsweringBy({
    clock,
    ageOf: backend.ageOf.bind(backend),
    outages: store.outages,
    limits: options.config.slice(ageLimits),
  });
  const forwarder = new MessageDispatcher({
    store,
    backend,
    circuit,
    replies: outgoing,
    clock,
    random,
    log,
    worthAnswering,
    settings: options.config.slice(dispatchSettings),
    atTurnEnd,
    onExpired: (message) => incoming.givenUp(message, 'expired'),
    onSetAside: (message) => incoming.givenUp(message, 'set_aside'),
    onReplyDamaged: (guid, conversation) => store.events.add(damagedReplyEvent(guid, conversation)),
    filter,
  });
  let isUp = true;
  store.lineage.useBackendTime(() => backend.skew());
  backend.onOffering((can) => (can ? store.lineage.noteOffering() : store.lineage.pauseOffering()));
  store.onRecovery(() => store.lineage.forgetOffering());
  backend.onHttpOutcome(() => {
    const wasUp = isUp;
    isUp = backend.reachable() && !backend.refusesUs();
    if (isUp && !wasUp) {
      forwarder.retryNow();
      attachments.uploader.retryNow();
    }
  });

  const operatorTexts = new OperatorTexts();
  incoming.onOperatorReply((reply) => operatorTexts.note(reply));
  keepTexts({ outgoing, incoming, store, clock });

  const reader = composeReader({
    chatDb,
    store,
    clock,
    log,
    config: options.config,
    region,
    worthAnswering,
    incoming,
    activity,
    names,
    onArrived: () => supervision.arrived(),
  });
  const supervision = new Supervision({
    platform: options.platform,
    programs: options.programs,
    config,
    env,
    chatDb,
    store,
    clock,
    log,
    enqueue: outgoing.enqueue.bind(outgoing),
    conversationKey: keyOf,
    linkUp: backend.reachable.bind(backend),
  });
  const edits = new EditWatch({ chatDb, clock, onChanges: incoming.changes.note.bind(incoming.changes) });
  const watcher = new ChatDbWatcher({ chatDb, clock, log, together: store.together.bind(store) });
  watcher.onLook(reader.scan.bind(reader));
  watcher.onLook(outgoing.chatChanged.bind(outgoing));
  watcher.onLook(edits.look.bind(edits));
  watcher.onLook(supervision.looked.bind(supervision));
  return {
    chatDb,
    reader,
    incoming,
    edits,
    watcher,
    runner,
    sender,
    outgoing,
    scheduler,
    commands,
    forwarder,
    backend,
    sendHealth,
    automation,
    macVerbs: macVerbs({
      store,
      automation,
      prove: () => proveMarker({ ...osascript, stateDirectory }),
      accounts: () => accountsOf(osascript),
      osascriptPath,
      clock,
    }),
    conversationKey: keyOf,
    operatorTexts,
    names: namesOn({
      chatDb,
      homeDir: env.HOME ?? homedir(),
      isWanted: options.config.slice(({ contacts }) => contacts.enabled),
      region: () => region,
      clock,
      log,
    }),
    supervision,
    attachments,
    activity,
    acks,
    commandTypes: handlers.flatMap(({ types }) => types),
  };
}
