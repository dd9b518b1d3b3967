/**
 * The value of the header `Idempotency-Key` for a guid: percent-encoded UTF-8. Never throws and never gives two guids one value:
 * half of a UTF-16 character, which a damaged chat.db may hold and `encodeURIComponent` refuses, is encoded by its own three bytes.
 */
export function idempotencyKey(guid: string): string {
  return [...guid].map((character) => encodeURIComponentOrHalf(character)).join('');
}

function encodeURIComponentOrHalf(character: string): string {
  const unit = character.charCodeAt(0);
  const isHalf = character.length === 1 && unit >= 0xd800 && unit <= 0xdfff;
  if (!isHalf) return encodeURIComponent(character);
  const bytes = [0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)];
  return bytes.map((byte) => `%${byte.toString(16).toUpperCase()}`).join('');
}
