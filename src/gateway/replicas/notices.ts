import { z } from 'zod';
import { NOTIFY_LIMIT_BYTES } from '../storage/GatewayDatabase.js';

/** A notification between replicas: agents that something waits for, and sockets that have been taken over. */
export interface Notice {
  readonly wake: readonly string[];
  readonly taken: readonly TakenSocket[];
}

/** A socket that another replica holds now, under this epoch. */
export type TakenSocket = readonly [agentId: string, epoch: number];

const noticeSchema = z.object({
  wake: z.array(z.string()).optional(),
  taken: z.array(z.tuple([z.string(), z.number().int()])).optional(),
});

/** The size of `{"wake":[],"taken":[]}` without the entries. */
const FRAME_BYTES = 24;

/**
 * The payload of one notification, with as much as fits, and the rest. An entry that would fill a notification alone is
 * left out: the sweep of the other replica finds it.
 */
export function writeNotice({ wake, taken }: Notice): { payload: string; rest: Notice } {
  let room = NOTIFY_LIMIT_BYTES - FRAME_BYTES;
  const fits = (entry: string | TakenSocket) => {
    room -= Buffer.byteLength(JSON.stringify(entry)) + 1;
    return room >= 0;
  };
  const sizes = { taken: countWhile(taken, fits), wake: countWhile(wake, fits) };
  const payload = JSON.stringify({
    wake: wake.slice(0, sizes.wake),
    taken: taken.slice(0, sizes.taken),
  });
  // Nothing fitted: the first entry is too large for any notification.
  const skipped = sizes.taken + sizes.wake === 0 ? 1 : 0;
  return {
    payload,
    rest: {
      taken: taken.slice(sizes.taken + (taken.length > 0 ? skipped : 0)),
      wake: wake.slice(sizes.wake + (taken.length > 0 ? 0 : skipped)),
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
  return data === undefined ? undefined : { wake: data.wake ?? [], taken: data.taken ?? [] };
}

function countWhile<T>(entries: readonly T[], holds: (entry: T) => boolean): number {
  const first = entries.findIndex((entry) => !holds(entry));
  return first === -1 ? entries.length : first;
}
