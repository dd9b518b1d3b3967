import { appleDate } from '../../../../src/kit/messages/AppleDatabase.js';
import type { ChatDbWriter } from '../../../../src/kit/messages/ChatDbWriter.js';
import { encodeSummary } from '../../../../src/kit/messages/SimulatedChatEvents.js';
import { encodeRuns } from '../../../../src/kit/messages/typedstreamEncoder.js';
import { balloon, edited, type Form, inline, LINK, PERSON, part, say, THEN } from './writing.js';

/** Rows judged by their text, history or link. */
export const CONTENT_FORMS: readonly Form[] = [
  [
    'part-numbers',
    'agrees',
    'numbered parts',
    (m) => m.receive({ from: PERSON, parts: ['one', 'two'], date: THEN }),
  ],
  [
    'part-numbers',
    'contradicted',
    'text without a number',
    (m) => {
      const runs = [
        { text: 'one', attributes: part(0) },
        { text: 'two', attributes: [['__kIMOther', 1] as const] },
      ];
      m.updateMessage(say(m, 'x', 0).rowId, { attributedBody: encodeRuns(runs) });
    },
  ],
  ['inline-images', 'agrees', 'an image in the text', (m) => inline(m, 'image/heic')],
  ['inline-images', 'contradicted', 'a document in the text', (m) => inline(m, 'application/pdf')],
  [
    'inline-images',
    'absent',
    'a photo beside the text',
    (m) => m.receive({ from: PERSON, text: 'x', date: THEN, attachments: [{}] }),
  ],
  ...(['dated', 'emptied', 'summary'] as const).map(
    (form) =>
      [
        'unsend-forms',
        'agrees',
        form,
        (m: ChatDbWriter) => m.happenings.unsend(say(m, 'a', 0), THEN, form),
      ] as const,
  ),
  [
    'unsend-forms',
    'absent',
    'an empty row of a file',
    (m) => m.receive({ from: PERSON, date: THEN, attachments: [{}] }),
  ],
  [
    'unsend-forms',
    'contradicted',
    'edited and empty',
    (m) => say(m, '', 0, { date_edited: appleDate(THEN) }),
  ],
  ['edit-history', 'agrees', 'versions up to the text', (m) => edited(m, 'second')],
  ['edit-history', 'contradicted', 'a newest version that is not the text', (m) => edited(m, 'third')],
  ['edit-history', 'contradicted', 'no versions', (m) => m.happenings.edit(say(m, 'a', 0), 'b')],
  [
    'parts-left',
    'agrees',
    'cut',
    (m) => m.happenings.unsendParts(say(m, 'a', 0), [1], { text: 'a', original: 2 }),
  ],
  [
    'parts-left',
    'contradicted',
    'not cut',
    (m) => {
      const message = m.receive({ from: PERSON, parts: ['one', 'two'], date: THEN });
      m.updateMessage(message.rowId, {
        message_summary_info: encodeSummary({ original: 2, retracted: [1] }),
      });
    },
  ],
  [
    'app-lines',
    'agrees',
    'a line of an app',
    (m) => say(m, '$(kIMTranscriptPluginBreadcrumbTextReceiverIdentifier) closed all rings', 0),
  ],
  ['app-lines', 'absent', 'words in brackets', (m) => say(m, 'run $(kubectl get pods) and $(keep) now', 0)],
  [
    'app-lines',
    'contradicted',
    'a name of another form',
    (m) => say(m, '$(kTranscriptSenderIdentifier) closed all rings', 0),
  ],
  [
    'link-previews',
    'agrees',
    'text and preview',
    (m) => {
      say(m, `see ${LINK}`, 0);
      balloon(m, 60_000);
    },
  ],
  ['link-previews', 'absent', 'a lone link', (m) => balloon(m, 0)],
  [
    'link-previews',
    'contradicted',
    'a late preview',
    (m) => {
      say(m, `see ${LINK}`, 0);
      balloon(m, 120_000);
    },
  ],
  ['preview-copies', 'agrees', '40 s apart', (m) => [0, 40_000].map((at) => balloon(m, at))],
  ['preview-copies', 'contradicted', '200 s apart', (m) => [0, 200_000].map((at) => balloon(m, at))],
  [
    'preview-copies',
    'absent',
    'with words between',
    (m) => {
      balloon(m, 0);
      say(m, 'once more', 1000);
      balloon(m, 200_000);
    },
  ],
  [
    'preview-ties',
    'agrees',
    'tied to a text with the link',
    (m) => {
      const { guid } = say(m, `see ${LINK}`, 0);
      balloon(m, 1000, { reply_to_guid: guid });
    },
  ],
  [
    'preview-ties',
    'agrees',
    'tied to a text that lacks it',
    (m) => {
      const { guid } = say(m, 'see here', 0);
      balloon(m, 1000, { reply_to_guid: guid });
    },
  ],
  [
    'preview-ties',
    'contradicted',
    'tied to another row',
    (m) => {
      const { guid } = say(m, 'good morning', -60_000);
      say(m, `see ${LINK}`, 0);
      balloon(m, 1000, { reply_to_guid: guid });
    },
  ],
];
