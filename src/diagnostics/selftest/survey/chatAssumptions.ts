import { accountAddress } from '../../../messages/chatdb/ownership.js';
import { isPersonAddress } from '../../../messages/conversationId.js';
import { cameByIMessage } from './rowAssumptions.js';
import { type Assumption, countOf, isIMessage, type Survey, type SurveyedChat, tally } from './Survey.js';

/** How an account is written where the agent knows it. */
const ACCOUNT = /^[ep]:\S/i;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** `is_filtered`: not, unknown senders, junk. */
const HIGHEST_FILTER = 2;
const FINISHED = 5;

/** Chats, addresses and files. */
export const CHAT_ASSUMPTIONS: readonly Assumption[] = [
  {
    id: 'group-lookup',
    contradictedWhen: 'two groups that chat_lookup links have no person in common',
    cost: 'Messages of one group may be reported, and answered, in another.',
    judge: ({ chats }) => {
      const pairs = pairsBy(chats, ({ lookups }) => lookups);
      const peopled = pairs.filter(([a, b]) => a.people.length > 0 && b.people.length > 0);
      return {
        ...tally(peopled, ([a, b]) => a.people.some((one) => b.people.includes(one))),
        counts: { otherPeople: countOf(peopled, ([a, b]) => !samePeople(a, b)) },
      };
    },
  },
  {
    id: 'group-ids',
    contradictedWhen:
      'chat_lookup has two groups with one group_id and the same people, and does not link them',
    cost: 'Two groups of the same people may be reported as one conversation.',
    needs: [['chat', 'group_id']],
    judge: ({ chats }) => {
      const pairs = pairsBy(chats, ({ groupIds }) => groupIds);
      const same = pairs.filter(([a, b]) => a.people.length > 0 && samePeople(a, b));
      const isLookedUp = ({ lookups }: SurveyedChat) => lookups.length > 0;
      return {
        ...tally(
          same,
          ([a, b]) => !(isLookedUp(a) && isLookedUp(b)) || a.lookups.some((one) => b.lookups.includes(one)),
        ),
        counts: { otherPeople: pairs.length - same.length },
      };
    },
  },
  {
    id: 'written-to',
    contradictedWhen: 'destination_caller_id of a received iMessage is no address of an account of this Mac',
    cost: 'A post may have an address in "to" that is not yours; if it is yours, add it to edge.own_addresses.',
    needs: [['message', 'destination_caller_id']],
    judge: ({ rows, own, region }) => {
      const received = rows.filter(({ row }) => row.isFromMe !== 1);
      const isOurs = (address: string | null) => {
        const written = accountAddress(address, region);
        return written === null || !isPersonAddress(written) ? undefined : own.has(written);
      };
      const relayed = received.filter(({ row }) => !isIMessage(row));
      return {
        ...tally(received.filter(cameByIMessage), ({ row }) => isOurs(row.ownAddress)),
        counts: {
          without: countOf(received, ({ row }) => (row.ownAddress ?? '') === ''),
          relayedToOthers: countOf(relayed, ({ row }) => isOurs(row.ownAddress) === false),
        },
      };
    },
  },
  {
    id: 'chat-accounts',
    contradictedWhen:
      'a chat with recent rows has an account_id that is no UUID, or an iMessage chat has none',
    cost: 'Answers of that chat are sent by the first account of its service.',
    needs: [['chat', 'account_id']],
    judge: (survey) => {
      const { accountGuids } = survey;
      const recent = recentChats(survey);
      return {
        ...tally(recent, ({ accountId, service }) => {
          if (accountId === null) return isIMessage({ service }) ? false : undefined;
          return UUID.test(accountId);
        }),
        counts: {
          accounts: new Set(recent.flatMap(({ accountId }) => accountId ?? [])).size,
          unlikeItsRows: countOf(
            recent,
            ({ accountId }) => accountId !== null && accountGuids.size > 0 && !accountGuids.has(accountId),
          ),
        },
      };
    },
  },
  {
    id: 'plain-numbers',
    contradictedWhen: 'a text was delivered in an iMessage chat that is named by a number without its plus',
    cost: 'Answers go to the chat with the plus, not to the one that Messages uses.',
    judge: ({ chats, deliveredIn }) => {
      const plain = chats.filter(({ isGroup, isPlainNumber }) => !isGroup && isPlainNumber);
      return {
        ...tally(plain, ({ rowId, service }) =>
          isIMessage({ service }) ? !deliveredIn.has(rowId) : undefined,
        ),
        counts: {
          otherServices: countOf(plain, ({ service }) => !isIMessage({ service })),
          noKnownNumber: countOf(plain, ({ identifier }) => !identifier.startsWith('+')),
        },
      };
    },
  },
  {
    id: 'account-forms',
    contradictedWhen: 'account of an iMessage is not E: or P: and an address',
    cost: 'A text to your own account may be mistaken for a message from somebody else.',
    needs: [['message', 'account']],
    tolerance: 0.01,
    judge: ({ rows }) =>
      tally(rows, ({ row }) => {
        if (!isIMessage(row) || (row.account ?? '') === '') return undefined;
        return ACCOUNT.test(row.account ?? '');
      }),
  },
  {
    id: 'filtered-chats',
    contradictedWhen: 'is_filtered of a chat with recent rows is above 2',
    cost: 'The agent does not know whether such a chat is junk.',
    needs: [['chat', 'is_filtered']],
    judge: ({ rows }) =>
      tally(rows, ({ row: { chatIsFiltered } }) =>
        (chatIsFiltered ?? 0) === 0 ? undefined : (chatIsFiltered ?? 0) <= HIGHEST_FILTER,
      ),
  },
  {
    id: 'deleted-messages',
    contradictedWhen: 'a message among the deleted ones is still joined to that chat',
    cost: 'A message that a person deleted may be posted.',
    judge: ({ deleted }) =>
      deleted === null
        ? { agree: 0, contradict: 0 }
        : { agree: deleted.kept - deleted.stillJoined, contradict: deleted.stillJoined },
  },
  {
    id: 'finished-files',
    contradictedWhen: 'a file of transfer_state 5 has no path',
    cost: 'A file may be reported as missing.',
    needs: [
      ['attachment', 'transfer_state'],
      ['attachment', 'filename'],
    ],
    tolerance: 0.02,
    judge: ({ files }) => {
      const shown = files.filter(({ isHidden }) => !isHidden);
      const inState = (...states: number[]) =>
        countOf(shown, ({ transferState }) => states.includes(transferState ?? -1));
      return {
        ...tally(shown, ({ transferState, hasPath }) => (transferState === FINISHED ? hasPath : undefined)),
        counts: {
          waiting: inState(0),
          failed: inState(6, 7),
          otherState: shown.length - inState(0, 6, 7, FINISHED),
        },
      };
    },
  },
  {
    id: 'file-types',
    contradictedWhen: 'a file has no mime_type or uti that the agent knows',
    cost: 'The type of a file is reported as unknown.',
    needs: [['attachment', 'uti']],
    tolerance: 0.05,
    judge: ({ files }) =>
      tally(files, ({ statedMimeType, mimeType, isHidden }) =>
        isHidden || statedMimeType !== null ? undefined : mimeType !== null,
      ),
  },
];

function samePeople(a: SurveyedChat, b: SurveyedChat): boolean {
  return a.people.length === b.people.length && a.people.every((one, index) => one === b.people[index]);
}

/** Groups with different identifiers that share a name, each with the first of that name. */
function pairsBy(
  chats: readonly SurveyedChat[],
  namesOf: (chat: SurveyedChat) => readonly string[],
): (readonly [SurveyedChat, SurveyedChat])[] {
  const first = new Map<string, SurveyedChat>();
  return chats
    .filter(({ isGroup }) => isGroup)
    .flatMap((chat) =>
      namesOf(chat).flatMap((name) => {
        const other = first.get(name);
        if (other === undefined) first.set(name, chat);
        return other === undefined || other.identifier === chat.identifier ? [] : [[other, chat] as const];
      }),
    );
}

function recentChats({ rows, chats }: Survey): readonly SurveyedChat[] {
  const recent = new Set(rows.map(({ row }) => row.chatRowId));
  return chats.filter(({ rowId }) => recent.has(rowId));
}
