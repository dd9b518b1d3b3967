import type { ConformanceCheck } from './check.js';
import { ACKS } from './checks/acks.js';
import { AUTHENTICATION, PRESENCE } from './checks/authentication.js';
import { COMMANDS } from './checks/commands.js';
import { MESSAGES } from './checks/messages.js';
import { REGISTRATION } from './checks/registration.js';
import { SIZES } from './checks/sizes.js';
import { SOCKET } from './checks/socket.js';
import { SYNC } from './checks/sync.js';
import { TRANSPORT } from './checks/transport.js';

/** Every check, each after those that it needs. */
export const CHECKS: readonly ConformanceCheck[] = [
  ...TRANSPORT,
  ...REGISTRATION,
  ...PRESENCE,
  ...AUTHENTICATION,
  ...SOCKET,
  ...SYNC,
  ...COMMANDS,
  ...ACKS,
  ...MESSAGES,
  ...SIZES,
];

/** Those that are named, with all that they need; undefined: all. The names must be those of checks. */
export function chosenChecks(only: readonly string[] | undefined): readonly ConformanceCheck[] {
  if (only === undefined) return CHECKS;
  const wanted = new Set(only);
  // Backwards: prerequisites of a check come before it.
  for (const check of CHECKS.toReversed()) {
    if (wanted.has(check.id)) for (const id of [...(check.needs ?? []), REACHABLE]) wanted.add(id);
  }
  return CHECKS.filter(({ id }) => wanted.has(id));
}

/** Without this one nothing else can be judged. */
export const REACHABLE = 'transport.reachable';
