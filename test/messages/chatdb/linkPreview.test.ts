import { expect, test } from 'vitest';
import { encodeBinaryPlist } from '../../../src/kit/messages/binaryPlist.js';
import {
  type LinkNeighbour,
  linkInPayload,
  mentionsLink,
  roleOfLink,
  sameLink,
} from '../../../src/messages/chatdb/links.js';

const S = 1000;
const row = (rowId: number, text: string, isPreview: boolean, sentAt = 0): LinkNeighbour => ({
  rowId,
  guid: `G-${rowId}`,
  text,
  isPreview,
  sentAt,
});
const text = (rowId: number, said: string, sentAt = 0) => row(rowId, said, false, sentAt);
const preview = (rowId: number, link: string, sentAt = 0) => row(rowId, link, true, sentAt);

function isPreviewOf(link: string, rowId: number, near: LinkNeighbour[], sentAt = 0): boolean {
  return roleOfLink({ link, rowId, sentAt, replyToGuid: null }, near).kind === 'preview';
}

test.each([
  ['https://e.com/x', 'look at https://e.com/x now'],
  ['https://e.com/x', 'https://e.com/x'],
  ['https://e.com/x', '(https://e.com/x).'],
  ['https://e.com/x', 'schau „https://e.com/x“'],
  ['https://e.com/x', '看https://e.com/x吧'],
  ['https://e.com/', 'see https://e.com!'],
  ['https://e.com', 'see https://e.com/, please'],
  ['https://e.com', 'see e.com'],
  ['e.com', 'see HTTP://e.com\nplease'],
  ['https://e.com', 'https://e.com/x and https://e.com too'],
])('%s is the preview of: %s', (link, said) => {
  expect(isPreviewOf(link, 2, [text(1, said)])).toBe(true);
});

test.each([
  ['https://e.com', 'first https://e.com/x now'],
  ['https://e.com/x', 'https://e.com/xy'],
  ['https://e.com/x', 'https://e.com/x?y=1'],
  ['https://e.com', 'https://e.com.example'],
  ['https://e.com', 'https://my-e.com and https://a.e.com and me@e.com'],
  ['https://e.com/X', 'https://e.com/x'],
  ['https://', 'https://e.com'],
  ['', 'anything'],
])('%s is not the preview of: %s', (link, said) => {
  expect(isPreviewOf(link, 2, [text(1, said)])).toBe(false);
});

test('one text accounts for one preview: the link sent again at once is a message', () => {
  const near = [text(1, 'see https://e.com'), preview(2, 'https://e.com')];
  expect(isPreviewOf('https://e.com', 2, [text(1, 'see https://e.com'), preview(3, 'https://e.com')])).toBe(
    true,
  );
  expect(isPreviewOf('https://e.com', 3, near)).toBe(false);
  expect(isPreviewOf('https://e.com', 5, [...near, text(4, 'https://e.com again')])).toBe(true);
});

test.each([
  ['https://e.com/x', 'http://E.com/x/'],
  ['https://www.e.com/x', 'see e.com/x?utm_source=imessage&utm_medium=share'],
  ['https://e.com/x?id=7&fbclid=abc', 'HTTPS://E.COM/x?id=7 please'],
  ['https://e.com/x?si=Zz', 'this (https://e.com/x?si=Yy), ok?'],
  ['https://e.com:443/x', 'https://e.com/x'],
])('%s is the link in "%s", spelled differently', (link, said) => {
  expect(mentionsLink(said, link)).toBe(true);
  expect(isPreviewOf(link, 2, [text(1, said)])).toBe(true);
});

test.each([
  ['https://e.com/x?id=7', 'https://e.com/x?id=8'],
  ['https://e.com/x', 'https://e.com/X'],
  ['https://a.e.com/x', 'https://e.com/x'],
  ['not a link', 'not a link?'],
])('%s is another link than %s', (one, other) => {
  expect(sameLink(one, other)).toBe(false);
});

