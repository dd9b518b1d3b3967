import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { describeError } from '../../errors.js';
import { isAgentId } from '../../model/agentId.js';
import { AgentConnection, type ConnectionEvents } from './AgentConnection.js';
import { addressOf, callerName, judge } from './admission.js';
import { REFUSAL_COST } from './CallerRateLimit.js';
import type { EndpointContext } from './endpoints/endpoint.js';
import { FrameIntake } from './FrameIntake.js';
import { CLOSE, closeReason, parseAgentFrame, plainFrame } from './frames.js';
import type { Interposer } from './Interposer.js';
import { pathOf, SOCKET_PATH } from './RequestHandler.js';
import { takeReports } from './reports.js';
import { isUnavailability } from './unavailability.js';

/** The largest frame that is read, in bytes (16 MiB); a larger one closes the socket with 1009. */
const FRAME_LIMIT = 16 * 1024 * 1024;

/** How long a peer has to answer our close frame, in ms; ws would give it 30 s. */
const CLOSE_MS = 2_000;

/** A separate constant because @types/ws does not have `closeTimeout` yet. */
const SERVER_OPTIONS = {
  noServer: true,
  maxPayload: FRAME_LIMIT,
  perMessageDeflate: false,
  // Pongs are ours to hold back.
  autoPong: false,
  closeTimeout: CLOSE_MS,
};

/** Answers upgrade requests and what comes over the sockets. */
export class AgentUpgradeHandler {
  private readonly server = new WebSocketServer(SERVER_OPTIONS);
  private readonly intakes = new Map<AgentConnection, FrameIntake>();
  private isRefusing = false;

  private readonly events: ConnectionEvents = {
    text: (connection, text) => this.receive(connection, text),
    binary: (connection, bytes) => this.nonsense(connection, `a binary frame of ${bytes} bytes`),
    closed: (connection, code, reason) => this.closed(connection, code, reason),
  };

  constructor(
    private readonly context: EndpointContext,
    private readonly interposer: Interposer,
    private readonly silenceMs: number,
  ) {
    // Other servers say so, and the agent judges its own clock by it; ws leaves it out.
    this.server.on('headers', (headers) =>
      headers.push(`Date: ${new Date(this.context.clock.now()).toUTCString()}`),
    );
  }

  /** From now on every upgrade is answered with 503. */
  refuseAll(): void {
    this.isRefusing = true;
  }

  /** Never rejects. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    // The peer may disconnect at any moment; `close` follows, and there is no one to notify.
    socket.on('error', (error) => this.context.log(`[WebSocket] ${describeError(error)}`));
    const fault = this.interposer.upgrade();
    const { inQuery, inHeader } = claimedIds(request);
    const agentId = inQuery ?? inHeader;
    if (fault.kind === 'hang') hang(socket);
    else if (fault.kind === 'status') refuseUpgrade(socket, fault.status, fault.retryAfter);
    else if (pathOf(request.url) !== SOCKET_PATH) refuseUpgrade(socket, 404);
    else if (this.isRefusing) refuseUpgrade(socket, 503, this.context.load.pauseSeconds());
    else if (agentId === undefined || !isAgentId(agentId)) {
      this.refused(403, 'edge_agent_id is missing or unusable');
      refuseUpgrade(socket, 403);
    } else {
      try {
        await this.judge(request, socket, head, agentId, inHeader);
      } catch (mistake) {
        // Its credentials could not be looked up: the agent asks again.
        this.context.log(`[WebSocket] ${agentId}: ${describeError(mistake)}`);
        refuseUpgrade(socket, 503, this.context.load.pauseSeconds());
      }
    }
  }

  /** Resolves when everything received by sockets is stored, or could not be. */
  async settled(): Promise<void> {
    await Promise.all([...this.intakes.values()].map((intake) => intake.idle()));
  }

  private async judge(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    agentId: string,
    inHeader: string | undefined,
  ): Promise<void> {
    const { rateLimit, refuseBy } = this.context;
    const refusal = await this.findFault(request, agentId, inHeader);
    const seconds =
      refusal === undefined
        ? rateLimit.take(callerName(agentId))
        : rateLimit.take(addressOf(request), REFUSAL_COST);
    if (seconds > 0) {
      refuseUpgrade(socket, 429, seconds);
      return;
    }
    if (refusal !== undefined) {
      if (refusal.code === CLOSE.policy)
        this.context.log(`❌ Token verification failed for edge_agent_id=${agentId}`);
      this.refused(refusal.code, refusal.reason);
      if (refuseBy === 'status') {
        refuseUpgrade(socket, refusal.code === CLOSE.unauthorized ? 401 : 403);
        return;
      }
    }
    this.server.handleUpgrade(request, socket, head, (webSocket) => {
      if (refusal === undefined) this.welcome(agentId, webSocket);
      else turnAway(webSocket, refusal);
    });
  }

