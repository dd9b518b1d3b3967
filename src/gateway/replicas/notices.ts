import { z } from 'zod';
import { commandSchema, type StoredCommand } from '../ledger/commands.js';
import { NOTIFY_LIMIT_BYTES } from '../storage/GatewayDatabase.js';

/**
 * A notification between replicas: agents that something waits for, and sockets that have been taken over. `push`: for some of those agents
 * the one command that is new, which saves the other replica from asking the database. An older version does not know it, and asks.
 */
export interface Notice {
  readonly wake: readonly string[];
  readonly taken: readonly TakenSocket[];
  readonly push: readonly PushedCommand[];
}

/** A command that is stored at this position of its agent. */
export type PushedCommand = readonly [agentId: string, position: number, command: StoredCommand];

/** A socket that another replica holds now, under this epoch. */
export type TakenSocket = readonly [agentId: string, epoch: number];

const noticeSchema = z.object({
  wake: z.array(z.string()).optional(),
  taken: z.array(z.tuple([z.string(), z.number().int()])).optional(),
  push: z.array(z.tuple([z.string(), z.number().int(), commandSchema])).optional(),
});

/** The size of `{"wake":[],"taken":[],"push":[]}` without the entries. */
const FRAME_BYTES = 34;

/**
 * The payload of one notification, with as much as fits, and the rest. An entry that would fill a notification alone is
 * left out: the sweep of the other replica finds it.
 */
export function writeNotice({ wake, taken, push }: Notice): { payload: string; rest: Notice } {
  let room = NOTIFY_LIMIT_BYTES - FRAME_BYTES;
  const fits = (entry: string | TakenSocket | PushedCommand) => {
    room -= Buffer.byteLength(JSON.stringify(entry)) + 1;
    return room >= 0;
  };
  const sizes = { taken: countWhile(taken, fits), wake: countWhile(wake, fits) };
  const woken = wake.slice(0, sizes.wake);
  const isWoken = new Set(woken);
  const ofWoken = push.filter(([agentId]) => isWoken.has(agentId));
  // Where a command does not fit, the database is asked for it.
  const pushed = ofWoken.slice(0, countWhile(ofWoken, fits));
  const payload = JSON.stringify({ wake: woken, taken: taken.slice(0, sizes.taken), push: pushed });
  // Nothing fitted: the first entry is too large for any notification.
  const skipped = sizes.taken + sizes.wake === 0 ? 1 : 0;
  return {
    payload,
    rest: {
      taken: taken.slice(sizes.taken + (taken.length > 0 ? skipped : 0)),
      wake: wake.slice(sizes.wake + (taken.length > 0 ? 0 : skipped)),
      push: push.filter(([agentId]) => !isWoken.has(agentId)),
    },
  };
}

/** Undefined: from another version or unknown; it may mean anything. */
export function readNotice(payload: string): Notice | undefined {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return undefined;
  }
  const { data } = noticeSchema.safeParse(value);
  return data === undefined
    ? undefined
    : { wake: data.wake ?? [], taken: data.taken ?? [], push: data.push ?? [] };
}

function countWhile<T>(entries: readonly T[], holds: (entry: T) => boolean): number {
  const first = entries.findIndex((entry) => !holds(entry));
  return first === -1 ? entries.length : first;
}
