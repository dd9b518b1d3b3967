import { z } from 'zod';
import { auth, backend, edge, websocket } from './sections/connection.js';
import {
  alerts,
  contacts,
  health,
  logging,
  monitor,
  state,
  supervisor,
  updates,
} from './sections/machine.js';
import { forward, imessage } from './sections/messages.js';
import { acks, attachments, commands, outgoing, privacy, schedule } from './sections/sending.js';

/**
 * Every setting: the one source of validation, defaults, environment names and documentation. A setting without
 * default that is not optional must be given, unless its notes call its default derived.
 */
export const configSchema = z.strictObject({
  edge,
  backend,
  auth,
  websocket,
  imessage,
  forward,
  outgoing,
  attachments,
  schedule,
  commands,
  acks,
  privacy,
  supervisor,
  contacts,
  monitor,
  health,
  alerts,
  updates,
  state,
  logging,
});

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

/** The settings as the program uses them: complete, valid, absolute paths, frozen. Holds no secret: may be printed. */
export type Config = Frozen<z.output<typeof configSchema>>;
