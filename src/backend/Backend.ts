import type { Photo, PhotoResult, PostResult } from '../model/incoming.js';
import type { ClockSkew } from '../store/macClock.js';
import { AckDelivery, AckPost } from './AckDelivery.js';
import { Access } from './credentials.js';
import { type HttpProgress, postMessage, uploadPhoto } from './HttpClient.js';
import { HttpPoller } from './HttpPoller.js';
import { Link, LinkHistory } from './Link.js';
import { LinkLog } from './LinkLog.js';
import { acksGoByHttp, isLive, pollerMode } from './linkState.js';
import type { LinkState, Loss } from './linkTypes.js';
import { Outboxes } from './Outboxes.js';
import { linkProblems } from './problems.js';
import type { BackendNotification } from './protocol.js';
import type { HttpReport } from './Reachability.js';
import { RefusedItems, refusedEvent } from './RefusedItems.js';
import { StatusReporter } from './StatusReporter.js';
import { SyncExchange } from './SyncExchange.js';
import { type BackendOptions, DEFAULT_TIMINGS, linkRules, type Timings } from './settings.js';
import type { LinkView } from './view.js';
import { FrameReader, LostConnectionDetector } from './WebSocketClient.js';

/**
 * The connection to the backend: the link, the poller that replaces it, outgoing acks and events, and the posting of
 * messages. Whatever fails, it keeps retrying and reports the problem; nothing in it throws to its owner.
 */
export class Backend {
  private readonly timings: Timings;
  private readonly parts: BackendComponents;
  private eventsUnsubscribe: (() => void) | null = null;
  private started = false;
  private readonly whenStopped = new Set<() => void>();
  private readonly linkListeners = new Set<() => void>();
  private readonly reconnectListeners = new Set<() => void>();
  private readonly offeringListeners = new Set<(can: boolean) => void>();
  private readonly notificationListeners = new Set<(notification: BackendNotification) => void>();

  constructor(private readonly options: BackendOptions) {
    this.timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.parts = composeBackend(options, this.timings, {
      changed: (before, after) => this.changed(before, after),
      finalFlush: (socket) => this.finalFlush(socket),
      notified: (notification) => {
        for (const listener of this.notificationListeners) listener(notification);
      },
      offering: (can) => this.offering(can),
    });
  }

  /** Registers, then links. Idempotent. */
  start(): void {
    if (this.started) return;
    this.started = true;
    const { courier, outboxes, poller, link, access } = this.parts;
    courier.start();
    this.eventsUnsubscribe = this.options.store.events.afterInsert(() => {
      outboxes.eventsAdded();
      poller.eventsAdded();
    });
    const dial = () => link.feed({ type: 'start', websocket: this.options.config().websocketEnabled });
    void access.registration.start().then(dial);
  }

  /**
   * Stops: no command is taken in from now on; when `inFlight` has ended the last acks and the final status go out, are
   * proven read if the backend answers, and the socket closes with 1000. Resolves within `deadlineMs`, always.
   */
  async drain(deadlineMs: number, inFlight: Promise<unknown> = Promise.resolve()): Promise<void> {
    const { reader, access, link, status, stranded, courier, poller } = this.parts;
    reader.stopIntake();
    access.registration.stop();
    const stopped = new Promise<void>((resolve) => {
      this.whenStopped.add(resolve);
    });
    link.feed({ type: 'drain', deadline: this.options.clock.monotonic() + deadlineMs });
    if (link.state.name === 'stopped') this.stoppedNow();
    const settled = () => link.feed({ type: 'settled' });
    inFlight.then(settled, settled);
    await stopped;
    status.stop();
    this.eventsUnsubscribe?.();
    stranded.stop();
    this.options.circuit?.stop();
    // Cuts the requests in flight, so that nothing below waits for an answer.
    access.http.close();
    await Promise.all([courier.stop(), poller.stop()]);
  }

  /** On request of the operator: connects immediately, replacing an existing socket, and polls immediately. */
  kick(reason: string): void {
    const { access, link, poller, refused, courier } = this.parts;
    access.registration.retry();
    refused.again();
    this.options.circuit?.hint();
    courier.pump();
    this.options.log.info('Trying the backend now', { reason });
    link.feed({ type: 'kick' });
    poller.syncSoon('dropped');
  }

  /** Asks the backend to offer again what was not acked: by a fresh socket, or the next poll. */
  redeliver(why: string): void {
    this.parts.link.feed({ type: 'redial', why });
  }

