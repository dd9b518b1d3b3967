/**
 * What stands for a conversation in the page's address, so that no number of a person does, nor gets into the browser's
 * history: FNV-1a (32 bits), which tells the few dozen that are shown apart.
 */
export function conversationRef(conversation: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(conversation)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash.toString(36);
}
