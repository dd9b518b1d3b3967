import type { NewSend } from '../../src/model/sending.js';

/** A text that waits for its turn, of no command and in answer to nothing, but for what is given. */
export function queuedText(text: Pick<NewSend, 'id' | 'conversation' | 'text'> & Partial<NewSend>): NewSend {
  return {
    threadId: text.conversation,
    role: 'message',
    priority: 2,
    pauseMs: 0,
    commandId: null,
    scheduleId: null,
    answers: null,
    twinKey: null,
    twin: null,
    state: 'queued',
    errorCode: null,
    error: null,
    ...text,
  };
}
