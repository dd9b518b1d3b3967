import type { OsascriptRunner } from '../messages/applescript/runner.js';
import type { RunningScript } from '../messages/applescript/ScriptRun.js';
import type { SendResult } from '../messages/applescript/sendResult.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { AttemptResult, MessageSender, SendTarget } from '../outgoing/ports.js';

export interface MessageSenderOptions {
  runner: OsascriptRunner;
  chatDb: Pick<ChatDb, 'findChat'>;
  sendTimeoutMs: () => number;
  isGroup: (conversation: string) => boolean;
  /** Told how each attempt ended, before anybody else is. */
  onResult: (result: SendResult) => void;
}

/**
 * Messages.app for the outgoing room: the chats that chat.db knows, and osascript. `release` lets go of an osascript
 * that outlives the agent.
 */
export function messageSender(options: MessageSenderOptions): MessageSender & { release(): void } {
  const { runner, chatDb, sendTimeoutMs, isGroup, onResult } = options;
  const running = new Set<RunningScript>();
  const leaving = new AbortController();
  return {
    targets: (conversation, threadId) => targetsOf(chatDb, conversation, threadId, isGroup(conversation)),
    async start({ tag, text, target }) {
      const script = runner.start({
        tag,
        text,
        form: target.form,
        target: target.address,
        deadlineMs: sendTimeoutMs(),
        ...(target.accountId === null ? {} : { accountId: target.accountId }),
      });
      running.add(script);
      const ended = await script.result;
      running.delete(script);
      onResult(ended);
      return attemptResult(ended);
    },
    async settle(tag, startedAt) {
      const end = await runner.waitForEnd(tag, startedAt + sendTimeoutMs(), {
        attemptedAt: startedAt,
        stop: leaving.signal,
      });
      if (end.running && leaving.signal.aborted) return undefined;
      return { dispatched: end.marker || end.killed || end.running };
    },
    forget: (tag) => runner.forget(tag),
    release() {
      leaving.abort();
      for (const script of running) script.release();
    },
  };
}

/**
 * The chat's own guid as chat.db has it, then the person as a participant of that chat's account; somebody whom
 * chat.db does not know only as a participant. A group's guid is never made up: one that chat.db lacks is used only
 * if the backend named it in full.
 */
function targetsOf(
  chatDb: Pick<ChatDb, 'findChat'>,
  conversation: string,
  threadId: string,
  isGroup: boolean,
): SendTarget[] {
  const chats = chatDb.findChat(conversation);
  const known = chats
    .slice(0, 1)
    .map(({ guid }): SendTarget => ({ form: 'chat', address: guid, accountId: null }));
  if (!isGroup) {
    return [...known, { form: 'participant', address: conversation, accountId: chats[0]?.accountId ?? null }];
  }
  if (known.length > 0 || !threadId.includes(';+;')) return known;
  return [{ form: 'chat', address: threadId, accountId: null }];
}

function attemptResult(result: SendResult): AttemptResult {
  switch (result.kind) {
    case 'accepted':
      return result;
    case 'unknown':
      return { kind: 'unknown', message: `${result.message}.` };
    case 'notStarted': {
      const message = [`${result.message}.`, result.remedy].join(' ').trim();
      return { kind: 'notStarted', errorCode: result.reason, message, retry: result.retry };
    }
  }
}
