import type { Conversation } from '../monitor-client/index.js';
import { mask } from './mask.js';
import { personName } from './personName.js';

/** How conversations and people are named on the page: by name where one is known, else by number, masked unless it is to be shown. */
export interface People {
  /** Of a conversation by its canonical key. */
  nameOf(conversation: string): string;
  /** A text of the agent, in which numbers are masked, with the people in it named so. */
  named(text: string): string;
}

/** A masked number or address within a text: `+1•••1234`. */
const MASKED = /[^\s:,;()"'=]*•••[^\s:,;()"'=]*[^\s:,;()"'=.!?•]|[^\s:,;()"'=]+•••/g;

/** A person with the same mask as another one stays masked. */
export function peopleOf(
  known: readonly Pick<Conversation, 'conversation' | 'name'>[],
  reveals: boolean,
): People {
  const nameOf = (conversation: string) => {
    const name = known.find((one) => one.conversation === conversation)?.name;
    return name !== undefined && isName(name, conversation)
      ? name
      : personName(reveals ? conversation : (name ?? mask(conversation)));
  };
  return {
    nameOf,
    named: (text) =>
      text.replace(MASKED, (masked) => {
        const [one, ...others] = known.filter(({ conversation }) => fits(personName(conversation), masked));
        if (one === undefined || others.length > 0) return masked;
        return reveals || isName(one.name, one.conversation) ? nameOf(one.conversation) : masked;
      }),
  };
}

/** A name with the number behind it, where numbers are to be shown. `conversation` is as the agent gave it. */
export function titled(
  { name, conversation }: { name: string | null; conversation: string },
  reveals: boolean,
): string {
  if (name == null || !isName(name, conversation)) return personName(conversation);
  return reveals ? `${name} (${personName(conversation)})` : name;
}

/** Where no name is known, the agent gives the number or the id of the group instead. */
function isName(name: string, conversation: string): boolean {
  return !name.includes('•••') && personName(name) !== personName(conversation);
}

function fits(handle: string, masked: string): boolean {
  const [front = '', back = ''] = masked.split('•••');
  return handle.length > front.length + back.length && handle.startsWith(front) && handle.endsWith(back);
}
