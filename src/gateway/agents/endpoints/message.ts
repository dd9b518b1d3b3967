import { fieldErrors, plainIssue } from '../../../system/plainIssues.js';
import { badRequest, unavailable } from '../requestBody.js';
import { messageSchema } from '../requests.js';
import type { Endpoint } from './endpoint.js';

/**
 * POST /edge/message: one incoming iMessage. The reflex goes over the socket of the agent named by X-Edge-Agent-Id, the reply
 * (reflex and all) is the response. The idempotency key is `message_guid`, also URL-encoded in the header `Idempotency-Key`;
 * one that is not encoded is taken too.
 */
export const message: Endpoint = {
  method: 'POST',
  load: 'messages',
  access: 'agent',
  async handle({ agentId, body, headers, hungUp }, { backend, log }) {
    const parsed = messageSchema.safeParse(body, { error: plainIssue });
    if (!parsed.success) return badRequest(fieldErrors(parsed.error));
    const key = headers['idempotency-key'];
    const keys = typeof key === 'string' ? [decoded(key), key] : [];
    const guid = parsed.data.message_guid ?? keys[0];
    if (guid === undefined) return badRequest(['message_guid: expected the guid of the message']);
    if (keys.length > 0 && !keys.includes(guid)) {
      return badRequest(['message_guid: expected the same value as the header Idempotency-Key']);
    }
    log(`[HTTP POST] Received from ${agentId}`);
    const outcome = await backend.answer(agentId, guid, parsed.data, hungUp);
    switch (outcome.kind) {
      case 'stopping':
      case 'gone':
        return undefined;
      case 'later':
        return unavailable('there is no answer yet; try again', outcome.retryAfterSeconds);
      case 'answered': {
        const reply = outcome.body;
        return {
          status: 200,
          body: reply,
          sent: (delivered) => backend.saw({ kind: 'reply', agentId, guid, body: reply, delivered }),
        };
      }
    }
  },
};

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    // It was never encoded: the key is as it came.
    return key;
  }
}
