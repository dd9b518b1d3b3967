import { pipeline } from 'node:stream/promises';
import { describeError } from '../../errors.js';
import { findUpload } from '../ledger/uploads.js';
import { ApiError } from './ApiError.js';
import { agentOf, type OperationHandler, param, parsed } from './apiCall.js';
import { OPERATIONS } from './apiContract.js';

/** A reader that is slower is cut off, in ms. */
const LONGEST_MS = 120_000;
/** What a sender's side may call a type; anything else is bytes. */
const TYPE = /^[a-z]+\/[a-z0-9][a-z0-9.+-]{0,80}$/i;

/** GET /v1/attachments/{id} */
export const getAttachment: OperationHandler = async (call, { database, uploads, clock, log }) => {
  const { agent } = parsed(OPERATIONS.getAttachment.query, call.query);
  const agentId = await agentOf(database, call.key, agent);
  const upload = await findUpload(database, agentId, param(call, 'id'));
  const bytes = upload === undefined ? undefined : await uploads.read(upload.file);
  if (upload === undefined || bytes === undefined)
    throw new ApiError(
      'not_found',
      'attachment_unknown',
      'There is no such file, or it has not arrived yet.',
    );
  const { response } = call;
  // In chunks: the stored file may have another length if an agent uploaded it twice at the same time, and bytes beyond
  // an announced length would be read as the next answer.
  response.writeHead(OPERATIONS.getAttachment.status, {
    'Content-Type': TYPE.test(upload.type) ? upload.type : 'application/octet-stream',
    // Whatever a person sent: it is kept, and not run where it is opened.
    'Content-Disposition': `attachment; filename*=UTF-8''${headerText(upload.name)}`,
    'Content-Security-Policy': 'sandbox',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'private, no-store',
  });
  const deadline = new AbortController();
  const timer = clock.after(LONGEST_MS, () => deadline.abort());
  try {
    await pipeline(bytes, response, { signal: deadline.signal });
  } catch (error) {
    // Its reader sees that the end is missing.
    log.debug('[API] a file was not sent to its end', { error: describeError(error) });
  } finally {
    timer.cancel();
  }
  return { kind: 'streamed' };
};

/** RFC 8187. */
function headerText(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
