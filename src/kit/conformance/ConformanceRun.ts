import { mintToken, requestHeaders } from '../../backend/credentials.js';
import { ackBody, syncBody } from '../../backend/protocol.js';
import type { AckBody } from '../../model/agentBodies.js';
import type { Command } from '../../model/command.js';
import type { Clock } from '../../system/clock.js';
import { randomHex } from '../../system/random.js';
import { type Dial, describeDial, ProbeSocket } from './ProbeSocket.js';
import type { Patient } from './rateLimit.js';
import { commandIn, commandsIn } from './received.js';
import { ask, isMissing, type ProbeRequest, type RequestAnswer, succeeded } from './request.js';

/** The agent that the checks act as; no real agent has its id. */
export interface PlayedIdentity {
  readonly id: string;
  readonly phone: string;
}

/** The backend that is judged, and who judges it. */
export interface ConformanceTarget {
  /** http(s), without a trailing slash. */
  readonly url: string;
  readonly secret: string;
  /** How the agent shows it: by signed tokens, or as it is (protocol §1, `auth.mode`). */
  readonly auth: 'token' | 'secret';
  readonly agent: PlayedIdentity;
  /** A second agent, to see that the first one's commands do not go astray. */
  readonly other: PlayedIdentity;
  /** Whose messages are posted, and to whom texts would go; no number that can be a person's. */
  readonly person: string;
  /** Where a text is handed to the backend; undefined: nowhere. */
  readonly sendUrl: string | undefined;
  /** For that place. */
  readonly sendKey: string;
  /** Whether the backend is meant to send reflexes. */
  readonly reflexes: boolean;
  /** What the backend's operator gives out for registrations. */
  readonly registrationToken?: string | undefined;
}

/** How long to wait, in ms. */
export interface ConformancePatience {
  /** For anything that must come. */
  readonly answerMs: number;
  /** For a reply to a message, which a persona may take its time for. */
  readonly replyMs: number;
  /** For what must not come. */
  readonly quietMs: number;
  /** How long a silent agent must be borne. */
  readonly idleMs: number;
}

/** The waits of the protocol (§3, §11). */
export const PATIENCE: ConformancePatience = {
  answerMs: 5_000,
  replyMs: 60_000,
  quietMs: 700,
  idleMs: 60_000,
};

/** In which way the credentials of a request are made; `right`: as the target has it. */
export interface PlayedCredentials {
  readonly kind: 'right' | 'signed' | 'missing' | 'forged' | 'expired' | 'ahead' | 'plain';
  /** The id in the token; that of the agent unless given. */
  readonly tokenFor?: string;
  /** The id in `X-Edge-Agent-Id`; that of the agent unless given. */
  readonly header?: string;
}

/** What became of a text that was handed to the backend. */
export type Push =
  | { readonly kind: 'taken'; readonly text: string; readonly at: number; readonly answer: RequestAnswer }
  | { readonly kind: 'refused'; readonly answer: RequestAnswer }
  | { readonly kind: 'unavailable'; readonly why: string };

/** How much earlier or later than now a token is made, in ms: older than any may be (24 h and a skew of the clocks), and ahead. */
const MADE: Readonly<Partial<Record<PlayedCredentials['kind'], number>>> = {
  expired: -26 * 60 * 60 * 1000,
  ahead: 2 * 60 * 1000,
};

/** Everything that a check works with: the agent's ways to the backend, each with the credentials that are asked for. */
export class ConformanceRun {
  private readonly sockets = new Set<ProbeSocket>();
  private isTidying = false;
  private newestSequence = 0;
  private syncs: Promise<boolean> | undefined;

  constructor(
    readonly target: ConformanceTarget,
    readonly patience: ConformancePatience,
    readonly clock: Clock,
    private readonly version: string,
    /** Whether checks that take a minute are wanted. */
    readonly slow: boolean,
    /** Ends whatever is under way: from then on nothing more is asked of the backend, but by `tidy`. */
    private readonly stop: AbortSignal,
  ) {
    stop.addEventListener('abort', () => void this.hangUp(), { once: true });
  }

  /** A request to a path of the backend with the agent's credentials, or others. */
  post(
    path: string,
    body: object,
    options: { as?: PlayedIdentity; credentials?: PlayedCredentials; headers?: Record<string, string> } = {},
  ): Promise<RequestAnswer> {
    const { as = this.target.agent, credentials = { kind: 'right' } } = options;
    const patienceMs = path === '/edge/message' ? this.patience.replyMs : this.patience.answerMs;
    const headers = { ...this.headers(as, credentials), ...options.headers };
    // A reply may take long; every other request is awaited, so that its effects are known.
    const signal = path === '/edge/message' ? this.stop : undefined;
    return this.ask({ url: this.target.url + path, method: 'POST', headers, body, patienceMs, signal });
  }

