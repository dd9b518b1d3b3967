import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { asObject, parseFrame } from '../../backend/protocol.js';
import type { Clock, Timer } from '../../system/clock.js';
import { onWebSocketUpgrade, UPGRADE_OPTIONS } from '../../system/webSocketUpgrades.js';
import { asOfNow } from './asOfNow.js';
import type { Entry, EntryOf, Transcript } from './entry.js';
import { bodyOf, listen, parsed } from './server.js';

const LIMIT = 16 * 1024 * 1024;
const SOCKET_PATH = '/edge/ws';
const MESSAGE_PATH = '/edge/message';

/** The answer to the agent if the transcript has no more answers. */
const AFTER_THE_END: Readonly<Record<string, object>> = { [MESSAGE_PATH]: { should_respond: false } };

interface Cue {
  readonly after: number;
  readonly entry: EntryOf<'frame'> | EntryOf<'close'>;
}

interface BackendSideOptions {
  readonly port: number;
  readonly clock: Clock;
  /** How much faster than it happened; 1: as it happened. */
  readonly speed: number;
  readonly log: (line: string) => void;
}

/**
 * Plays the backend's side of a transcript to any caller: the nth socket and the nth request of a path get the recorded
 * answer, after the recorded delay. Frames that followed a message follow the current message after the same delay, and
 * go to its sender. Pings and acks are answered for the current traffic, and commands get the current time, or the
 * agent would drop them as too old. Credentials are not checked.
 */
