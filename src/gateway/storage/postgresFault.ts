import { describeError, EdgeError } from '../../errors.js';
import type { ErrorCode } from '../../model/errorCodes.js';

/** What follows from a failure of PostgreSQL. */
export interface PostgresFault {
  readonly error: EdgeError;
  /** What was undone by it may succeed if it is run again, on another connection unless this one is `kept`. */
  readonly mayRepeat: boolean;
  /** `gone`: it was lost, and the result of an unanswered COMMIT is not known. `discarded`: it must not be used again. */
  readonly connection: 'kept' | 'discarded' | 'gone';
}

const NO_REMEDY = '';
const RUN_REMEDY = 'Check that the database runs and can be reached; the gateway recovers on its own.';

/** A prepared statement, or its plan, from before a migration; or one that a pooler has dropped. */
const GONE_STATEMENT = '26000';

/** The statement `again`, on a connection that is `fresh`, or not at all. */
type Repeat = 'again' | 'fresh' | 'no';
type Meaning = readonly [states: RegExp, repeat: Repeat, code: ErrorCode, message: string, remedy: string];

const UNKNOWN: Meaning = [/^/, 'no', 'internal', 'PostgreSQL refused a statement', NO_REMEDY];

/** By SQLSTATE or its class (postgresql.org/docs/current/errcodes-appendix.html); the first that fits. */
const MEANINGS: readonly Meaning[] = [
  [/^40(001|P01)$/, 'again', 'storage_unavailable', 'Transactions were in conflict', NO_REMEDY],
  // After a failover the connection may lead to the old primary.
  [
    /^25006$/,
    'fresh',
    'storage_read_only',
    'The database takes no writes',
    'Let DATABASE_URL name the primary.',
  ],
  [
    /^53100$/,
    'no',
    'disk_full',
    'The disk of the database is full',
    'Free space on the disk of the database.',
  ],
  [/^55P03$/, 'no', 'storage_unavailable', 'A lock was not acquired in time', NO_REMEDY],
  [
    /^57014$/,
    'no',
    'storage_unavailable',
    'A statement took too long',
    'Find out what slows down the database.',
  ],
  [/^XX00[12]$/, 'no', 'store_damaged', 'The database is damaged', 'Restore a backup.'],
  [
    new RegExp(`^${GONE_STATEMENT}$`),
    'fresh',
    'storage_unavailable',
    'A prepared statement is gone',
    NO_REMEDY,
  ],
  [
    /^(08(?!P01)|53|57P|58|25P0[34])/,
    'fresh',
    'storage_unavailable',
    'The database ended the connection',
    RUN_REMEDY,
  ],
];

/** What an error of the driver means. No value of a statement is in the message: PostgreSQL's own may have some. */
export function postgresFault(cause: unknown): PostgresFault {
  if (cause instanceof EdgeError) return { error: cause, mayRepeat: false, connection: 'kept' };
  const { state, isFatal } = answerOf(cause);
  if (state === undefined) {
    const message = `The connection to the database was lost: ${describeError(cause)}.`;
    const error = new EdgeError('storage_unavailable', message, RUN_REMEDY, { cause });
    return { error, mayRepeat: true, connection: 'gone' };
  }
  const [, repeat, code, message, remedy] = MEANINGS.find(([states]) => states.test(state)) ?? UNKNOWN;
  const error = new EdgeError(code, `${message} (${state}).`, remedy, { cause });
  if (isFatal) return { error, mayRepeat: true, connection: 'gone' };
  return { error, mayRepeat: repeat !== 'no', connection: repeat === 'fresh' ? 'discarded' : 'kept' };
}

/** Why there is no connection. The password is in no message of the driver. */
export function connectFault(cause: unknown): EdgeError {
  if (cause instanceof EdgeError) return cause;
  const message = `The database cannot be reached: ${describeError(cause)}.`;
  return new EdgeError('storage_unavailable', message, RUN_REMEDY, { cause });
}

/** What PostgreSQL itself answered; no state if the driver or the network failed. */
function answerOf(error: unknown): { state: string | undefined; isFatal: boolean } {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) {
    return { state: undefined, isFatal: true };
  }
  const state = String(error.code);
  const isStalePlan = state === '0A000' && error.message.includes('cached plan');
  return {
    state: isStalePlan ? GONE_STATEMENT : state,
    isFatal: /^(FATAL|PANIC)$/.test(String(error.severity)),
  };
}
