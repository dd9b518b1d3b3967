import { type ClientFrame, clientFrameSchema } from '../model/clientFrames.js';
import type { ServerFrame } from '../model/monitorFrames.js';
import { INPUT_LIMITS } from '../system/inputLimits.js';
import { excessOf } from '../system/jsonShape.js';
import { plainIssue } from '../system/plainIssues.js';

const KNOWN_TYPES = clientFrameSchema.options.map((option) => option.shape.type.value).join(', ');

const FRAME_LIMITS = { nesting: INPUT_LIMITS.nesting, size: INPUT_LIMITS.command } as const;

/** Reads what a client sent; `error` says what is wrong with it, for the `error` frame. Never throws. */
export function readClientFrame(
  text: string,
): { kind: 'frame'; frame: ClientFrame } | { kind: 'refused'; error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Parse errors are reported to the sender.
    return { kind: 'refused', error: 'Invalid message format: not JSON' };
  }
  if (excessOf(value, FRAME_LIMITS) !== undefined)
    return { kind: 'refused', error: 'Invalid message format: nested too deep' };
  const parsed = clientFrameSchema.safeParse(value, { error: plainIssue });
  if (parsed.success) return { kind: 'frame', frame: parsed.data };
  const [issue] = parsed.error.issues;
  if (issue?.code === 'invalid_union') {
    return { kind: 'refused', error: `Unknown message type: expected one of ${KNOWN_TYPES}` };
  }
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  return { kind: 'refused', error: `Invalid message format${where}: ${issue?.message ?? 'not a message'}` };
}

/** A frame as it goes over the wire. `at` is Unix ms. */
export function encodeFrame(frame: ServerFrame, at: number): Buffer {
  return Buffer.from(JSON.stringify({ ...frame, timestamp: new Date(at).toISOString() }));
}
