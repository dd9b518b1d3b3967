/** A conversation or handle without the service before it: `iMessage;-;+1•••1234` → `+1•••1234`. */
export function personName(handle: string): string {
  return handle.replace(/^[A-Za-z]*;[-+];/, '');
}
