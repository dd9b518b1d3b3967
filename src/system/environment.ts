import { UNVERIFIED } from './verifiedTls.js';

let taken: NodeJS.ProcessEnv = {};

/** The environment of this process. The only place that reads it: code that needs a variable gets it passed. */
export function environment(): NodeJS.ProcessEnv {
  return Object.keys(taken).length === 0 ? process.env : { ...process.env, ...taken };
}

/**
 * For the program, whose connections are always verified: Node does not see the variable that would disable that, so
 * that it does not print a wrong warning ("makes TLS connections … insecure") in addition to ours
 * (`tls_setting_ignored`).
 */
export function hideFromNode(): void {
  const value = process.env[UNVERIFIED];
  if (value === undefined) return;
  taken = { [UNVERIFIED]: value };
  delete process.env[UNVERIFIED];
}
