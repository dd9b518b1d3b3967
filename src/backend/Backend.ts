import { Access } from './Access.js';
import { AckCourier } from './AckCourier.js';
import { AckPost } from './AckPost.js';
import type { BackendOptions } from './BackendOptions.js';
import { FrameReader } from './FrameReader.js';
import { HttpPoller } from './HttpPoller.js';
import { Link } from './Link.js';
import { LinkHistory } from './LinkHistory.js';
import { LinkNarrator } from './LinkNarrator.js';
import { acksGoByHttp, isLive, pollerMode } from './linkState.js';
import type { LinkState } from './linkTypes.js';
import { Outboxes } from './Outboxes.js';
import { type PostResult, postMessage } from './postMessage.js';
import { linkProblems } from './problems.js';
import type { HttpReport } from './Reachability.js';
import { StatusReporter } from './StatusReporter.js';
import { StrandedWatch } from './StrandedWatch.js';
import { SyncExchange } from './SyncExchange.js';
import { DEFAULT_TIMINGS, linkRules, type Timings } from './timings.js';
import type { LinkView } from './view.js';

export type { BackendOptions } from './BackendOptions.js';
export type { PostResult } from './postMessage.js';
export type { HttpReport } from './Reachability.js';
export type { LinkView, Problem } from './view.js';

/**
 * The line to the backend: the link, the poller that stands in for it, the acks and events that go out, the messages
 * that are posted. Whatever fails, it goes on trying and says what is wrong; nothing in it throws at its owner.
 */
export class Backend {
  private readonly timings: Timings;
  private readonly access: Access;
  private readonly link: Link;
  private readonly outboxes: Outboxes;
  private readonly courier: AckCourier;
  private readonly poller: HttpPoller;
  private readonly reader: FrameReader;
  private readonly stranded: StrandedWatch;
  private readonly status: StatusReporter;
  private readonly narrator: LinkNarrator;
  private readonly history: LinkHistory;
  private greetedWith: readonly string[] | null = null;
  private eventsUnsubscribe: (() => void) | null = null;
  private started = false;
  private readonly whenStopped = new Set<() => void>();

  constructor(private readonly options: BackendOptions) {
    const { config: settings, clock, random, log, store, inbox, onConfigUpdate } = options;
    const timings = { ...DEFAULT_TIMINGS, ...options.timings };
    this.timings = timings;
    this.history = new LinkHistory(clock);
    this.access = new Access({
      options,
      registration: timings.registration,
      onAuthorised: () => this.link.feed({ type: 'authorised' }),
      onRegistered: () => this.registered(),
    });
    const { http, identity, registration } = this.access;
    this.link = new Link({
      clock,
      random,
      rules: linkRules(timings.link, settings),
      target: () => identity.target(),
      onChange: (before, after) => this.changed(before, after),
      onFrame: (frame) => this.reader.take(frame),
      onBinary: (bytes) => this.reader.binary(bytes),
      onPinged: () => this.outboxes.pinged(),
      onPonged: () => {
        this.history.ponged();
        this.outboxes.ponged();
      },
      onSync: (why) => this.poller.syncSoon(why),
      onReregister: () => void registration.again().then(() => this.link.feed({ type: 'registered' })),
      onLastWords: (socket) => this.lastWords(socket),
      onRefusedDate: (header) => http.noteDate(header),
    });
    const acceptsEvents = () => this.acceptsEvents();
    this.outboxes = new Outboxes({
      store,
      link: this.link,
      log,
      now: () => clock.monotonic(),
      acceptsEvents,
    });
    this.courier = new AckCourier({
      store,
      clock,
      random,
      log,
      outbox: this.outboxes.acks,
      overdueMs: timings.ackOverdueMs,
      post: new AckPost(http, clock, () => this.requestTimeoutMs),
      live: () => this.link.live,
      byHttp: () => acksGoByHttp(this.link.state),
    });
    this.stranded = new StrandedWatch({
      clock,
      skewMs: () => http.skewMs ?? 0,
      onStranded: (count) => {
        log.warn('The backend held back commands although the WebSocket is up; dialing anew', { count });
        this.link.feed({ type: 'redial', why: 'the backend had lost the connection' });
      },
    });
    const exchange = new SyncExchange({
      clock,
      log,
      store,
      agentId: () => registration.agentId(),
      snapshot: options.snapshot,
      receive: (commands) => inbox.receive(commands, 'http'),
      onConfigUpdate,
      stranded: this.stranded,
    });
    this.poller = new HttpPoller({
      clock,
      random,
      log,
      http,
      exchange,
      settings,
      eventsWait: () => !this.acceptsEvents() && store.events.after(0, 1).length > 0,
      eventSyncMs: timings.eventSyncMs,
    });
    this.reader = new FrameReader({
      clock,
      log,
      onConfigUpdate,
      receive: (commands) => {
        inbox.receive(commands, 'websocket');
        this.stranded.bySocket(commands);
      },
      onAccepts: (accepts) => {
        this.greetedWith = accepts;
        if (this.link.live) this.outboxes.start();
      },
    });
    const send = (text: string) => this.link.send(text);
    const everyMs = timings.statusEveryMs;
    this.status = new StatusReporter({ clock, log, snapshot: options.snapshot, send, everyMs });
    const blockedWords = () => this.access.blockedWords();
    this.narrator = new LinkNarrator({ log, clock, settings, url: () => identity.url(), blockedWords });
  }

