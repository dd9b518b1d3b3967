import type { AckBody } from '../../../model/agentBodies.js';
import type { ConformanceRun, PlayedCredentials, PlayedIdentity } from '../ConformanceRun.js';
import { isMissing, type RequestAnswer } from '../request.js';

/** The smallest PNG that there is: one transparent dot. */
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==',
  'base64',
);

/** Posts a message of the test conversation, as an agent would, by which no backend may refuse it for its form. */
export function postMessage(
  run: ConformanceRun,
  guid: string,
  sequence: number,
  options: { credentials?: PlayedCredentials; text?: string } = {},
): Promise<RequestAnswer> {
  const { credentials, text = 'This is edge-agent conformance. Can you hear me?' } = options;
  const { person } = run.target;
  const at = new Date(run.clock.now()).toISOString();
  const body = {
    message_guid: guid,
    sequence,
    thread_id: person,
    chat_guid: `any;-;${person}`,
    sender: person,
    filtered_text: text,
    text,
    parts: [{ type: 'text', text }],
    original_timestamp: at,
    timestamp: at,
    is_group: false,
    mode: 'direct',
    participants: [person],
    service: 'iMessage',
    was_redacted: false,
    redacted_fields: [],
  };
  const headers = { 'Idempotency-Key': encodeURIComponent(guid) };
  return run.post('/edge/message', body, { headers, ...(credentials && { credentials }) });
}

/** The form of an upload, with an image of one pixel. */
export function picture(run: ConformanceRun): FormData {
  const { agent, person } = run.target;
  const form = new FormData();
  const fields = {
    user_phone: agent.phone,
    edge_agent_id: agent.id,
    attachment_guid: `at_0_${run.fresh()}`,
    message_guid: run.fresh(),
    chat_guid: `any;-;${person}`,
    is_group: 'false',
    caption: 'conformance',
    participants: JSON.stringify([person]),
    context: '{}',
  };
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  form.set('file', new Blob([PICTURE], { type: 'image/png' }), 'conformance.png');
  return form;
}

export const ACK_PATH = '/edge/command/ack';

/** By the two names of the endpoint, in the order in which the agent tries them (protocol §5). */
export async function postAck(
  run: ConformanceRun,
  ack: AckBody,
  options: { as?: PlayedIdentity; credentials?: PlayedCredentials } = {},
): Promise<RequestAnswer> {
  const answer = await run.post(ACK_PATH, ack, options);
  return isMissing(answer) ? run.post('/edge/ack_command', ack, options) : answer;
}
