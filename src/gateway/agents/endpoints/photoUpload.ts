import { z } from 'zod';
import type { PhotoReply } from '../../../model/backendBodies.js';
import { withBody } from '../requestBody.js';
import type { Endpoint } from './endpoint.js';

const FIELDS = z.looseObject({
  user_phone: z.string().min(1),
  edge_agent_id: z.string().min(1),
  attachment_guid: z.string().min(1),
  chat_guid: z.string(),
  is_group: z.enum(['true', 'false']),
  caption: z.string(),
  participants: z.string(),
  context: z.string(),
});

const formSchema = z.object({
  fields: FIELDS,
  files: z
    .array(
      z.object({ field: z.literal('file'), name: z.string(), type: z.string(), bytes: z.instanceof(Buffer) }),
    )
    .length(1, 'expected one file, in the field "file"'),
});

/**
 * POST /photo/upload: a file of an incoming message, as a form. Harmless to repeat: the idempotency key is
 * `attachment_guid`. The JSON reply confirms to the agent that it arrived.
 */
export const photoUpload: Endpoint = {
  method: 'POST',
  load: 'work',
  access: 'agent',
  takes: 'form',
  handle: ({ agentId, body }, { backend }) =>
    withBody(formSchema, body, async ({ fields, files }) => {
      const guid = fields.attachment_guid;
      const [file] = files;
      if (file !== undefined) {
        const given = Object.fromEntries(
          Object.entries(fields).map(([name, value]) => [name, String(value)]),
        );
        await backend.upload(agentId, { guid, fields: given, file });
      }
      return { status: 200, body: { success: true, attachment_guid: guid } satisfies PhotoReply };
    }),
};