  /** A plain GET of a path, as a browser or a health check would send it. */
  get(path: string): Promise<RequestAnswer> {
    const { url, agent } = this.target;
    const headers = this.headers(agent, { kind: 'right' });
    return this.ask({ url: url + path, method: 'GET', headers, patienceMs: this.patience.answerMs });
  }

  /** A sync that carries these events and acks. */
  sync(
    parts: {
      as?: PlayedIdentity;
      events?: readonly object[];
      acks?: readonly AckBody[];
      credentials?: PlayedCredentials;
    } = {},
  ): Promise<RequestAnswer> {
    const { as = this.target.agent, events = [], acks = [], credentials } = parts;
    const body = syncBody({
      agentId: as.id,
      lastCommandId: null,
      events: [],
      acks,
      status: { scheduled_messages: 0, uptime_seconds: 1 },
    });
    return this.post(
      '/edge/sync',
      { ...body, pending_events: events },
      { as, ...(credentials && { credentials }) },
    );
  }

  /**
   * Whether an answer means that there is no such endpoint. A 404 that differs from the one for a non-existent path has
   * another cause, such as an unknown command.
   */
  async isAbsent(answer: RequestAnswer): Promise<boolean> {
    if (!isMissing(answer) || answer.kind === 'failed') return false;
    const nowhere = `/edge/conformance-${randomHex(6)}`;
    const other = await this.post(nowhere, {});
    if (other.kind === 'failed' || !isMissing(other)) return true;
    return answer.status === other.status && withoutPath(answer.text) === withoutPath(other.text);
  }

  /** Whether the backend serves syncs; asked once. */
  hasSync(): Promise<boolean> {
    this.syncs ??= this.sync().then(async (answer) => !(await this.isAbsent(answer)));
    return this.syncs;
  }

  /**
   * What is offered to an agent that asks for it: by a sync, or to a new socket where there are no syncs. That one takes the place of
   * the one before.
   */
  async offered(as: PlayedIdentity = this.target.agent): Promise<readonly Command[]> {
    if (await this.hasSync()) return commandsIn(await this.sync({ as }));
    const dial = await this.dial({ as });
    if (dial.kind !== 'open') return [];
    const { socket } = dial;
    await this.settle(socket);
    await socket.untilClosed(this.patience.quietMs);
    return socket.seen.flatMap((seen) => commandIn(seen) ?? []);
  }

  /** Dials the socket; `query` is the id in the URL. Open sockets are ended by `tidy`. */
  async dial(
    options: { as?: PlayedIdentity; credentials?: PlayedCredentials; query?: string } = {},
  ): Promise<Dial> {
    const { as = this.target.agent, credentials = { kind: 'right' } } = options;
    const url = `${this.target.url.replace(/^http/, 'ws')}/edge/ws?edge_agent_id=${encodeURIComponent(options.query ?? as.id)}`;
    const headers = this.headers(as, credentials);
    this.stop.throwIfAborted();
    const patient = this.patient();
    const dial = await ProbeSocket.dial({ url, headers, patient, patienceMs: this.patience.answerMs });
    if (dial.kind === 'open') this.sockets.add(dial.socket);
    return dial;
  }

  /** A socket that the backend has taken. Throws when it does not: `auth.socket.signed` has judged that. */
  async connect(as: PlayedIdentity = this.target.agent): Promise<ProbeSocket> {
    const dial = await this.dial({ as });
    if (dial.kind !== 'open') throw new Error(`the socket was not opened: ${describeDial(dial)}`);
    await this.settle(dial.socket);
    if (dial.socket.closed) throw new Error(`the socket was closed with ${dial.socket.closed.code}`);
    return dial.socket;
  }

  /** Pings, and waits until the backend has said anything at all: then it knows this socket. */
  async settle(socket: ProbeSocket): Promise<void> {
    socket.send({ type: 'ping' });
    await socket.until(() => socket.seen[0], this.patience.answerMs);
    // A greeting may come before the backend has looked at the ping.
    await socket.frame(({ frame }) => frame.type === 'pong', this.patience.quietMs);
  }

