/** The id of an agent that has no other: `edge_` and the digits of its phone, or its e-mail address in lower case (protocol §1). */
export function agentIdOf(account: string): string {
  return `edge_${account.replace(/^\+/, '').toLowerCase()}`;
}

/** Names that can be an agent's: printable, without spaces, at most 128 characters. */
export function isAgentId(text: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(text);
}
