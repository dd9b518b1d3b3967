import { spawnSync } from 'node:child_process';
import { childEnvironment } from './childEnvironment.js';
import { environment } from './environment.js';
import { programs } from './programs.js';

/** What the Keychain gave. `failed`: why not, for a person; never a secret. */
type KeychainAnswer =
  | { readonly kind: 'found'; readonly value: string }
  | { readonly kind: 'failed'; readonly why: string };

const SERVICE = 'edge-agent';
const NO_SUCH_ENTRY = 'it has no such entry';
/** It answers within a few ms; if it waits for a dialog, there may be no one to answer. */
const PATIENCE_MS = 5_000;
/** `security -i` reads lines of so many bytes at most (SecurityTool/security.c). */
const LONGEST_LINE = 4_000;

/**
 * Reads a secret of ours from the login Keychain of this user: security(1). An entry created by `security` can be read
 * by `security` without a dialog. Blocks for at most 5 s.
 */
export function readKeychain(account: string): KeychainAnswer {
  const end = security(['find-generic-password', '-s', SERVICE, '-a', account, '-w']);
  return typeof end === 'string'
    ? { kind: 'failed', why: end }
    : { kind: 'found', value: end.stdout.replace(/\n$/, '') };
}

/**
 * Puts a secret of ours there, in the place of one that is there, and reads it back. It goes by stdin and in hex, as every
 * user of the Mac may list arguments. Returns why it failed; undefined if it did not.
 */
export function writeKeychain(account: string, value: string): string | undefined {
  const hex = Buffer.from(value).toString('hex');
  const command = `add-generic-password -U -s ${SERVICE} -a ${account} -X ${hex}\n`;
  if (command.length > LONGEST_LINE) return 'it is too long for the Keychain';
  const end = security(['-i'], command);
  if (typeof end === 'string') return end;
  const back = readKeychain(account);
  if (back.kind === 'failed') return back.why;
  return back.value === value ? undefined : 'it returned something other than what was stored';
}

/** Removes a secret of ours. Returns why it failed; undefined if it is gone, or was not there. */
export function deleteKeychain(account: string): string | undefined {
  const end = security(['delete-generic-password', '-s', SERVICE, '-a', account]);
  return typeof end === 'string' && end !== NO_SUCH_ENTRY ? end : undefined;
}

function security(args: readonly string[], input = ''): { stdout: string } | string {
  const { status, stdout, error } = spawnSync(programs().security, args, {
    env: childEnvironment(environment()),
    input,
    timeout: PATIENCE_MS,
    encoding: 'utf8',
  });
  // One that ends without reading what it is given leaves an error too; its exit code says more.
  if (status !== null) return status === 0 ? { stdout } : reason(status);
  const isAbsent = error !== undefined && 'code' in error && error.code === 'ENOENT';
  return isAbsent
    ? 'there is no Keychain on this machine'
    : 'it did not answer (is there a dialog on the screen?)';
}

/** security(1) ends with the last eight bits of a result of the Security framework. */
function reason(status: number): string {
  if (status === 44) return NO_SUCH_ENTRY;
  if (status === 36) return 'it is locked; over SSH: security unlock-keychain';
  return `security ended with ${status}`;
}
