/** A conversation or handle without the service before it: `iMessage;-;+1•••1234` → `+1•••1234`. */
export function personName(handle: string): string {
  return handle.replace(/^[A-Za-z]*;[-+];/, '');
}

/** The sender of a sent text: the agent, or a person with another device of the account. */
export function ownName(sender: string): string {
  return sender === 'operator' ? 'Operator' : 'Agent';
}
