import type { AttemptResult, MessageSender, SendTarget } from '../../model/sending.js';
import type { ChatDb } from '../chatdb/ChatDb.js';
import type { ChatTarget } from '../chatdb/sentRows.js';
import type { OsascriptRunner, RunningScript } from './OsascriptRunner.js';
import type { SendResult } from './sendResult.js';

export type SmsFallback = 'never' | 'known' | 'always';

interface MessageSenderOptions {
  runner: OsascriptRunner;
  chatDb: Pick<ChatDb, 'findChat' | 'servicesOf'>;
  /** Read at each use: how long osascript may take, and who may be written to by SMS where iMessage refuses the target. */
  settings: () => { readonly timeoutMs: number; readonly smsFallback: SmsFallback };
  isGroup: (conversation: string) => boolean;
  /** See MessageSender. */
  hold?: () => Promise<unknown> | undefined;
  /** Called with the result of each attempt, before any other listener. */
  onResult: (result: SendResult) => void;
}

/**
 * Messages.app for the outgoing room: the chats that chat.db knows, and osascript. `release` lets go of an osascript
 * that outlives the agent.
 */
export function messageSender(options: MessageSenderOptions): MessageSender & { release(): void } {
  const { runner, chatDb, settings, isGroup, hold, onResult } = options;
  const running = new Set<RunningScript>();
  const leaving = new AbortController();
  return {
    targets(conversation, threadId, answeredChat = null) {
      const { smsFallback } = settings();
      const found = chatDb.findChat(conversation);
      const chats = found ?? [];
      const [chat] = smsFallback === 'never' ? chats.filter((one) => !isTextMessage(one)) : chats;
      if (chats[0]?.style !== 'group' && !isGroup(conversation) && !isGroup(threadId)) {
        const usable = smsFallback === 'never' ? chats.filter((one) => !isTextMessage(one)) : chats;
        const isBySms = mayBySms(chatDb, conversation, chats, smsFallback);
        return personTargets(conversation, { chats: usable, answeredChat }, isBySms);
      }
      if (chat !== undefined) return [{ form: 'chat', address: chat.guid, accountId: null }];
      if (chats.length > 0) return [];
      const named = unknownGroupTargets(threadId, smsFallback);
      return found === undefined && named.length === 0 ? undefined : named;
    },
    needsSms(conversation, threadId) {
      if (settings().smsFallback !== 'never') return false;
      return (
        TEXT_MESSAGE_GUID.test(threadId) ||
        (chatDb.findChat(conversation) ?? []).some((one) => isTextMessage(one))
      );
    },
    ...(hold === undefined ? {} : { hold }),
    async start({ tag, text, file, target }) {
      const script = runner.start({
        tag,
        text,
        form: target.form,
        target: target.address,
        deadlineMs: settings().timeoutMs,
        ...(target.accountId === null ? {} : { accountId: target.accountId }),
        ...(file === null ? {} : { file }),
      });
      running.add(script);
      const ended = await script.result;
      running.delete(script);
      onResult(ended);
      return attemptResult(ended);
    },
    async settle(tag, isSameBoot) {
      const end = await runner.waitForEnd(tag, settings().timeoutMs, { isSameBoot, stop: leaving.signal });
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

/** Only a phone number has SMS. */
const NUMBER = /^\+?\d+$/;
const TEXT_MESSAGE = /^(?:sms|rcs)$/i;
const TEXT_MESSAGE_GUID = /^(?:sms|rcs);/i;

/** What is sent in such a chat goes by SMS or RCS. macOS 26 writes `any;` into the guid of every chat. */
function isTextMessage({ service, guid }: ChatTarget): boolean {
  return TEXT_MESSAGE.test(service) || TEXT_MESSAGE_GUID.test(guid);
}

/**
 * The chat of the answered message, else the one with the newest message; by its guid as in chat.db. Then the person,
 * by their canonical address, as a participant of that chat's account; then by SMS if that is allowed. A person who is
 * not in chat.db has no chat. A chat whose name is a number without its plus comes after the person unless a message
 * was received in it: Messages creates such a chat for any number, and delivers nothing there.
 */
function personTargets(
  conversation: string,
  { chats, answeredChat }: { chats: readonly ChatTarget[]; answeredChat: string | null },
  isBySms: boolean,
): SendTarget[] {
  const answered = chats.find(({ guid }) => guid === answeredChat);
  const wellNamed = chats.find((one) => !isMisspelt(one, conversation));
  const chat = answered ?? wellNamed ?? chats[0];
  const known: SendTarget[] =
    chat === undefined ? [] : [{ form: 'chat', address: chat.guid, accountId: null }];
  const participant = { form: 'participant', address: conversation, accountId: accountOf(chat) } as const;
  const sms = { form: 'sms', address: conversation, accountId: null } as const;
  const isDoubtful = chat !== undefined && answered === undefined && wellNamed === undefined;
  const ways: SendTarget[] = isDoubtful ? [participant, ...known] : [...known, participant];
  return [...ways, ...(isBySms ? [sms] : [])];
}

/** A number that chat.db has in another form than E.164. */
function isMisspelt({ identifier }: ChatTarget, conversation: string): boolean {
  return NUMBER.test(conversation) && conversation.startsWith('+') && identifier !== conversation;
}

function accountOf(chat: ChatTarget | undefined): string | null {
  return chat?.accountId === undefined || chat.accountId === '' ? null : chat.accountId;
}

/** Whether SMS is allowed, and was used with them before where that is asked for. */
function mayBySms(
  chatDb: Pick<ChatDb, 'servicesOf'>,
  conversation: string,
  chats: readonly ChatTarget[],
  smsFallback: SmsFallback,
): boolean {
  if (smsFallback === 'never' || !NUMBER.test(conversation)) return false;
  if (smsFallback === 'always' || chats.some(({ service }) => TEXT_MESSAGE.test(service))) return true;
  return chatDb.servicesOf(conversation).some((service) => TEXT_MESSAGE.test(service));
}

/** A group's guid is never made up: one that chat.db lacks is used only if the backend named it in full. */
function unknownGroupTargets(threadId: string, smsFallback: SmsFallback): SendTarget[] {
  const isRefused = smsFallback === 'never' && TEXT_MESSAGE_GUID.test(threadId);
  return threadId.includes(';+;') && !isRefused ? [{ form: 'chat', address: threadId, accountId: null }] : [];
}

function attemptResult(result: SendResult): AttemptResult {
  switch (result.kind) {
    case 'accepted':
      return result;
    case 'unknown':
      return { kind: 'unknown', message: sentence(result.message) };
    case 'notStarted': {
      const message = [sentence(result.message), result.remedy].join(' ').trim();
      return { kind: 'notStarted', errorCode: result.reason, message, retry: result.retry };
    }
  }
}

function sentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`;
}
