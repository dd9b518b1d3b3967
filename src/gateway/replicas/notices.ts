import { z } from 'zod';
import { commandSchema, type StoredCommand } from '../ledger/commands.js';
import { jsonColumn } from '../ledger/readRows.js';
import type { SecretBox } from '../ledger/SecretBox.js';
import { NOTIFY_LIMIT_BYTES } from '../storage/GatewayDatabase.js';

/**
 * A notification between replicas: agents that something waits for, and sockets that have been taken over. `push`: for some of those agents
 * the one command that is new, which saves the other replica from asking the database. An older version does not know it, and asks.
 * Every user of the database may listen and notify, so a command is sealed: no other one reads it, and none is sent that another made up.
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

/** What seals the commands: the key of the gateway, which each replica has. */
export type NoticeBox = Pick<SecretBox, 'seal' | 'open'>;

const SEALED_FOR = 'replicas';

const noticeSchema = z.object({
  wake: z.array(z.string()).optional(),
  taken: z.array(z.tuple([z.string(), z.number().int()])).optional(),
  sealed: z.array(z.string()).optional(),
});
const pushedSchema = jsonColumn(z.tuple([z.string(), z.number().int(), commandSchema]));

/** The size of `{"wake":[],"taken":[],"sealed":[]}` without the entries. */
const FRAME_BYTES = 36;

/**
 * The payload of one notification, with as much as fits, and the rest. An entry that would fill a notification alone is
 * left out: the sweep of the other replica finds it.
 */
export function writeNotice(
  { wake, taken, push }: Notice,
  box: NoticeBox,
): { payload: string; rest: Notice } {
  let room = NOTIFY_LIMIT_BYTES - FRAME_BYTES;
  const fits = (entry: string | TakenSocket) => {
    room -= Buffer.byteLength(JSON.stringify(entry)) + 1;
    return room >= 0;
  };
  const sizes = { taken: countWhile(taken, fits), wake: countWhile(wake, fits) };
  const woken = wake.slice(0, sizes.wake);
  const isWoken = new Set(woken);
  const ofWoken = push.filter(([agentId]) => isWoken.has(agentId));
  const sealed: string[] = [];
  for (const pushed of ofWoken) {
    const text = JSON.stringify(pushed);
    // Where a command does not fit, the database is asked for it. Sealed it is longer.
    if (room < text.length) break;
    const entry = box.seal(text, SEALED_FOR);
    if (!fits(entry)) break;
    sealed.push(entry);
  }
  const payload = JSON.stringify({ wake: woken, taken: taken.slice(0, sizes.taken), sealed });
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
export function readNotice(payload: string, box: NoticeBox): Notice | undefined {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return undefined;
  }
  const { data } = noticeSchema.safeParse(value);
  return data === undefined
    ? undefined
    : {
        wake: data.wake ?? [],
        taken: data.taken ?? [],
        push: (data.sealed ?? []).flatMap((sealed) => opened(sealed, box)),
      };
}

/** None where it was sealed with a key that is not known here (yet), or by someone else: the database is asked. */
function opened(sealed: string, box: NoticeBox): PushedCommand[] {
  try {
    const { data } = pushedSchema.safeParse(box.open(sealed, SEALED_FOR));
    return data === undefined ? [] : [data];
  } catch {
    return [];
  }
}

function countWhile<T>(entries: readonly T[], holds: (entry: T) => boolean): number {
  const first = entries.findIndex((entry) => !holds(entry));
  return first === -1 ? entries.length : first;
}
