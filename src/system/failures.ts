import { EdgeError } from '../errors.js';
import type { ErrorCode } from '../model/errorCodes.js';
import type { Problem } from '../model/problem.js';

/**
 * Whose fault it is that something was not done. This alone decides whether it is tried again:
 * OWNER_RULES says how.
 */
export type FailureOwner = 'text' | 'recipient' | 'machine' | 'messages' | 'backend';

/** What follows from a failure, by its owner. The words are those of docs/operating.md. */
export const OWNER_RULES: Readonly<Record<FailureOwner, string>> = {
  text: 'Fails permanently: the same text would fail again.',
  recipient: 'The next form of the target is tried immediately; after the last one it fails permanently.',
  machine:
    'Kept in order and retried every 2 s to 30 s until the fault is fixed. The agent is degraded meanwhile.',
  messages:
    'Tried three times within about ten seconds if nothing can have been sent; then it fails permanently.',
  backend:
    'Data for the backend is kept and offered again; an invalid request of the backend fails permanently.',
};

/** Whose fault the failures are by which a text, a file or a command can end or be held up. */
export const FAILURE_OWNERS = {
  disk_full: 'machine',
  too_many_files: 'machine',
  machine_exhausted: 'machine',
  state_unwritable: 'machine',
  osascript_missing: 'machine',
  automation_pending: 'machine',
  clock_skew: 'machine',
  automation_denied: 'messages',
  messages_unavailable: 'messages',
  send_refused: 'messages',
  not_delivered: 'recipient',
  outcome_unknown: 'messages',
  text_too_long: 'text',
  invalid_payload: 'backend',
  unknown_command: 'backend',
  attachment_refused: 'text',
  attachment_unavailable: 'text',
  attachment_unknown: 'backend',
  too_late: 'text',
  answer_withdrawn: 'text',
  backend_unauthorised: 'backend',
  backend_unreachable: 'backend',
  registration_refused: 'backend',
} as const satisfies Partial<Record<ErrorCode, FailureOwner>>;

/** The owner of a code; undefined for a code that says nothing of a text, a file or a command. */
export function ownerOf(code: ErrorCode): FailureOwner | undefined {
  return code in FAILURE_OWNERS ? FAILURE_OWNERS[code as keyof typeof FAILURE_OWNERS] : undefined;
}

/** The codes of this machine's faults that end no text and no file. */
export type MachineCode =
  | 'disk_full'
  | 'too_many_files'
  | 'machine_exhausted'
  | 'state_unwritable'
  | 'osascript_missing'
  | 'automation_pending';

const MACHINE_CODES: readonly string[] = [
  'disk_full',
  'too_many_files',
  'machine_exhausted',
  'state_unwritable',
  'osascript_missing',
  'automation_pending',
] satisfies MachineCode[];

/** Whether what failed with this code is kept until the fault is gone. */
export function isMachineCode(code: string): code is MachineCode {
  return MACHINE_CODES.includes(code);
}

/** A fault of this machine. `message` is a sentence; neither it nor `remedy` names a path or a person. */
export type MachineFault = Omit<Problem<number, MachineCode>, 'since'>;

/**
 * `anywhere`: a fault of this machine, for any file. `own`: a fault of this machine only if the file is the agent's
 * own; another file may be missing or unreadable itself.
 */
type FaultScope = 'anywhere' | 'own';

interface ErrnoFailure extends MachineFault {
  readonly scope: FaultScope;
}

const FILES_REMEDY =
  'Stop what holds so many files open, or raise the limit (ulimit -n, launchctl limit maxfiles); the agent recovers on its own.';
const LOAD_REMEDY = 'Stop what uses up processes or memory; the agent recovers on its own.';
const ROOM_REMEDY = 'Free space on the disk (bytes and inodes); the agent recovers on its own.';
const RIGHTS_REMEDY =
  'Check the owner and permissions of state.directory and that its disk is mounted for writing; the agent recovers on its own.';
const DEVICE_REMEDY = 'Check the disk of state.directory; the agent recovers on its own.';

/**
 * What the system's error codes say of this machine. Source: errno(2) of macOS and errno(3) of Linux. A code that is
 * missing here counts as `state_unwritable` in the agent's own directories, and as no fault of this machine elsewhere.
 */