  /** What is wrong with the credentials, if anything: as a close code. */
  private async findFault(
    request: IncomingMessage,
    agentId: string,
    inHeader: string | undefined,
  ): Promise<{ code: number; reason: string } | undefined> {
    const verdict = await judge(request.headers.authorization, agentId, this.context);
    if (verdict.kind === 'missing')
      return { code: CLOSE.unauthorized, reason: 'Missing Authorization header' };
    if (verdict.kind === 'refused') {
      return { code: CLOSE.policy, reason: verdict.reason };
    }
    if (inHeader !== undefined && inHeader !== agentId) {
      return { code: CLOSE.policy, reason: 'X-Edge-Agent-Id and edge_agent_id differ' };
    }
    if (verdict.by === 'secret') this.context.log('Authenticated with simple secret (fallback mode)');
    return undefined;
  }

  private welcome(agentId: string, webSocket: WebSocket): void {
    const { context, interposer, silenceMs } = this;
    const { clock, registry, backend, accepts } = context;
    const connection = new AgentConnection(agentId, webSocket, this.events, {
      clock,
      faults: interposer,
      silenceMs,
    });
    this.intakes.set(
      connection,
      new FrameIntake({
        connection,
        store: (reports) => takeReports(context, agentId, reports, 'websocket'),
        pong: () => this.pong(connection),
        failed: (mistake) => this.failed(connection, mistake),
      }),
    );
    const replaced = registry.add(connection);
    context.log(`[WebSocket] Connected: ${agentId} (total: ${registry.size})`);
    connection.send(plainFrame('connected', clock.now(), { edge_agent_id: agentId, accepts }));
    backend.saw({ kind: 'connected', agentId, replaced });
    backend.connected(connection).catch((mistake) => this.failed(connection, mistake));
  }

  /** What we could not store the agent must send again: a new connection is the way to ask for it. */
  private failed(connection: AgentConnection, mistake: unknown): void {
    this.context.log(`[WebSocket] ${connection.agentId}: ${describeError(mistake)}`);
    if (isUnavailability(mistake))
      connection.close(CLOSE.busy, 'the backend cannot store anything now; connect again later');
    else connection.close(CLOSE.failed, 'the backend failed; connect again');
  }

  private pong(connection: AgentConnection): void {
    connection.answerPing();
    this.context.backend.saw({ kind: 'ping', agentId: connection.agentId });
  }

  private receive(connection: AgentConnection, text: string): void {
    const intake = this.intakes.get(connection);
    const frame = parseAgentFrame(text);
    switch (frame.kind) {
      case 'pong':
        break;
      case 'event':
        if (this.context.accepts.includes('event')) intake?.take(frame, text.length);
        else this.nonsense(connection, 'frames of type event are not accepted');
        break;
      case 'ping':
      case 'command_ack':
      case 'status':
        intake?.take(frame, text.length);
        break;
      case 'unknown':
        this.nonsense(connection, `unknown frame type ${JSON.stringify(frame.type.slice(0, 80))}`);
        break;
      case 'malformed':
        this.nonsense(connection, frame.reason);
        break;
    }
  }

  /** Reports to the agent what could not be read; the connection is kept. */
  private nonsense(connection: AgentConnection, reason: string): void {
    const { agentId } = connection;
    this.context.log(`[WebSocket] Ignored from ${agentId}: ${reason}`);
    connection.send(plainFrame('error', this.context.clock.now(), { error: reason }));
    this.context.backend.saw({ kind: 'nonsense', agentId, reason });
  }

  private closed(connection: AgentConnection, code: number, reason: string): void {
    const { agentId } = connection;
    const intake = this.intakes.get(connection);
    this.context.registry.remove(connection);
    this.context.log(`[WebSocket] Disconnected: ${agentId} (${code})`);
    this.context.backend.saw({ kind: 'disconnected', agentId, code, reason });
    this.context.backend.disconnected(connection, `${code} ${reason}`.trim());
    // Its received frames are still stored; `settled` waits for that.
    void intake?.idle().then(() => this.intakes.delete(connection));
  }

  private refused(code: number, reason: string): void {
    this.context.log(`❌ WebSocket connection rejected: ${reason}`);
    this.context.backend.saw({ kind: 'refused', path: SOCKET_PATH, code, reason });
  }
}

function claimedIds(request: IncomingMessage): { inQuery: string | undefined; inHeader: string | undefined } {
  const query = new URLSearchParams((request.url ?? '').split('?').slice(1).join('?'));
  const header = request.headers['x-edge-agent-id'];
  return {
    inQuery: query.get('edge_agent_id') ?? undefined,
    inHeader: typeof header === 'string' ? header : undefined,
  };
}

function turnAway(webSocket: WebSocket, { code, reason }: { code: number; reason: string }): void {
  // Later frames and errors of it are ignored.
  webSocket.on('error', () => webSocket.terminate());
  webSocket.close(code, closeReason(reason));
}

/** Says nothing until the peer gives up; reading on is the only way to notice that it did. */
function hang(socket: Duplex): void {
  socket.on('end', () => socket.destroy());
  socket.resume();
}

function refuseUpgrade(socket: Duplex, status: number, retryAfterSeconds?: number): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
    'Connection: close',
    'Content-Length: 0',
  ];
  if (retryAfterSeconds !== undefined) lines.push(`Retry-After: ${retryAfterSeconds}`);
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n`);
}