  /** Posts a text for the test conversation to the backend, marked so that it can be recognised. */
  async push(as: PlayedIdentity = this.target.agent): Promise<Push> {
    const { sendUrl, sendKey, person } = this.target;
    if (sendUrl === undefined) return { kind: 'unavailable', why: HOW_TO_PUSH };
    const text = `edge-agent conformance ${randomHex(6)}`;
    const answer = await this.ask({
      url: sendUrl,
      method: 'POST',
      headers: { Authorization: `Bearer ${sendKey}`, 'X-Admin-Key': sendKey },
      body: { edge_agent_id: as.id, thread_id: person, message: text },
      patienceMs: this.patience.answerMs,
    });
    if (answer.kind === 'answered' && [401, 403, 404, 405, 501].includes(answer.status)) {
      return { kind: 'unavailable', why: `${sendUrl} answered ${answer.status}: ${HOW_TO_PUSH}` };
    }
    return succeeded(answer)
      ? { kind: 'taken', text, at: answer.askedAt, answer }
      : { kind: 'refused', answer };
  }

  /** The ack of a text that was sent, in the form in which the agent writes it. */
  ack(commandId: string, revision = 1): AckBody {
    return ackBody({
      commandId,
      error: null,
      at: this.clock.now(),
      revision,
      result: {
        outcome: 'sent',
        retry_safe: false,
        confirmed: true,
        message_guid: this.fresh(),
        service: 'iMessage',
        ...(revision > 1 ? { late: true } : {}),
      },
    });
  }

  /** A guid like those of Messages. */
  fresh(): string {
    return randomHex(16)
      .toUpperCase()
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.*)$/, '$1-$2-$3-$4-$5');
  }

  /** The next number of the test conversation, as an agent would give it. With `skipped`, so many numbers are left out. */
  nextSequence(skipped = 0): number {
    this.newestSequence += 1 + skipped;
    return this.newestSequence;
  }

  /** Acks whatever still waits for the two agents, and ends every socket; also when everything else was stopped. */
  async tidy(): Promise<void> {
    this.isTidying = true;
    await this.hangUp();
    for (const as of [this.target.agent, this.target.other]) {
      const waiting = await this.offered(as);
      const acks = waiting.map(({ commandId }) => this.ack(commandId));
      if (acks.length > 0) {
        if (await this.hasSync()) await this.sync({ as, acks });
        else await this.ackBySocket(as, acks);
        for (const ack of acks) await this.post('/edge/command/ack', ack, { as });
      }
      await this.hangUp();
    }
  }

  /** Ends the sockets that a check left open. */
  async hangUp(): Promise<void> {
    const open = [...this.sockets];
    await Promise.all(open.map((socket) => socket.end()));
    // One that was dialled meanwhile is for the next call.
    for (const socket of open) this.sockets.delete(socket);
  }

  private async ackBySocket(as: PlayedIdentity, acks: readonly AckBody[]): Promise<void> {
    const dial = await this.dial({ as });
    if (dial.kind !== 'open') return;
    for (const data of acks) dial.socket.send({ type: 'command_ack', data });
    await dial.socket.ping(this.patience.answerMs);
  }

  private ask(request: ProbeRequest): Promise<RequestAnswer> {
    if (!this.isTidying) this.stop.throwIfAborted();
    return ask(request, this.patient());
  }

  private patient(): Patient {
    return { clock: this.clock, stop: this.isTidying ? new AbortController().signal : this.stop };
  }

  private headers(
    as: PlayedIdentity,
    { kind, tokenFor = as.id, header = as.id }: PlayedCredentials,
  ): Record<string, string> {
    const now = this.clock.now() + (MADE[kind] ?? 0);
    const { secret, auth } = this.target;
    const made = mintToken(secret, tokenFor, as.phone, now);
    const forged = mintToken(`not-${secret}`, tokenFor, as.phone, now);
    const isPlain = auth === 'secret';
    const tokens = {
      missing: null,
      plain: secret,
      forged: isPlain ? `not-${secret}` : forged,
      expired: made,
      ahead: made,
      signed: made,
      right: isPlain ? secret : made,
    };
    return requestHeaders(header, this.version, tokens[kind]);
  }
}

/** Frameworks say in the body which path it was. */
function withoutPath(text: string): string {
  return text.replaceAll(/\/(edge|photo)\/[\w/-]+/g, '');
}

/** How to enable what needs the backend to send a text. */
const HOW_TO_PUSH =
  'the backend must be able to send a text on request. Give --send-url <the URL that takes { edge_agent_id, thread_id, message }> and its key with --send-key-file or EDGE_ADMIN_KEY';
