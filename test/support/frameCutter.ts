/** The bytes of one WebSocket frame, head included, and what lies behind it; null while the frame is incomplete. */
export function cutFrame(bytes: Buffer): { readonly frame: Buffer; readonly rest: Buffer } | null {
  const second = bytes[1];
  if (second === undefined) return null;
  const short = second & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  const head = 2 + extended + mask;
  if (bytes.length < head) return null;
  let length = short;
  if (extended === 2) length = bytes.readUInt16BE(2);
  else if (extended === 8) length = Number(bytes.readBigUInt64BE(2));
  const end = head + length;
  return bytes.length < end ? null : { frame: bytes.subarray(0, end), rest: bytes.subarray(end) };
}