  /** `.env` or the configuration changed: what there is now, or that there is nothing, is tried at once. */
  credentialsChanged(): void {
    if (!this.started) return;
    const { access, history, link, poller } = this.parts;
    access.reachability.forgetCredentials();
    this.options.circuit?.hint();
    const refused = access.registration.problem() !== null || history.refusedFrom !== null;
    void (refused ? access.registration.again() : access.registration.start());
    link.feed({ type: 'credentials' });
    poller.syncSoon('dropped');
  }

  /** The machine slept, or the loop was blocked for more than 10 s. */
  wake(): void {
    const { access, link, poller } = this.parts;
    access.time.doubt();
    this.options.circuit?.hint();
    link.wake();
    if (access.time.skewMs !== null) poller.syncSoon('dropped');
  }

  /** Configured, else registered, else derived from the phone. */
  agentId(): string {
    return this.parts.access.registration.agentId();
  }

  /** Whether the backend answers HTTP: false once two requests in a row had no answer or a 5xx. */
  reachable(): boolean {
    return this.parts.access.reachability.reachable;
  }

  /** Whether the backend refuses our credentials over HTTP; that it refuses one message does not say so. */
  refusesUs(): boolean {
    return this.parts.access.reachability.unauthorisedSince !== null;
  }

  /** Since when `reachable` is as it is, Unix ms; an outage counts from its first failed request. */
  reachableSince(): number {
    return this.parts.access.reachability.since;
  }

  /** Calls the listener at the end of every HTTP request. Returns the unsubscribe function. */
  onHttpOutcome(listener: (report: HttpReport) => void): () => void {
    return this.parts.access.reachability.subscribe(listener);
  }

  /** How old, in ms, something is that the backend made at this instant (Unix ms), see BackendTime.ageOf. */
  ageOf(madeAt: number): number {
    return this.parts.access.time.ageOf(madeAt);
  }

  /** Whether the backend has said in this life what time it is. */
  knowsTime(): boolean {
    return this.parts.access.time.skewMs !== null;
  }

  /** The same at most, see BackendTime.mostAgeOf. */
  mostAgeOf(madeAt: number): number {
    return this.parts.access.time.mostAgeOf(madeAt);
  }

  /** How far its clock is ahead of ours, see BackendTime.skew. */
  skew(): ClockSkew | null {
    return this.parts.access.time.skew();
  }

  /** Whether this instant (Unix ms) is yet to come by the backend's clock; false while that is not known. */
  isFuture(at: number): boolean {
    return this.knowsTime() && this.mostAgeOf(at) < 0;
  }

  /** Called after each change of the link's state; must not throw. */
  onLinkChange(listener: () => void): void {
    this.linkListeners.add(listener);
  }

  /** Called when the link is up again after it was lost; must not throw. */
  onReconnect(listener: () => void): void {
    this.reconnectListeners.add(listener);
  }

  /**
   * Called with whether the backend can offer all unacked commands: it can from when a socket opened, or a sync was
   * processed completely, until a sync fails while there is no socket. Its other answers show nothing about that. Must
   * not throw.
   */
  onOffering(listener: (can: boolean) => void): void {
    this.offeringListeners.add(listener);
  }

  /** Called for each notification of the backend; must not throw. */
  onNotification(listener: (notification: BackendNotification) => void): void {
    this.notificationListeners.add(listener);
  }

  /** The link and its faults as of now, for status. */
  view(): LinkView {
    const { link, history, access, poller, refused } = this.parts;
    const settings = this.options.config();
    const { state } = link;
    const problems = linkProblems({
      state,
      settings,
      history,
      reachability: access.reachability,
      credentials: access.identity.problem(),
      registration: access.registration.problem(),
      clock: access.time.problem(),
      expiredAt: access.expiredAt(),
      refusalRemedy: access.refusalRemedy(),
      polling: poller.fault(),
      refused: refused.problem(),
      platform: this.options.platform,
    });
    const seen = { http: access.reachability.newestAccepted, syncAt: poller.syncedAt };
    return { ...history.view(state), seen, refusedAcks: refused.acks(), problems };
  }

  /** Posts one incoming message; `guid` is its idempotency key. Never rejects. */
  postMessage(body: object, guid: string, progress?: HttpProgress): Promise<PostResult> {
    return postMessage(this.parts.access.http, body, guid, this.requestTimeoutMs, progress);
  }

