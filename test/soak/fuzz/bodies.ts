import { encodeBinaryPlist, type PlistValue, Real } from '../../../src/kit/messages/binaryPlist.js';
import { encodeSummary } from '../../../src/kit/messages/SimulatedChatEvents.js';
import {
  ATTACHMENT_MARK,
  encodeAttributedBody,
  encodeRuns,
} from '../../../src/kit/messages/typedstreamEncoder.js';
import type { Chance } from './Chance.js';
import { damagedBytes, hostileText } from './hostile.js';

const part = (index: number): [string, number] => ['__kIMMessagePartAttributeName', index];

/** Bodies as Messages writes them, with texts that no person writes. */
function wholeBody(chance: Chance): Buffer {
  const text = hostileText(chance);
  switch (chance.below(5)) {
    case 0:
      return encodeAttributedBody(text, { immutable: chance.oneIn(2) });
    case 1:
      return encodeAttributedBody(chance.times(1 + chance.below(8), () => hostileText(chance)));
    case 2:
      return encodeAttributedBody(`a${ATTACHMENT_MARK}${text}${ATTACHMENT_MARK}`, {
        transferGuids: [hostileText(chance, 30), 'at_2_X'],
        transcriptions: [text, null],
      });
    case 3:
      return encodeRuns([
        { text, attributes: [['__kIMMentionConfirmedMention', hostileText(chance, 20)], part(0)] },
        {
          text: ' see ',
          attributes: [['__kIMDataDetectedAttributeName', Buffer.alloc(200, 7)], part(chance.below(2_000))],
        },
        { text: 'this', attributes: [['__kIMLinkAttributeName', { url: hostileText(chance) }], part(0)] },
      ]);
    default:
      return encodeAttributedBody('See you at 6');
  }
}

/** A body, most often a damaged one. */
export function bodyOf(chance: Chance): Buffer {
  const whole = wholeBody(chance);
  return chance.oneIn(3) ? whole : damagedBytes(chance, whole, wholeBody(chance));
}

/** Any property list. */
function plist(chance: Chance, depth: number): PlistValue {
  if (depth > 0 && chance.oneIn(3)) {
    const count = chance.below(6);
    if (chance.oneIn(2)) return chance.times(count, () => plist(chance, depth - 1));
    return Object.fromEntries(
      chance.times(count, () => [
        chance.pick(['otr', 'rp', 'ec', '0', '1', '9999', 'd', 't', 'lo']),
        plist(chance, depth - 1),
      ]),
    );
  }
  switch (chance.below(5)) {
    case 0:
      return chance.below(2 ** 31);
    case 1:
      return new Real(chance.pick([0, -1, 1e308, Number.NaN, Number.POSITIVE_INFINITY, 7e8]));
    case 2:
      return bodyOf(chance).subarray(0, 30_000);
    case 3:
      return chance.oneIn(2);
    default:
      return hostileText(chance, chance.below(40));
  }
}

/** `message_summary_info`, as it is written, of another shape, or damaged. */
export function summaryOf(chance: Chance): Buffer {
  const made = () =>
    chance.oneIn(3)
      ? encodeBinaryPlist({ otr: plist(chance, 3), rp: plist(chance, 3), ec: plist(chance, 4) })
      : encodeSummary({
          original: chance.below(chance.oneIn(20) ? 1_500 : 4),
          retracted: chance.times(chance.below(4), () => chance.below(5)),
          versions: {
            [chance.below(3)]: chance.times(1 + chance.below(chance.oneIn(50) ? 400 : 4), () => ({
              text: hostileText(chance),
              at: chance.pick([Date.UTC(2026, 0, 1), 0, -1, 8.6e15]),
            })),
          },
        });
  const whole = made();
  return chance.oneIn(3) ? whole : damagedBytes(chance, whole, made());
}
