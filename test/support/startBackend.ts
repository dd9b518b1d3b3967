import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Backend } from '../../src/backend/Backend.js';
import type { BackendOptions, BackendSecrets, BackendSettings, Timings } from '../../src/backend/settings.js';
import type { Logger } from '../../src/logging/Logger.js';
import type { Command } from '../../src/model/command.js';
import type { Store } from '../../src/store/Store.js';
import { systemClock } from '../../src/system/clock.js';
import type { FakeBackend } from './FakeBackend.js';
import { outboundBy } from './outbound.js';
import { PATIENCE_MS } from './patience.js';
import { openTestStore } from './temporaryStore.js';

export const AGENT_ID = 'edge_13105550100';

/**
 * The protocol's waits, shorter: some hundred times where something is done again, some ten where an answer is given up, lest a busy machine do
 * it. No handshake is given up: for which one a machine needs is not for a test to know. */
export const FAST: Partial<Timings> = {
  link: {
    pingIntervalMs: 300,
    pongTimeoutMs: 600,
    suspicionMs: 200,
    wsPingIntervalMs: 80,
    wsPongTimeoutMs: 300,
    hurryMs: 10,
    provingMs: PATIENCE_MS,
    dialFirstMs: PATIENCE_MS,
    dialLongestMs: PATIENCE_MS,
    wakePingMs: 200,
    stableMs: 400,
    backoffMs: [20, 40, 80, 160, 300],
    takenOverMs: 400,
    blockedFastMs: 600,
    blockedFastForMs: 6_000,
    blockedSlowMs: 3_000,
    reregisterMs: 100,
    barrierMs: 500,
    closeMs: 300,
  },
  registration: { firstMs: 3_000, retryMs: { first: 30, longest: 200 } },
  firstPollMs: 300,
  eventSyncMs: 100,
  ackOverdueMs: 250,
  ackRetryMs: { first: 30, longest: 200 },
  lastSyncMs: 300,
};

/** Deadlines of a link that no busy machine reaches: for a test that counts handshakes, or how far apart they are. */
export const PATIENT: Partial<Timings> = {
  link: {
    pongTimeoutMs: PATIENCE_MS,
    wsPongTimeoutMs: PATIENCE_MS,
    provingMs: PATIENCE_MS,
    dialFirstMs: PATIENCE_MS,
    dialLongestMs: PATIENCE_MS,
    barrierMs: PATIENCE_MS,
  },
};

export interface Running {
  readonly backend: Backend;
  readonly store: Store;
  readonly settings: { -readonly [Key in keyof BackendSettings]: BackendSettings[Key] };
  readonly secrets: { -readonly [Key in keyof BackendSecrets]: BackendSecrets[Key] };
  readonly received: { command: Command; via: string }[];
  readonly batches: number[];
  readonly lines: string[];
  readonly updates: Record<string, unknown>[];
  /** Lets the inbox fail, as a full disk would. */
  readonly inbox: { broken: boolean };
  stop(): Promise<void>;
}

/** A Backend with real sockets, a real store and short waits against a fake backend. Not started. */
export function makeBackend(
  fake: Pick<FakeBackend, 'url' | 'happened'>,
  overrides: {
    settings?: Partial<BackendSettings>;
    timings?: Partial<Timings>;
    directory?: string;
    options?: Partial<BackendOptions>;
  } = {},
): Running {
  const directory = overrides.directory ?? mkdtempSync(join(tmpdir(), 'edge-backend-'));
  const lines: string[] = [];
  const log = recorder(lines, () => fake.happened());
  const store = openTestStore(join(directory, 'store.sqlite'), { clock: systemClock, log });
  const { url } = fake;
  const settings: Running['settings'] = {
    userPhone: '+13105550100',
    httpBase: url,
    webSocketUrl: (agentId) => `${url.replace('http', 'ws')}/edge/ws?edge_agent_id=${agentId}`,
    syncIntervalSeconds: 0.15,
    requestTimeoutSeconds: 2,
    safetySyncSeconds: 0,
    websocketEnabled: true,
    reconnectAttempts: 10,
    pingIntervalSeconds: 30,
    authMode: 'hmac',
    allowPlainSecret: false,
    ...overrides.settings,
  };
  const secrets: Running['secrets'] = { edgeSecret: 'open sesame' };
  const received: Running['received'] = [];
  const batches: number[] = [];
  const updates: Record<string, unknown>[] = [];
  const inbox = { broken: false };
  const backend = new Backend({
    config: () => settings,
    secrets: () => secrets,
    outbound: outboundBy(),
    version: '0.1.0',
    platform: 'linux',
    clock: systemClock,
    random: () => 0,
    log,
    store,
    inbox: {
      receive: (commands, via) => {
        if (inbox.broken) throw new Error('disk full');
        batches.push(commands.length);
        for (const command of commands) received.push({ command, via });
        fake.happened();
      },
    },
    snapshot: () => ({ version: '0.1.0', state: 'healthy' }),
    onConfigUpdate: (update) => {
      updates.push(update);
      fake.happened();
    },
    timings: { ...FAST, ...overrides.timings, link: { ...FAST.link, ...overrides.timings?.link } },
    ...overrides.options,
  });
  return {
    ...{ backend, store, settings, secrets, received, batches, lines, updates, inbox },
    stop: async () => {
      await backend.drain(500);
      store.close();
      if (overrides.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

function recorder(lines: string[], happened: () => void): Logger {
  const write =
    (level: string) =>
    (message: string, fields: object = {}) => {
      lines.push(
        `[${level}] ${message}${Object.entries(fields)
          .map(([key, value]) => ` ${key}=${value}`)
          .join('')}`,
      );
      happened();
    };
  return { debug: write('DEBUG'), info: write('INFO'), warn: write('WARN'), error: write('ERROR') };
}
