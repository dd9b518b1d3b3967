import { UNVERIFIED } from './verifiedTls.js';

let taken: NodeJS.ProcessEnv = {};

/** The environment as this process was given it. The only place that reads it: whoever needs a variable is given it. */
export function environment(): NodeJS.ProcessEnv {
  return Object.keys(taken).length === 0 ? process.env : { ...process.env, ...taken };
}

/**
 * For the program, whose connections are verified whatever Node is asked: Node does not see the variable that asks it not to, so that
 * it does not say what is not so ("makes TLS connections … insecure") beside what we say (`tls_setting_ignored`).
 */
export function hideFromNode(): void {
  const value = process.env[UNVERIFIED];
  if (value === undefined) return;
  taken = { [UNVERIFIED]: value };
  delete process.env[UNVERIFIED];
}
