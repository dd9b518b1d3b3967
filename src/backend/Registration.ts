import pRetry from 'p-retry';
import { z } from 'zod';
import type { Logger } from '../logging/Logger.js';
import type { RegisterRequest } from '../model/agentBodies.js';
import { agentIdOf } from '../model/agentId.js';
import type { Problem } from '../model/problem.js';
import type { Clock } from '../system/clock.js';
import { type HttpClient, NO_SUCH_ENDPOINT } from './HttpClient.js';
import { asObject, parseAccepts } from './protocol.js';
import type { BackendSecrets, BackendSettings, BackendStore } from './settings.js';

/** Where the store's `meta` keeps what the registration gave. */
export const REGISTRATION_KEY = 'backend.registration';
const CAPABILITIES = [
  'send_message_now',
  'schedule_message',
  'cancel_scheduled',
  'list_scheduled',
  'websocket',
  'http_sync',
];

const savedSchema = z.object({
  phone: z.string(),
  backend: z.string(),
  agentId: z.string(),
  token: z.string().optional(),
  accepts: z.array(z.string()).default([]),
});
type Saved = z.infer<typeof savedSchema>;

const replySchema = z.object({
  edge_agent_id: z
    .union([z.string().trim().min(1), z.number().transform(String)])
    .optional()
    .catch(undefined),
  auth_token: z.string().trim().min(1).optional().catch(undefined),
});

interface RegistrationPorts {
  readonly http: HttpClient;
  readonly meta: BackendStore['meta'];
  readonly settings: () => BackendSettings;
  readonly secrets: () => BackendSecrets;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** How long the first attempt may hold back the link, ms. */
  readonly firstMs: number;
  readonly retryMs: { readonly first: number; readonly longest: number };
  /** The backend accepted us, perhaps under another id. */
  readonly onRegistered: () => void;
}

/**
 * Makes this agent known to the backend, once for a phone and a backend; the id it gives is kept in the store. Until
 * it succeeds it is tried again with backoff, and nothing waits for it but the first dial, and that briefly.
 */
export class Registration {
  private saved: Saved | null;
  private running: AbortController | null = null;
  private attempting: Promise<void> | null = null;
  private refused: Problem<number> | null = null;
  private notNeeded = false;
  private isStopped = false;

  constructor(private readonly ports: RegistrationPorts) {
    this.saved = readSaved(ports.meta.get(REGISTRATION_KEY));
  }

  agentId(): string {
    return agentIdFor(this.ports.settings(), this.saved);
  }

  token(): string | undefined {
    return this.ours()?.token;
  }

  accepts(): readonly string[] {
    return this.ours()?.accepts ?? [];
  }

  problem(): Problem<number> | null {
    return this.refused;
  }

  /** Registers unless that was done for this phone and backend. Resolves when the first attempt ended, or after `firstMs`. */
  start(): Promise<void> {
    return this.ours() || this.notNeeded ? Promise.resolve() : this.again();
  }

  /** If it was refused, tries immediately: the problem may be fixed. */
  retry(): void {
    if (this.refused !== null) void this.again();
  }

  /** Nothing is tried after it. */
  stop(): void {
    this.isStopped = true;
    this.running?.abort();
  }

  /** Registers again until that succeeds: the backend refuses us, or the credentials changed. Resolves as `start` does. */
  again(): Promise<void> {
    if (this.isStopped) return Promise.resolve();
    this.running?.abort();
    const running = new AbortController();
    this.running = running;
    const { first, longest } = this.ports.retryMs;
    let firstEnded: () => void;
    const firstAttempt = new Promise<void>((resolve) => {
      firstEnded = resolve;
    });
    void pRetry(() => this.attempt().finally(() => firstEnded()), {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: first,
      maxTimeout: longest,
      randomize: true,
      unref: true,
      signal: running.signal,
    })
      // Each failure was reported where it happened; the series ends with success or with our stop.
      .catch(() => firstEnded())
      .finally(() => {
        if (this.running === running) this.running = null;
      });
    return this.briefly(firstAttempt);
  }

