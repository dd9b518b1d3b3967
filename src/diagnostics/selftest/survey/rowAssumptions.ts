import { directionOf, isAnonymous, isTelling } from '../../../messages/chatdb/ownership.js';
import {
  type Assumption,
  countOf,
  isIMessage,
  messagesOf,
  type Seen,
  type Survey,
  type SurveyedRow,
  tally,
} from './Survey.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A row that was written so long ago is no longer being written. */
const SETTLED_MS = 10 * MINUTE_MS;
/** There were no messages before the first iPhone. */
const EARLIEST_MS = Date.UTC(2007, 0);
/** `associated_message_type` of what is about another message; below 1000 are messages of apps (imessage-exporter). */
const LOWEST_REACTION = 1000;
const KNOWN_REACTION = /^(?:1000|[23]00[0-7]|4000)$/;
const HIGHEST_NOTICE = 6;

/** Whose a row is, which message it is and when it was written. */
export const ROW_ASSUMPTIONS: readonly Assumption[] = [
  {
    id: 'dates',
    contradictedWhen: 'a row has no date, or one before 2007 or in the future',
    cost: 'Messages without a usable date may count as old and not be answered.',
    needs: [['message', 'date']],
    tolerance: 0.01,
    judge: ({ rows, now }) => ({
      ...tally(
        rows,
        ({ row: { sentAt } }) => sentAt !== null && sentAt > EARLIEST_MS && sentAt < now + DAY_MS,
      ),
      counts: { inSeconds: countOf(rows, ({ row }) => row.datesAreSeconds === 1) },
    }),
  },
  {
    id: 'rowids-grow',
    contradictedWhen: 'SQLite does not keep the highest ROWID of message, or keeps one below that of a row',
    cost: 'A new message may get the ROWID of a deleted one, and be skipped.',
    judge: ({ rows, issued, highest }) =>
      rows.length === 0
        ? { agree: 0, contradict: 0 }
        : tally([issued], (seq) => seq !== null && seq >= highest),
  },
  {
    id: 'rowid-order',
    contradictedWhen: 'rows that are no copies are dated over an hour before a row of a lower ROWID',
    cost: 'Late messages may count as old; they are found by their date, but not at once.',
    needs: [['message', 'date']],
    tolerance: 0.05,
    judge: rowIdOrder,
  },
  {
    id: 'copies',
    contradictedWhen:
      'rows of one chat, sender and date have other words, or two of the same 12 characters or more are dated less than 1 s apart',
    cost: 'A message that iCloud writes again may be answered twice.',
    needs: [['message', 'date']],
    judge: copies,
  },
  {
    id: 'whole-seconds',
    contradictedWhen: 'dates of iMessage are whole seconds',
    cost: 'Of two messages with the same text, one may count as a copy of the other and not be answered.',
    needs: [['message', 'date']],
    tolerance: 0.05,
    judge: wholeSeconds,
  },
  {
    id: 'own-rows',
    contradictedWhen:
      'a row without a handle that is sent or unfinished has is_from_me 0 ten minutes after its date',
    cost: 'A text of this Mac may be taken for a message to it, posted, and withdrawn later.',
    needs: [
      ['message', 'is_from_me'],
      ['message', 'date'],
    ],
    judge: (survey) => {
      const settled = messagesOf(survey).filter((one) => isSettled(one, survey));
      const isStuck = ({ row }: SurveyedRow) =>
        row.isFromMe !== 1 && isAnonymous(row) && (row.isSent === 1 || row.isFinished === 0);
      return tally(settled, (one) => (one.row.isFromMe === 1 ? true : isStuck(one) ? false : undefined));
    },
  },
  {
    id: 'received-rows',
    contradictedWhen:
      'a received row with a handle is unfinished or sent, or one has no handle, ten minutes after its date',
    cost: 'Such a message waits for a second or more before it is posted, and one without a handle in a group is not posted.',
    needs: [
      ['message', 'is_from_me'],
      ['message', 'date'],
    ],
    judge: (survey) => {
      const received = messagesOf(survey).filter(
        (one) => one.row.isFromMe !== 1 && isSettled(one, survey) && !isOwnLeftover(one),
      );
      return {
        ...tally(received, ({ row }) => directionOf(row) === 'in'),
        counts: {
          unfinished: countOf(received, ({ row }) => !isAnonymous(row) && row.isFinished === 0),
          sent: countOf(received, ({ row }) => !isAnonymous(row) && row.isSent === 1),
          withoutHandle: countOf(received, ({ row }) => isAnonymous(row)),
        },
      };
    },
  },
  {
    id: 'direct-sender',
    contradictedWhen: 'the sender of a row in a direct chat is not the person the chat is named after',
    cost: 'A message without a handle in a direct chat may be attributed to somebody else.',
    tolerance: 0.05,
    judge: (survey) => {
      const chats = new Map(survey.chats.map((chat) => [chat.rowId, chat]));
      return tally(messagesOf(survey), ({ row, person }) => {
        const chat = row.chatRowId === null ? undefined : chats.get(row.chatRowId);
        if (chat === undefined || chat.isGroup || row.isFromMe === 1 || isAnonymous(row)) return undefined;
        return person === chat.identifier;
      });
    },
  },
  {
    id: 'room-names',
    contradictedWhen: 'a row of a direct chat has cache_roomnames, or one of a group has none',
    cost: 'A direct message may be held back as a group message, or a group message be reported late.',
    needs: [
      ['message', 'cache_roomnames'],
      ['chat', 'style'],
    ],
    tolerance: 0.02,
    judge: ({ rows, chats }) => {
      const groups = new Set(chats.filter(({ isGroup }) => isGroup).map(({ rowId }) => rowId));
      const isRoom = ({ row }: SurveyedRow) =>
        row.roomName !== null && row.roomName !== '' && row.roomName !== row.chatIdentifier;
      const isGroup = ({ row }: SurveyedRow) => row.chatRowId !== null && groups.has(row.chatRowId);
      const placed = rows.filter(({ row }) => row.chatRowId !== null);
      const named = (one: SurveyedRow) => (one.row.roomName ?? '') !== '';
      return {
        ...tally(placed, (one) => (isGroup(one) ? named(one) : !isRoom(one))),
        counts: {
          directWithRoom: countOf(placed, (one) => !isGroup(one) && isRoom(one)),
          groupWithoutRoom: countOf(placed, (one) => isGroup(one) && !named(one)),
          withoutChat: rows.length - placed.length,
        },
      };
    },
  },
  {
    id: 'one-service',
    contradictedWhen: 'one person’s same 12 characters or more came by two services within a minute',
    cost: 'A message that comes by two services is posted and answered twice.',
    needs: [['message', 'service']],
    judge: (survey) => {
      const received = messagesOf(survey).filter(
        ({ row, body }) => row.isFromMe !== 1 && isTelling(body.words),
      );
      const pairs = neighbours(received, ({ person, identity }) => `${person} ${identity.words}`);
      const doubled = countOf(pairs, ([a, b]) => a.row.service !== b.row.service && gapOf(a, b) <= MINUTE_MS);
      return { agree: received.length - doubled, contradict: doubled };
    },
  },
  {
    id: 'reactions',
    contradictedWhen: 'associated_message_type is 1000 or more and none of the known ones',
    cost: 'Such reactions are not reported to the backend.',
    needs: [['message', 'associated_message_type']],
    judge: ({ rows }) =>
      tally(rows, ({ row: { associatedType } }) =>
        (associatedType ?? 0) < LOWEST_REACTION ? undefined : KNOWN_REACTION.test(String(associatedType)),
      ),
  },
  {
    id: 'notices',
    contradictedWhen: 'item_type is above 6',
    cost: 'Such group notices are not reported to the backend.',
    needs: [['message', 'item_type']],
    judge: ({ rows }) =>
      tally(rows, ({ row: { itemType } }) =>
        (itemType ?? 0) === 0 ? undefined : (itemType ?? 0) > 0 && (itemType ?? 0) <= HIGHEST_NOTICE,
      ),
  },
];