export const ERRNO_FAILURES: Readonly<Record<string, ErrnoFailure>> = {
  EMFILE: anywhere('too_many_files', 'The agent cannot open any more files', FILES_REMEDY),
  ENFILE: anywhere('too_many_files', 'The system cannot open any more files', FILES_REMEDY),
  EAGAIN: anywhere('machine_exhausted', 'No more processes can be started', LOAD_REMEDY),
  EPROCLIM: anywhere('machine_exhausted', 'No more processes can be started', LOAD_REMEDY),
  ENOMEM: anywhere('machine_exhausted', 'There is no memory left', LOAD_REMEDY),
  ENOBUFS: anywhere('machine_exhausted', 'The system has no buffers left', LOAD_REMEDY),
  ENOSPC: own('disk_full', 'The disk is full, or has no inodes left', ROOM_REMEDY),
  EDQUOT: own('disk_full', 'The quota of this user is used up', ROOM_REMEDY),
  EFBIG: own(
    'machine_exhausted',
    'A file has reached the size limit (ulimit -f)',
    'Raise the limit on file size; then restart the agent.',
  ),
  EROFS: own('state_unwritable', 'The disk is mounted read-only', RIGHTS_REMEDY),
  EACCES: own('state_unwritable', 'This user has no permission to write there', RIGHTS_REMEDY),
  EPERM: own('state_unwritable', 'The system does not let the agent write there', RIGHTS_REMEDY),
  ENOENT: own('state_unwritable', 'A directory of the agent is missing', RIGHTS_REMEDY),
  ENOTDIR: own('state_unwritable', 'There is a file where a directory of the agent should be', RIGHTS_REMEDY),
  EIO: own('state_unwritable', 'The disk has an I/O error', DEVICE_REMEDY),
  ENXIO: own('state_unwritable', 'The disk is gone', DEVICE_REMEDY),
  ENODEV: own('state_unwritable', 'The disk is gone', DEVICE_REMEDY),
  ESTALE: own('state_unwritable', 'The disk is gone', DEVICE_REMEDY),
  ETIMEDOUT: own('state_unwritable', 'The disk does not respond', DEVICE_REMEDY),
};

/** What SQLite's answers say of the disk of the store, by the beginning of the answer. Source: sqlite.org/rescode.html. */
export const SQLITE_FAILURES = {
  SQLITE_FULL: 'disk_full',
  SQLITE_IOERR: 'state_unwritable',
  SQLITE_BUSY: 'state_unwritable',
  SQLITE_READONLY: 'state_unwritable',
  SQLITE_CANTOPEN: 'state_unwritable',
} as const satisfies Readonly<Record<string, MachineCode>>;

function anywhere(code: MachineCode, message: string, remedy: string): ErrnoFailure {
  return { scope: 'anywhere', code, message: `${message}.`, remedy };
}

function own(code: MachineCode, message: string, remedy: string): ErrnoFailure {
  return { scope: 'own', code, message: `${message}.`, remedy };
}

/** The system's code of what failed, also where it is the cause of an error of ours; undefined if there is none. */
export function systemCode(error: unknown): string | undefined {
  if (error instanceof EdgeError && error.cause !== undefined) return systemCode(error.cause);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the system's code says that this machine has run out of something, whatever file or program was meant. */
export function exhaustion(code: string | undefined): MachineFault | undefined {
  const known = code === undefined ? undefined : ERRNO_FAILURES[code];
  return known?.scope === 'anywhere' ? faultOf(known) : undefined;
}

/** What a failed step on the agent's own files says of this machine; undefined if the system refused nothing. */
export function ownFileFault(error: unknown): MachineFault | undefined {
  const code = systemCode(error);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code) || code === 'EEXIST') return undefined;
  const known = ERRNO_FAILURES[code];
  if (known !== undefined) return faultOf(known);
  return {
    code: 'state_unwritable',
    message: `The agent's own files cannot be written (${code}).`,
    remedy: RIGHTS_REMEDY,
  };
}

function faultOf({ code, message, remedy }: ErrnoFailure): MachineFault {
  return { code, message, remedy };
}

const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 30_000;

/** How long to wait, in ms, after so many failures of this machine in a row (1 or more). */
export function machinePause(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10), LONGEST_PAUSE_MS);
}