  /** Resolves with the attempt, however it ends, or after `firstMs`. */
  private briefly(attempt: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.ports.clock.after(this.ports.firstMs, resolve);
      const done = () => {
        timer.cancel();
        resolve();
      };
      attempt.then(done, done);
    });
  }

  /** One attempt at a time. Rejects when it is worth trying again. */
  private attempt(): Promise<void> {
    this.attempting ??= this.register().finally(() => {
      this.attempting = null;
    });
    return this.attempting;
  }

  private async register(): Promise<void> {
    const settings = this.ports.settings();
    const token = this.ports.secrets().registrationToken?.trim();
    const body: RegisterRequest = {
      user_phone: settings.userPhone,
      ...(settings.appleId ? { apple_id: settings.appleId } : {}),
      version: this.ports.version,
      capabilities: CAPABILITIES,
      ...(token ? { auth_token: token, registration_token: token } : {}),
    };
    const outcome = await this.ports.http.post({
      path: '/edge/register',
      anonymous: token !== undefined && token !== '',
      timeoutMs: settings.requestTimeoutSeconds * 1_000,
      body,
    });
    if (outcome.kind === 'failed') throw new Error(`registration failed: ${outcome.detail}`);
    const { status } = outcome;
    if (NO_SUCH_ENDPOINT.has(status)) {
      this.notNeeded = true;
      this.refused = null;
      this.ports.log.debug('This backend needs no registration', { status });
      return;
    }
    if (status === 409 || (outcome.kind === 'ok' && outcome.json !== undefined))
      return this.keep(outcome.json, settings);
    if (status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429) {
      this.refuse(status, token !== undefined);
    }
    throw new Error(`registration failed: ${outcome.detail}`);
  }

  private keep(json: unknown, settings: BackendSettings): void {
    const body = asObject(json) ?? {};
    const reply = replySchema.parse(asObject(body.data) ?? body);
    this.refused = null;
    const before = this.ours();
    const saved: Saved = {
      phone: settings.userPhone,
      backend: settings.httpBase,
      agentId: reply.edge_agent_id ?? this.agentId(),
      ...((reply.auth_token ?? before?.token) ? { token: reply.auth_token ?? before?.token } : {}),
      accepts: [...(parseAccepts(body) ?? before?.accepts ?? [])],
    };
    this.ports.meta.set(REGISTRATION_KEY, JSON.stringify(saved));
    this.saved = saved;
    this.ports.log.info('Registered with the backend', { agent: this.agentId() });
    this.ports.onRegistered();
  }

  private refuse(status: number, hadToken: boolean): void {
    const first = this.refused === null;
    this.refused = {
      code: 'registration_refused',
      since: this.refused?.since ?? this.ports.clock.now(),
      message: `The backend refused our registration (HTTP ${status}); continuing as ${this.agentId()}.`,
      remedy: hadToken
        ? 'Check REGISTRATION_TOKEN, EDGE_SECRET and edge.user_phone with the operator of the backend.'
        : 'Check that EDGE_SECRET is the same here and on the backend. If the backend expects a registration token, put it into .env as REGISTRATION_TOKEN. The agent retries on its own.',
    };
    if (first) this.ports.log.error(`${this.refused.message} ${this.refused.remedy}`);
  }

  private ours(): Saved | null {
    return fitting(this.saved, this.ports.settings());
  }
}

/** The id that the agent goes by: from the configuration, else from a registration, else made of the phone's digits. */
export function agentIdFor(settings: BackendSettings, saved: Saved | null): string {
  const registered = fitting(saved, settings)?.agentId;
  return settings.edgeAgentId ?? registered ?? agentIdOf(settings.userPhone);
}

/** What was kept, if it is for that phone and backend. */
export function fitting(saved: Saved | null, settings: BackendSettings): Saved | null {
  return saved?.phone === settings.userPhone && saved.backend === settings.httpBase ? saved : null;
}

/** Reads what is kept under `REGISTRATION_KEY`. */
export function readSaved(text: string | undefined): Saved | null {
  if (text === undefined) return null;
  try {
    return savedSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    // If the record of an earlier registration is unreadable, the agent registers again.
    return null;
  }
}
