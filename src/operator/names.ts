import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import { AddressBook, type AddressBookOptions } from '../messages/contacts/AddressBook.js';
import { isGroupKey } from '../messages/conversationId.js';

/** The maximum length of a displayed name, because any member of a group may name it. In characters. */
const LONGEST = 80;

/** What the people of this Mac call a conversation, by its canonical key; null if no name is known. */
export interface Names {
  nameOf: (conversation: string) => string | null;
}

/** Groups by their name in Messages, people by that in Contacts. For operators alone: neither logged nor sent to the backend. */
export function namesOn(options: AddressBookOptions & { chatDb: Pick<ChatDb, 'groupName'> }): Names {
  const contacts = new AddressBook(options);
  return {
    nameOf(conversation) {
      const name = isGroupKey(conversation)
        ? options.chatDb.groupName(conversation)
        : contacts.nameOf(conversation);
      if (name === null) return null;
      const characters = [...name];
      return characters.length <= LONGEST ? name : `${characters.slice(0, LONGEST - 1).join('')}…`;
    },
  };
}
