import {
  mentionsAnyLink,
  mentionsLink,
  PREVIEW_WITHIN_MS,
  sameLink,
  URL_BALLOON,
} from '../../../messages/chatdb/links.js';
import {
  type Assumption,
  countOf,
  messagesOf,
  type Seen,
  type Survey,
  type SurveyedRow,
  tally,
} from './Survey.js';

/** A text without the link and its preview are written within so long (imsg #181). */
const TIED_WITHIN_MS = 5_000;
/** A gap beyond what the agent allows, and so short that chance does not explain it. */
const SUSPICIOUS_MS = 5 * 60_000;
/** So many rows of its chat before a preview are looked at. */
const MOST_BEFORE = 30;

/** What a row says, and what became of it. */
export const CONTENT_ASSUMPTIONS: readonly Assumption[] = [
  {
    id: 'part-numbers',
    contradictedWhen: 'a body of several runs has text without a part number',
    cost: 'Two parts of a message may be joined into one word, and the privacy filter may miss what spans them.',
    needs: [['message', 'attributedBody']],
    judge: (survey) => {
      const several = messagesOf(survey).filter(
        ({ body }) => body.isDecoded && (body.parts.length > 1 || body.unnumbered > 0),
      );
      return {
        ...tally(several, ({ body }) => body.unnumbered === 0),
        counts: {
          seamsWithFile: several.reduce((sum, { body }) => sum + body.markedSeams, 0),
          seamsWithoutFile: several.reduce((sum, { body }) => sum + body.bareSeams, 0),
          otherPartCount: countOf(
            several,
            ({ row, body }) => (row.partCount ?? 0) > 0 && row.partCount !== body.parts.length,
          ),
        },
      };
    },
  },
  {
    id: 'inline-images',
    contradictedWhen: 'a file within the part of a text is no image',
    cost: 'A file may be reported at another place in its message.',
    needs: [['message', 'attributedBody']],
    judge: (survey) => {
      const types = new Map(survey.files.map(({ guid, mimeType }) => [guid, mimeType]));
      const inline = messagesOf(survey).flatMap(({ body }) => body.inline);
      const typed = inline.map((guid) => (guid === null ? null : (types.get(guid) ?? null)));
      return {
        ...tally(typed, (type) => (type === null ? undefined : type.startsWith('image/'))),
        counts: { withoutType: countOf(typed, (type) => type === null) },
      };
    },
  },
  {
    id: 'unsend-forms',
    contradictedWhen: 'a message is empty, edited or retracted and has none of the known signs',
    cost: 'An unsent message may be reported as unreadable.',
    judge: (survey) => {
      const emptied = messagesOf(survey).filter(
        ({ row, body }) =>
          row.balloonBundleId === null &&
          row.hasAttachments !== 1 &&
          (body.isTakenBack ||
            (body.isEmptied && (row.isEmpty === 1 || row.editedAt !== null || row.retractedAt !== null))),
      );
      const listed = ({ body }: SurveyedRow) => body.retracted.length > 0;
      const isDated = ({ row }: SurveyedRow) => row.retractedAt !== null;
      const isEmpty = ({ row }: SurveyedRow) => row.isEmpty === 1 && row.partCount === 0;
      return {
        ...tally(emptied, ({ body }) => body.isTakenBack),
        counts: {
          dated: countOf(emptied, isDated),
          emptyWithoutParts: countOf(emptied, (one) => isEmpty(one) && !isDated(one)),
          listedOnly: countOf(emptied, (one) => listed(one) && !isDated(one) && !isEmpty(one)),
        },
      };
    },
  },
  {
    id: 'edit-history',
    contradictedWhen: 'an edited message has no versions, or its newest version is not its text',
    cost: 'An edit may be missed, or reported without the original text.',
    needs: [['message', 'message_summary_info']],
    judge: (survey) => {
      const edited = messagesOf(survey).filter(
        ({ row, body }) =>
          !body.isTakenBack && body.retracted.length === 0 && (row.editedAt !== null || body.hasVersions),
      );
      return {
        ...tally(edited, ({ body }) => body.hasVersions && body.historyFits !== false),
        counts: {
          withoutVersions: countOf(edited, ({ body }) => !body.hasVersions),
          otherText: countOf(edited, ({ body }) => body.historyFits === false),
          withoutDate: countOf(edited, ({ row }) => row.editedAt === null),
        },
      };
    },
  },
  {
    id: 'parts-left',
    contradictedWhen: 'a body still has more parts than were not taken back',
    cost: 'The agent removes them by number; an unsent part may still be reported.',
    needs: [['message', 'message_summary_info']],
    judge: (survey) => {
      const cut = messagesOf(survey).filter(
        ({ body }) => body.retracted.length > 0 && body.original.length > 0 && body.parts.length > 0,
      );
      const left = ({ body }: SurveyedRow) => body.original.filter((part) => !body.retracted.includes(part));
      return {
        ...tally(cut, (one) => one.body.parts.length <= left(one).length),
        counts: {
          numbersKept: countOf(cut, (one) => one.body.parts.every((part) => left(one).includes(part))),
          numberedAgain: countOf(cut, (one) => one.body.parts.some((part) => !left(one).includes(part))),
        },
      };
    },
  },
  {
    id: 'app-lines',
    contradictedWhen: 'a row has a name to be filled in that does not begin with $(kIM',
    cost: 'A placeholder of an app may be posted as text of a person.',
    judge: ({ rows }) => {
      const filled = rows.filter(({ body }) => body.hasMacro || body.hasOtherMacro);
      return {
        ...tally(filled, ({ body }) => !body.hasOtherMacro),
        counts: { wholeLines: countOf(filled, ({ body }) => body.isAppLine) },
      };
    },
  },
  {
    id: 'link-previews',
    contradictedWhen: 'a link preview is 90 s to 5 min away from the nearest text with that link',
    cost: 'A link and its preview are posted and answered as two messages.',
    needs: [['message', 'balloon_bundle_id']],
    judge: linkPreviews,
  },
  {
    id: 'preview-copies',
    contradictedWhen:
      'the same preview comes once more after 90 s to 5 min, and its sender wrote nothing between',
    cost: 'A link whose preview is written twice is posted and answered twice.',
    needs: [['message', 'balloon_bundle_id']],
    judge: previewCopies,
  },
  {
    id: 'preview-ties',
    contradictedWhen: 'a preview within 5 s of the text with its link names another row by reply_to_guid',
    cost: 'A link that its text lacks may be joined to the wrong text.',
    needs: [
      ['message', 'balloon_bundle_id'],
      ['message', 'reply_to_guid'],
    ],
    judge: previewTies,
  },
];