const LINK = 'https://e.com/a';
test.each<[string, LinkNeighbour[], number, string]>([
  ['the same preview again after 30 s', [preview(1, LINK)], 30 * S, 'preview'],
  ['after 65 s', [preview(1, LINK)], 65 * S, 'preview'],
  ['after 89 s', [preview(1, LINK)], 89 * S, 'preview'],
  ['after 91 s', [preview(1, LINK)], 91 * S, 'message'],
  ['with another spelling', [preview(1, 'http://E.com/a/')], 40 * S, 'preview'],
  ['with words between', [preview(1, LINK), text(2, 'did you see it?', 10 * S)], 40 * S, 'message'],
  ['with another link between', [preview(1, LINK), preview(2, 'https://e.com/b', 5 * S)], 40 * S, 'preview'],
  ['a third time within 90 s', [preview(1, LINK), preview(2, LINK, 40 * S)], 80 * S, 'preview'],
  ['a third time, 90 s after the first', [preview(1, LINK), preview(2, LINK, 40 * S)], 100 * S, 'message'],
  ['behind a text and its preview, at once', [text(1, `see ${LINK}`), preview(2, LINK)], 1 * S, 'message'],
  [
    'behind a text and its preview, 45 s later',
    [text(1, `see ${LINK}`), preview(2, LINK, S)],
    46 * S,
    'preview',
  ],
  ['with the text of the first between', [preview(1, LINK), text(2, `see ${LINK}`, S)], 46 * S, 'preview'],
  [
    'named by a new text',
    [text(1, `see ${LINK}`), preview(2, LINK), text(3, `${LINK}!`, S)],
    2 * S,
    'preview',
  ],
])('%s', (_name, near, sentAt, kind) => {
  expect(roleOfLink({ link: LINK, rowId: 9, sentAt, replyToGuid: null }, near).kind).toBe(kind);
});

test.each<[string, LinkNeighbour[], number, string]>([
  ['whose link is shortened', [text(1, 'watch https://youtu.be/x')], 60 * S, 'preview'],
  ['without the link', [text(1, 'look at this')], 2 * S, 'joined'],
  ['without a link, long before', [text(1, 'good morning')], 6 * S, 'message'],
  ['with another text after it', [text(1, 'look at this'), text(2, 'and?')], 2 * S, 'message'],
])('a preview that names a text %s by reply_to_guid', (_name, near, sentAt, kind) => {
  const role = roleOfLink({ link: LINK, rowId: 9, sentAt, replyToGuid: 'G-1' }, near);
  expect(role.kind).toBe(kind);
});

test('two links in one text have a preview each, and no more', () => {
  const both = text(1, `${LINK} or https://e.com/b`);
  expect(isPreviewOf(LINK, 2, [both])).toBe(true);
  expect(isPreviewOf('https://e.com/b', 3, [both, preview(2, LINK)])).toBe(true);
});

test('a preview without text is that of the text it names, and a message where it names none', () => {
  const at = { link: '', rowId: 2, sentAt: 0 };
  expect(roleOfLink({ ...at, replyToGuid: 'G-1' }, [text(1, LINK)]).kind).toBe('preview');
  expect(roleOfLink({ ...at, replyToGuid: null }, [text(1, LINK)]).kind).toBe('message');
});

test('the link of an archived preview is the one sent, else any web address in it; damage is none', () => {
  const archived = encodeBinaryPlist({ $objects: ['$null', 'title', 'https://e.com/from-anywhere'] });
  expect(linkInPayload(archived)).toBe('https://e.com/from-anywhere');
  expect(linkInPayload(archived.subarray(0, 40))).toBeNull();
  expect(linkInPayload(encodeBinaryPlist({ $objects: ['javascript:alert(1)'] }))).toBeNull();
});

test('a text of punctuation is searched in no time', () => {
  const began = performance.now();
  expect(isPreviewOf(')', 2, [text(1, ')'.repeat(200_000))])).toBe(true);
  expect(isPreviewOf('))', 2, [text(1, `${')'.repeat(200_000)}x`)])).toBe(true);
  expect(performance.now() - began).toBeLessThan(1000);
});
