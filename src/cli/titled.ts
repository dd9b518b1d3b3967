import { shownText } from './terminal.js';

/** A conversation for a person: by its name, where one is known, and its masked number or id. */
export function titled({ conversation, name }: { conversation: string; name: string | null }): string {
  return (name ?? '') === '' ? conversation : `${shownText(name ?? '')} (${conversation})`;
}
