import { Access } from './Access.js';
import { AckDelivery } from './AckDelivery.js';
import { AckPost } from './AckPost.js';
import type { BackendOptions } from './BackendOptions.js';
import { FrameReader } from './FrameReader.js';
import { HttpPoller } from './HttpPoller.js';
import { Link } from './Link.js';
import { LinkHistory } from './LinkHistory.js';
import { LinkLog } from './LinkLog.js';
import { LostConnectionDetector } from './LostConnectionDetector.js';
import { acksGoByHttp } from './linkState.js';
import type { LinkState } from './linkTypes.js';
import { Outboxes } from './Outboxes.js';
import { RefusedItems } from './RefusedItems.js';
import { StatusReporter } from './StatusReporter.js';
import { SyncExchange } from './SyncExchange.js';
import { linkRules, type Timings } from './timings.js';

/** Everything that the line to the backend consists of. */
export interface BackendComponents {
  readonly access: Access;
  readonly link: Link;
  readonly history: LinkHistory;
  readonly narrator: LinkLog;
  readonly outboxes: Outboxes;
  readonly courier: AckDelivery;
  readonly poller: HttpPoller;
  readonly reader: FrameReader;
  readonly stranded: LostConnectionDetector;
  readonly status: StatusReporter;
  readonly refused: RefusedItems;
}

/** What the link asks of the whole. Called synchronously; must not throw. */
interface WholeLine {
  /** After teardown, before anything new is begun. */
  changed(before: LinkState, after: LinkState): void;
  /** The drain's last acks and status are due: by the socket, or by HTTP where there is none. */
  finalFlush(socket: boolean): void;
}

/** Makes the parts and joins them. Nothing runs yet and nothing is sent: that begins with the link's `start`. */
export function composeBackend(
  options: BackendOptions,
  timings: Timings,
  whole: WholeLine,
): BackendComponents {
  const { config: settings, clock, random, log, store, inbox, snapshot, onConfigUpdate } = options;
  const requestTimeoutMs = () => settings().requestTimeoutSeconds * 1_000;
  // The parts call one another only once the link has started, when all of them are there.
  let greetedWith: readonly string[] | null = null;
  const acceptsEvents = () => (greetedWith ?? registration.accepts()).includes('event');

  const history = new LinkHistory(clock);
  const access = new Access({
    options,
    registration: timings.registration,
    onAuthorised: () => link.feed({ type: 'authorised' }),
    onDoubt: () => poller.syncSoon('online'),
    onRegistered: () => {
      if (!link.live) link.feed({ type: 'authorised' });
      else if (link.url !== identity.url()) link.feed({ type: 'redial', why: 'registered under another id' });
    },
  });
  const { http, identity, registration } = access;
  const link = new Link({
    clock,
    random,
    rules: linkRules(timings.link, settings),
    target: () => identity.target(),
    onChange: (before, after) => whole.changed(before, after),
    onFrame: (frame) => reader.take(frame),
    onBinary: (bytes) => reader.binary(bytes),
    onPinged: () => outboxes.pinged(),
    onPonged: () => {
      history.ponged();
      outboxes.ponged();
    },
    onSync: (why) => poller.syncSoon(why),
    onReregister: () => void registration.again().then(() => link.feed({ type: 'registered' })),
    onFinalFlush: (socket) => whole.finalFlush(socket),
    onDate: (headers) => access.time.note(headers),
  });
  const now = () => clock.monotonic();
  const outboxes = new Outboxes({ store, link, log, now, acceptsEvents });
  const refused = new RefusedItems({ store, clock, log });
  const courier = new AckDelivery({
    store,
    refused,
    clock,
    random,
    log,
    outbox: outboxes.acks,
    overdueMs: timings.ackOverdueMs,
    post: new AckPost(http, clock, requestTimeoutMs),
    live: () => link.live,
    byHttp: () => acksGoByHttp(link.state),
  });
  const stranded = new LostConnectionDetector({
    clock,
    skewMs: () => access.time.skewMs ?? 0,
    onStranded: (count) => {
      log.warn('The backend held back commands although the WebSocket is up; reconnecting', { count });
      link.feed({ type: 'redial', why: 'the backend had lost the connection' });
    },
  });
  const exchange = new SyncExchange({
    clock,
    log,
    store,
    agentId: () => registration.agentId(),
    snapshot,
    receive: (commands) => inbox.receive(commands, 'http'),
    onConfigUpdate,
    stranded,
    refused,
  });
  const poller = new HttpPoller({
    clock,
    random,
    log,
    http,
    exchange,
    settings,
    eventsWait: () =>
      !acceptsEvents() &&
      store.events.after(0, refused.count + 1).some(({ seq }) => !refused.waits('sync', 'event', seq)),
    eventSyncMs: timings.eventSyncMs,
  });
  const reader = new FrameReader({
    log,
    onConfigUpdate,
    receive: (commands) => {
      // Whether they can be stored or not, they came by the socket: the backend has not lost us.
      stranded.bySocket(commands);
      inbox.receive(commands, 'websocket');
    },
    onAccepts: (accepts) => {
      greetedWith = accepts;
      if (link.live) outboxes.start();
    },
  });
  const send = (text: string) => link.send(text);
  const status = new StatusReporter({ clock, log, snapshot, send, everyMs: timings.statusEveryMs });
  const blockedWords = () => access.blockedWords();
  const narrator = new LinkLog({ log, clock, settings, url: () => identity.url(), blockedWords });
  return { access, link, history, narrator, outboxes, courier, poller, reader, stranded, status, refused };
}