function isSettled({ row }: SurveyedRow, { now }: Survey): boolean {
  return row.sentAt !== null && now - row.sentAt > SETTLED_MS && (row.scheduleType ?? 0) === 0;
}

/** Judged as a row of ours that never settled, not as one that came in. */
function isOwnLeftover({ row }: SurveyedRow): boolean {
  return isAnonymous(row) && (row.isSent === 1 || row.isFinished === 0);
}

/** Rows that share chat, sender, kind and exact date with one of a lower ROWID, each with the first of these. */
function copiesOf(survey: Survey): { first: SurveyedRow; other: SurveyedRow }[] {
  const dated = messagesOf(survey).filter(
    ({ identity }) => identity.key !== null && identity.apartMs === Number.NEGATIVE_INFINITY,
  );
  const moments = grouped(dated, ({ identity }) => `${identity.conversation} ${identity.key}`);
  return [...moments.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : others.map((other) => ({ first, other })),
  );
}

/** Whether two rows of one moment are one message. */
function isCopy(one: SurveyedRow, other: SurveyedRow): boolean {
  return one.identity.words === other.identity.words || one.identity.changed || other.identity.changed;
}

function copies(survey: Survey): Seen {
  const later = copiesOf(survey);
  const agree = countOf(later, ({ first, other }) => isCopy(first, other));
  const writtenAt = new Map<number, number>();
  let latest = 0;
  for (const { row } of survey.rows) {
    writtenAt.set(row.rowId, latest);
    latest = Math.max(latest, row.sentAt ?? 0);
  }
  // A copy was written after the newest message that is before it.
  const hours = later.map(({ other: { row } }) =>
    Math.max(0, Math.floor(((writtenAt.get(row.rowId) ?? 0) - (row.sentAt ?? 0)) / HOUR_MS)),
  );
  const telling = messagesOf(survey).filter(
    ({ row, body, identity }) =>
      isTelling(body.words) && row.balloonBundleId === null && identity.apartMs === Number.NEGATIVE_INFINITY,
  );
  const almost = neighbours(
    telling,
    ({ row, person, identity }) => `${identity.conversation} ${row.isFromMe} ${person} ${identity.words}`,
  ).filter(([a, b]) => a.row.date !== b.row.date && gapOf(a, b) < SECOND_MS);
  return {
    agree,
    contradict: later.length - agree + almost.length,
    counts: {
      otherWords: later.length - agree,
      otherDate: almost.length,
      mostHoursLater: Math.max(0, ...hours),
    },
  };
}

