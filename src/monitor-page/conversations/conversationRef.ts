/**
 * The reference of a conversation in the page's address, so that no phone number gets into the browser's history:
 * FNV-1a (32 bits), which distinguishes the few dozen that are shown.
 */
export function conversationRef(conversation: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(conversation)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(36);
}
