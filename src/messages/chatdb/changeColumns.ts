import { URL_BALLOON } from './links.js';
import { MAX_PLIST_BYTES } from './messageSummary.js';
import type { Schema } from './schema.js';

/** The keys `rp` and `ec` as they are written in a binary property list: a string of two ASCII characters. */
const RETRACTED_PARTS = "x'527270'";
const EDITED_CONTENT = "x'526563'";

/**
 * `message_summary_info` of alias `m`, as an expression: the bytes where they name parts taken back or edited, else NULL. Nearly
 * every row has such a list, with neither.
 */
export function summaryColumn(schema: Schema, m: string): string {
  if (!schema.has('message', 'message_summary_info')) return 'NULL';
  const column = `${m}.message_summary_info`;
  return `CASE WHEN typeof(${column}) = 'blob' AND length(${column}) <= ${MAX_PLIST_BYTES}
      AND (instr(${column}, ${RETRACTED_PARTS}) > 0 OR instr(${column}, ${EDITED_CONTENT}) > 0) THEN ${column} END`;
}

/** `payload_data` of alias `m`, as an expression: of a link's preview without a text; else NULL. */
export function payloadColumn(schema: Schema, m: string): string {
  if (!schema.has('message', 'payload_data') || !schema.has('message', 'balloon_bundle_id')) return 'NULL';
  const column = `${m}.payload_data`;
  return `CASE WHEN ${m}.balloon_bundle_id = '${URL_BALLOON}' AND coalesce(${schema.text('message', m, 'text')}, '') = ''
      AND typeof(${column}) = 'blob' AND length(${column}) <= ${MAX_PLIST_BYTES} THEN ${column} END`;
}
