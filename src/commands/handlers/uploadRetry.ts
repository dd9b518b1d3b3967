import { z } from 'zod';
import { filled, type Handler, handlerOf } from '../Handler.js';

/** The images of incoming messages on their way to the backend; called inside a write. */
export interface UploadQueue {
  /** `unknown`: no such image was ever to be uploaded. `off`: the operator does not want uploads. */
  again(attachmentGuid: string): 'queued' | 'unknown' | 'off';
}

const schema = z.object({ attachment_guid: filled('the guid of an attachment') });

/** What `upload_retry` takes. */
export const uploadRetryContract = { types: ['upload_retry'], aliases: {}, schema };

/** `upload_retry`: that image is uploaded again; the ack does not wait for it. */
export function uploadRetry(uploads: UploadQueue): Handler {
  return handlerOf({
    ...uploadRetryContract,
    run(_command, { attachment_guid: guid }) {
      switch (uploads.again(guid)) {
        case 'queued':
          return { kind: 'completed', result: { attachment_guid: guid } };
        case 'unknown': {
          const message = `No image ${guid} was queued for upload in the last 7 days.`;
          return { kind: 'failed', code: 'attachment_unknown', message };
        }
        case 'off': {
          const message = 'The operator has turned uploads off (attachments.upload).';
          return { kind: 'failed', code: 'attachment_refused', message };
        }
      }
    },
  });
}