export class BackendSide {
  private readonly sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: LIMIT,
  });
  private readonly timers = new Set<Timer>();
  private readonly asked = new Map<string, number>();
  /** The current meaning of each recorded name. */
  private readonly names = new Map<string, string>();
  /** The ids of the commands that came by socket. */
  private readonly bySocket: ReadonlySet<unknown>;
  private live: WebSocket | undefined;
  private dials = 0;

  private constructor(
    private readonly server: Server,
    private readonly transcript: Transcript,
    private readonly options: BackendSideOptions,
  ) {
    this.bySocket = new Set(
      this.of('frame').flatMap(({ frame }) => {
        const read = parseFrame(JSON.stringify(frame ?? null));
        return read.type === 'command' ? [read.command.raw.command_id] : [];
      }),
    );
    server.on('request', (request, response) => void this.serve(request, response));
    onWebSocketUpgrade(server, (request, socket, head) => {
      this.dials += 1;
      const number = this.dials;
      // The agent may be gone at any moment; `close` follows.
      socket.on('error', () => socket.destroy());
      const refused = this.of('refused').find((entry) => entry.socket === number);
      if (refused?.status === 0) socket.destroy();
      else if (refused !== undefined) {
        socket.once('finish', () => socket.destroy());
        socket.end(`HTTP/1.1 ${refused.status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      } else this.sockets.handleUpgrade(request, socket, head, (one) => this.welcome(one, number));
    });
  }

  /** Listens on 127.0.0.1. Rejects with an EdgeError when the port is taken. */
  static async start(transcript: Transcript, options: BackendSideOptions): Promise<BackendSide> {
    const server = createServer(UPGRADE_OPTIONS);
    const side = new BackendSide(server, transcript, options);
    await listen(server, options.port);
    return side;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Ends every wait and connection. */
  stop(): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    for (const socket of this.sockets.clients) socket.terminate();
    return new Promise((resolve) => {
      this.server.close(() => resolve());
      this.server.closeAllConnections();
    });
  }

  private welcome(socket: WebSocket, number: number): void {
    this.live = socket;
    this.options.log(`socket ${number} opened`);
    socket.on('error', () => socket.terminate());
    socket.on('message', (data) => {
      const type = asObject(parsed(Buffer.from(String(data))))?.type;
      if (type === 'ping') socket.send('{"type":"pong"}');
      else this.options.log(`from the agent: ${String(type)}`);
    });
    const opened = this.of('open').find((entry) => entry.socket === number);
    if (opened !== undefined) this.play(this.cues(opened, (entry) => entry.socket === number));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    try {
      const body = asObject(parsed(await bodyOf(request, LIMIT)));
      const count = (this.asked.get(path) ?? 0) + 1;
      this.asked.set(path, count);
      const then = this.of('request').filter((entry) => entry.path.split('?')[0] === path)[count - 1];
      const answer = then && this.of('answer').find((entry) => entry.request === then.request);
      this.options.log(`${request.method} ${path} → ${answer?.status ?? 'not in the transcript any more'}`);
      if (then !== undefined && path === MESSAGE_PATH) {
        this.learn(asObject(then.body), body);
        this.play(this.cues(then, () => true));
      }
      if (then === undefined || answer === undefined) {
        return reply(
          response,
          path === SOCKET_PATH ? 426 : 200,
          this.replyTo(path, AFTER_THE_END[path] ?? {}, body),
        );
      }
      this.later(answer.at - then.at, () => {
        if (answer.status === 0) response.destroy();
        else reply(response, answer.status, this.replyTo(path, this.now(answer.body, answer.at), body));
      });
    } catch {
      // The agent disconnected before its request was complete: there is no one to answer.
      response.destroy();
    }
  }

  /** The answer to the recorded message goes to the sender of the current one. */
  private learn(then: Record<string, unknown> | undefined, now: Record<string, unknown> | undefined): void {
    for (const key of ['thread_id', 'chat_guid', 'sender', 'message_guid']) {
      const [was, is] = [then?.[key], now?.[key]];
      if (typeof was === 'string' && typeof is === 'string') this.names.set(was, is);
    }
  }

  /** What the backend did by socket after this entry, until the next independent one. */
  private cues(anchor: Entry, fits: (entry: Cue['entry']) => boolean): Cue[] {
    const { entries } = this.transcript;
    const cues: Cue[] = [];
    for (const entry of entries.slice(entries.indexOf(anchor) + 1)) {
      if (entry.kind === 'open' || (entry.kind === 'request' && entry.path === MESSAGE_PATH)) break;
      const ours = (entry.kind === 'frame' || entry.kind === 'close') && entry.from === 'backend';
      if (ours && fits(entry)) cues.push({ after: entry.at - anchor.at, entry });
    }
    return cues;
  }

  /**
   * The reply to a sync names the acks and events that came now: those of then would clear nothing. It leaves out the
   * commands that came by socket too, or they would come before what they answered.
   */
  private replyTo(path: string, reply: unknown, asked: Record<string, unknown> | undefined): unknown {
    const then = asObject(reply);
    if (path !== '/edge/sync' || then === undefined) return reply;
    const commands = Array.isArray(then.commands) ? then.commands : [];
    return {
      ...then,
      commands: commands.filter((command) => !this.bySocket.has(asObject(command)?.command_id)),
      ack_events: idsIn(asked?.pending_events, 'event_id'),
      ack_commands: idsIn(asked?.command_acks, 'command_id'),
    };
  }

  private play(cues: readonly Cue[]): void {
    for (const { after, entry } of cues) {
      // Pongs are given for the pings of now; what was no JSON is not in the transcript.
      if (entry.kind === 'frame' && (asObject(entry.frame)?.type ?? 'pong') === 'pong') continue;
      this.later(after, () => {
        const socket = this.live;
        if (socket === undefined || socket.readyState !== socket.OPEN) return;
        this.options.log(entry.kind === 'close' ? `closing with ${entry.code}` : 'to the agent: a frame');
        if (entry.kind === 'frame') socket.send(JSON.stringify(this.now(entry.frame, entry.at)));
        else if (entry.code === 1006 || entry.code === 1005) socket.terminate();
        else socket.close(entry.code);
      });
    }
  }

  private now(value: unknown, at: number): unknown {
    const then = Date.parse(this.transcript.head.at) + at;
    return asOfNow(value, { ms: this.options.clock.now() - then, names: this.names });
  }

  private later(ms: number, run: () => void): void {
    const timer = this.options.clock.after(ms / this.options.speed, () => {
      this.timers.delete(timer);
      run();
    });
    this.timers.add(timer);
  }

  private of<K extends Entry['kind']>(kind: K): EntryOf<K>[] {
    return this.transcript.entries.filter((entry): entry is EntryOf<K> => entry.kind === kind);
  }
}

function idsIn(list: unknown, key: string): unknown[] {
  return Array.isArray(list) ? list.map((item) => asObject(item)?.[key]) : [];
}

function reply(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(body === undefined ? '' : JSON.stringify(body));
}