interface Preview {
  readonly it: SurveyedRow;
  /** What its sender wrote before it in the chat, oldest first; the same messages written again are left out. */
  readonly before: readonly SurveyedRow[];
  /** What comes right behind it. */
  readonly after: readonly SurveyedRow[];
}

function isPreview({ row, body }: SurveyedRow): boolean {
  return row.balloonBundleId === URL_BALLOON && body.words !== '';
}

/** Each preview of a link with what its sender wrote around it. */
function previewsOf(survey: Survey): Preview[] {
  const bySender = new Map<string, SurveyedRow[]>();
  const keys = new Set<string>();
  for (const one of messagesOf(survey)) {
    const { identity, row, person } = one;
    const copyOf = `${identity.conversation} ${identity.key} ${identity.words}`;
    if (identity.key !== null && keys.has(copyOf)) continue;
    keys.add(copyOf);
    const sender = `${identity.conversation} ${row.isFromMe} ${person}`;
    const known = bySender.get(sender);
    if (known === undefined) bySender.set(sender, [one]);
    else known.push(one);
  }
  return [...bySender.values()].flatMap((rows) =>
    rows.flatMap((it, at) =>
      isPreview(it)
        ? [{ it, before: rows.slice(Math.max(0, at - MOST_BEFORE), at), after: rows.slice(at + 1, at + 3) }]
        : [],
    ),
  );
}

function gapMs(one: SurveyedRow, other: SurveyedRow): number {
  if (one.row.sentAt === null || other.row.sentAt === null) return Number.POSITIVE_INFINITY;
  return Math.abs(one.row.sentAt - other.row.sentAt);
}

/** Small numbers that say how far apart, in whole seconds; 0 for none. */
function mostSeconds(gaps: readonly number[]): number {
  return Math.round(Math.max(0, ...gaps.filter(Number.isFinite)) / 1000);
}

function linkPreviews(survey: Survey): Seen {
  const gaps = previewsOf(survey).map(({ it, before, after }) => {
    const texts = [...before, ...after].filter(
      (other) => !isPreview(other) && mentionsLink(other.body.words, it.body.words),
    );
    return Math.min(Number.POSITIVE_INFINITY, ...texts.map((text) => gapMs(it, text)));
  });
  const near = gaps.filter((gap) => gap <= SUSPICIOUS_MS);
  return {
    ...tally(near, (gap) => gap <= PREVIEW_WITHIN_MS),
    counts: { withoutText: gaps.length - near.length, mostSecondsApart: mostSeconds(near) },
  };
}

function previewCopies(survey: Survey): Seen {
  const gaps = previewsOf(survey).flatMap(({ it, before }) => {
    const last = before.at(-1);
    return last !== undefined && isPreview(last) && sameLink(last.body.words, it.body.words)
      ? [gapMs(last, it)]
      : [];
  });
  const near = gaps.filter((gap) => gap <= SUSPICIOUS_MS);
  return {
    ...tally(near, (gap) => gap <= PREVIEW_WITHIN_MS),
    counts: { mostSecondsApart: mostSeconds(near) },
  };
}

function previewTies(survey: Survey): Seen {
  const previews = previewsOf(survey);
  const tied = previews.map(({ it, before }) => {
    const last = before.at(-1);
    const gap = last === undefined ? Number.POSITIVE_INFINITY : gapMs(it, last);
    const replyTo = it.row.replyToGuid;
    return {
      gap,
      names: replyTo !== null && replyTo !== '' && replyTo === last?.row.guid,
      hasReplyTo: replyTo !== null && replyTo !== '',
      hasLink: last !== undefined && !isPreview(last) && mentionsLink(last.body.words, it.body.words),
      hasNoLink: last !== undefined && !isPreview(last) && !mentionsAnyLink(last.body.words),
    };
  });
  const lacking = tied.filter(({ names, hasNoLink }) => names && hasNoLink);
  return {
    ...tally(tied, ({ gap, names, hasReplyTo, hasLink, hasNoLink }) => {
      if (gap > TIED_WITHIN_MS || !hasReplyTo) return undefined;
      if (hasLink) return names;
      return hasNoLink && names ? true : undefined;
    }),
    counts: {
      textLacksLink: countOf(lacking, ({ gap }) => gap <= TIED_WITHIN_MS),
      textLacksLinkLater: countOf(lacking, ({ gap }) => gap > TIED_WITHIN_MS && gap <= PREVIEW_WITHIN_MS),
    },
  };
}