  /** Uploads one file; its `attachment_guid` is its idempotency key. Never rejects. */
  uploadPhoto(photo: Photo): Promise<PhotoResult> {
    return uploadPhoto(this.parts.access.http, photo, this.requestTimeoutMs);
  }

  private get requestTimeoutMs(): number {
    return this.options.config().requestTimeoutSeconds * 1_000;
  }

  /** One change of the link's state; the only place that notifies all listeners. */
  private changed(before: LinkState, after: LinkState): void {
    const { access, history, outboxes, poller, narrator, stranded, status, courier } = this.parts;
    const cameBack = history.changed(before, after);
    if (after.epoch !== before.epoch) outboxes.reset();
    poller.setMode(pollerMode(after), after.name === 'idle' ? 0 : this.timings.firstPollMs);
    narrator.changed(before, after);
    if (before.name === 'proving' && after.name === 'online') {
      this.offering(true);
      access.registration.retry();
      stranded.opened();
      status.start();
      outboxes.start();
    }
    if (isLive(before) && !isLive(after)) {
      outboxes.stop();
      status.stop();
    }
    courier.pump();
    for (const listener of this.linkListeners) listener();
    if (cameBack) for (const listener of this.reconnectListeners) listener();
    if (after.name === 'stopped') this.stoppedNow();
  }

  private offering(can: boolean): void {
    for (const listener of this.offeringListeners) listener(can);
  }

  private stoppedNow(): void {
    for (const resolve of this.whenStopped) resolve();
  }

  private finalFlush(socket: boolean): void {
    const { status, outboxes, link, poller } = this.parts;
    status.stop();
    if (socket) {
      outboxes.flush();
      status.send();
      return;
    }
    const flushed = () => link.feed({ type: 'flushed' });
    poller.lastSync(this.timings.lastSyncMs).then(flushed, flushed);
  }
}

/** Everything that the connection to the backend consists of. */
interface BackendComponents {
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
  /** The backend has a word for those who watch. */
  notified(notification: BackendNotification): void;
  /** A sync was taken in whole, or failed where there is no socket. */
  offering(can: boolean): void;
}

/** Makes the parts and joins them. Nothing runs yet and nothing is sent: that begins with the link's `start`. */
function composeBackend(options: BackendOptions, timings: Timings, whole: WholeLine): BackendComponents {
  const { config: settings, clock, random, log, store, inbox, snapshot, onConfigUpdate } = options;
  const requestTimeoutMs = () => settings().requestTimeoutSeconds * 1_000;
  // The parts call one another only once the link has started, when all of them are there.
  let greetedWith: readonly string[] | null = null;
  const acceptsEvents = () => (greetedWith ?? registration.accepts()).includes('event');

  const history = new LinkHistory(clock);
  const access = new Access({
    options,
    registration: timings.registration,
    onAuthorised: () => {
      registration.retry();
      link.feed({ type: 'authorised' });
    },
    onDoubt: () => poller.syncSoon('online'),
    onRegistered: () => {
      if (!link.live) link.feed({ type: 'authorised' });
      // A handshake that is under way would end under the id of before.
      if (link.url !== identity.url()) link.feed({ type: 'redial', why: 'registered under another id' });
    },
  });
  const { http, identity, registration } = access;
  const link = new Link({
    clock,
    outbound: options.outbound,
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
    httpTakesUs: () => access.reachability.takesUs,
  });
  const now = () => clock.monotonic();
  const outboxes = new Outboxes({ store, link, log, now, acceptsEvents, atTurnEnd: options.atTurnEnd });
  const refused = new RefusedItems({ store, clock, log });
  const courier = new AckDelivery({
    store,
    refused,
    clock,
    random,
    log,
    outbox: outboxes.acks,
    overdueMs: timings.ackOverdueMs,
    retryMs: timings.ackRetryMs,
    post: new AckPost(http, clock, requestTimeoutMs),
    circuit: options.circuit,
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
      store.events.after(0, refused.count + 1).some((event) => !refused.waits('sync', refusedEvent(event))),
    eventSyncMs: timings.eventSyncMs,
    onSynced: () => whole.offering(true),
    onFailed: () => {
      if (!link.live) whole.offering(false);
    },
  });
  const reader = new FrameReader({
    log,
    onConfigUpdate,
    onNotification: (notification) => whole.notified(notification),
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
  const blockedWords = (loss: Loss | null) => access.blockedWords(loss);
  const narrator = new LinkLog({ log, clock, settings, url: () => identity.url(), blockedWords });
  return { access, link, history, narrator, outboxes, courier, poller, reader, stranded, status, refused };
}