function rowIdOrder(survey: Survey): Seen {
  const copied = new Set(
    copiesOf(survey).flatMap(({ first, other }) => (isCopy(first, other) ? [other] : [])),
  );
  let [latest, behind, copiesBehind, most] = [0, 0, 0, 0];
  for (const one of survey.rows) {
    const { row } = one;
    const late = latest - (row.sentAt ?? latest);
    if (late > HOUR_MS) {
      if (copied.has(one)) copiesBehind++;
      else behind++;
      most = Math.max(most, late);
    }
    latest = Math.max(latest, row.sentAt ?? 0);
  }
  return {
    agree: survey.rows.length < 2 ? 0 : survey.rows.length - behind,
    contradict: behind,
    counts: { copiesBehind, mostHoursBehind: Math.floor(most / HOUR_MS) },
  };
}

function wholeSeconds(survey: Survey): Seen {
  const dated = messagesOf(survey).filter(({ row }) => row.date !== null && row.datesAreSeconds !== 1);
  const isWhole = ({ row }: SurveyedRow) => row.date?.endsWith('000000000') ?? false;
  const by = (service: RegExp) => dated.filter(({ row }) => service.test(row.service ?? ''));
  const [iMessage, sms, rcs] = [by(/^imessage$/i), by(/^sms$/i), by(/^rcs$/i)];
  return {
    ...tally(iMessage, (one) => !isWhole(one)),
    counts: {
      sms: sms.length,
      smsWhole: countOf(sms, isWhole),
      rcs: rcs.length,
      rcsWhole: countOf(rcs, isWhole),
    },
  };
}

/** Rows of one key that follow one another in time. */
function neighbours(
  rows: readonly SurveyedRow[],
  keyOf: (one: SurveyedRow) => string,
): (readonly [SurveyedRow, SurveyedRow])[] {
  return [...grouped(rows, keyOf).values()].flatMap((group) => {
    const inTime = group.toSorted((a, b) => (a.row.sentAt ?? 0) - (b.row.sentAt ?? 0));
    return inTime.flatMap((one, index) => {
      const next = inTime[index + 1];
      return next === undefined ? [] : [[one, next] as const];
    });
  });
}

function gapOf(a: SurveyedRow, b: SurveyedRow): number {
  if (a.row.sentAt === null || b.row.sentAt === null) return Number.POSITIVE_INFINITY;
  return Math.abs(a.row.sentAt - b.row.sentAt);
}

function grouped(
  rows: readonly SurveyedRow[],
  keyOf: (one: SurveyedRow) => string,
): Map<string, SurveyedRow[]> {
  const groups = new Map<string, SurveyedRow[]>();
  for (const one of rows) {
    const group = groups.get(keyOf(one));
    if (group === undefined) groups.set(keyOf(one), [one]);
    else group.push(one);
  }
  return groups;
}

/** Whether a row came by iMessage, for assumptions that only those rows can show. */
export function cameByIMessage({ row }: SurveyedRow): boolean {
  return row.isFromMe !== 1 && isIMessage(row);
}
