import { type LinkRules, PROTOCOL_RULES } from './linkTypes.js';

/** Every wait of the room, in ms; the defaults are the protocol's. */
export interface Timings {
  readonly link: Partial<LinkRules>;
  readonly registration: {
    /** How long the first attempt may hold back the link. */
    readonly firstMs: number;
    readonly retryMs: { readonly first: number; readonly longest: number };
  };
  /** The first poll after the start: a socket that opens meanwhile makes it needless. */
  readonly firstPollMs: number;
  /** Between syncs that carry events beside a live socket. */
  readonly eventSyncMs: number;
  /** An ack without pong for this long also goes by HTTP. */
  readonly ackOverdueMs: number;
  readonly statusEveryMs: number;
  readonly lastSyncMs: number;
}

export const DEFAULT_TIMINGS: Timings = {
  link: {},
  registration: { firstMs: 5_000, retryMs: { first: 1_000, longest: 60_000 } },
  firstPollMs: 1_000,
  eventSyncMs: 15_000,
  ackOverdueMs: 30_000,
  statusEveryMs: 300_000,
  lastSyncMs: 2_000,
};

/** The link's rules with the operator's ping interval, made anew only when that changes: they are read for each frame. */
export function linkRules(
  overrides: Partial<LinkRules>,
  settings: () => { readonly pingIntervalSeconds: number },
): () => LinkRules {
  let rules: LinkRules = { ...PROTOCOL_RULES, ...overrides };
  return () => {
    const pingIntervalMs = overrides.pingIntervalMs ?? settings().pingIntervalSeconds * 1_000;
    if (rules.pingIntervalMs !== pingIntervalMs) rules = { ...rules, pingIntervalMs };
    return rules;
  };
}