  /** Registers, then links. Idempotent. */
  start(): void {
    if (this.started) return;
    this.started = true;
    this.courier.start();
    this.eventsUnsubscribe = this.options.store.events.onAdded(() => {
      this.outboxes.eventsAdded();
      this.poller.eventsAdded();
    });
    const link = () => this.link.feed({ type: 'start', websocket: this.options.config().websocketEnabled });
    void this.access.registration.start().then(link);
  }

  /**
   * Stops: no command is taken in from now on; when `inFlight` has ended the last acks and the final status go out, are
   * proven read if the backend answers, and the socket closes with 1000. Resolves within `deadlineMs`, always.
   */
  async drain(deadlineMs: number, inFlight: Promise<unknown> = Promise.resolve()): Promise<void> {
    this.reader.stopIntake();
    this.access.registration.stop();
    const stopped = new Promise<void>((resolve) => {
      this.whenStopped.add(resolve);
    });
    this.link.feed({ type: 'drain', deadline: this.options.clock.monotonic() + deadlineMs });
    if (this.link.state.name === 'stopped') this.stoppedNow();
    const settled = () => this.link.feed({ type: 'settled' });
    inFlight.then(settled, settled);
    await stopped;
    this.status.stop();
    this.eventsUnsubscribe?.();
    this.stranded.stop();
    // Cuts the requests in flight, so that nothing below waits for an answer.
    this.access.http.close();
    await Promise.all([this.courier.stop(), this.poller.stop()]);
  }

  /** The operator wants it now: dials at once if the link waits or is blocked, and polls at once. */
  kick(reason: string): void {
    this.options.log.info('Trying the backend now', { reason });
    this.link.feed({ type: 'kick' });
    this.poller.syncSoon('dropped');
  }

  /** Asks the backend to offer again what was not acked: by a fresh socket, or the next poll. */
  redeliver(why: string): void {
    this.link.feed({ type: 'redial', why });
  }

  /** `.env` or the configuration changed. */
  credentialsChanged(): void {
    if (!this.started) return;
    const refused = this.access.registration.problem() !== null || this.history.refusedFrom !== null;
    void (refused ? this.access.registration.again() : this.access.registration.start());
    this.link.feed({ type: 'credentials' });
    this.poller.syncSoon('dropped');
  }

  /** The machine slept, or the loop was blocked for more than 10 s. */
  wake(): void {
    this.link.wake();
  }

  /** Configured, else registered, else derived from the phone. */
  agentId(): string {
    return this.access.registration.agentId();
  }

  /** Whether the backend answers HTTP: false once two requests in a row had no answer or a 5xx. */
  reachable(): boolean {
    return this.access.reachability.reachable;
  }

  /** Since when `reachable` is as it is, Unix ms; an outage counts from its first failed request. */
  reachableSince(): number {
    return this.access.reachability.since;
  }

  /** Hears of the end of every HTTP request. Returns the unsubscribe. */
  onHttpOutcome(listener: (report: HttpReport) => void): () => void {
    return this.access.reachability.subscribe(listener);
  }

  /** The link and its faults as of now, for status. */
  view(): LinkView {
    const settings = this.options.config();
    const { state } = this.link;
    const problems = linkProblems({
      state,
      settings,
      history: this.history,
      reachability: this.access.reachability,
      credentials: this.access.identity.problem(),
      registration: this.access.registration.problem(),
      refusalRemedy: this.access.refusalRemedy(),
    });
    return { ...this.history.view(state), problems };
  }

  /** Posts one incoming message; `guid` is its idempotency key. Never rejects. */
  postMessage(body: object, guid: string): Promise<PostResult> {
    return postMessage(this.access.http, body, guid, this.requestTimeoutMs);
  }

  private get requestTimeoutMs(): number {
    return this.options.config().requestTimeoutSeconds * 1_000;
  }

  /** One change of the link's state, told to everyone in one place. */
  private changed(before: LinkState, after: LinkState): void {
    this.history.changed(before, after);
    if (after.epoch !== before.epoch) this.outboxes.reset();
    this.poller.setMode(pollerMode(after), after.name === 'idle' ? 0 : this.timings.firstPollMs);
    this.narrator.changed(before, after);
    if (before.name === 'proving' && after.name === 'online') {
      this.stranded.opened();
      this.status.start();
      this.outboxes.start();
    }
    if (isLive(before) && !isLive(after)) {
      this.outboxes.stop();
      this.status.stop();
    }
    this.courier.pump();
    if (after.name === 'stopped') this.stoppedNow();
  }

  private stoppedNow(): void {
    for (const resolve of this.whenStopped) resolve();
  }

  private lastWords(socket: boolean): void {
    this.status.stop();
    if (socket) {
      this.outboxes.flush();
      this.status.send();
      return;
    }
    const flushed = () => this.link.feed({ type: 'flushed' });
    this.poller.lastSync(this.timings.lastSyncMs).then(flushed, flushed);
  }

  private registered(): void {
    if (this.link.live && this.link.url !== this.access.identity.url()) {
      this.link.feed({ type: 'redial', why: 'registered under another id' });
    }
  }

  private acceptsEvents(): boolean {
    return (this.greetedWith ?? this.access.registration.accepts()).includes('event');
  }
}
