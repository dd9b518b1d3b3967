import type { Words } from './osascriptBehaviour.js';

type Phrase = Readonly<Record<Words, (what: string) => string>>;

const NO_OBJECT: Phrase = {
  en: (what) => `Messages got an error: Can’t get ${what}.`,
  zh: (what) => `“信息”遇到一个错误：不能获得${what}。`,
  ja: (what) => `“メッセージ”でエラーが起きました: ${what}を取り出すことはできません。`,
};

const FAILED: Phrase = {
  en: () => 'Messages got an error: An error has occurred.',
  zh: () => '“信息”遇到一个错误：发生错误。',
  ja: () => '“メッセージ”でエラーが起きました: エラーが起きました。',
};

const PHRASES: ReadonlyMap<number, Phrase> = new Map([
  [-1728, NO_OBJECT],
  [-1719, NO_OBJECT],
  [
    -1743,
    {
      en: () => 'Not authorized to send Apple events to Messages.',
      zh: () => '未获得授权将Apple事件发送给“信息”。',
      ja: () => '“メッセージ”にAppleイベントを送信する権限がありません。',
    },
  ],
  [
    -1712,
    {
      en: () => 'Messages got an error: AppleEvent timed out.',
      zh: () => '“信息”遇到一个错误：AppleEvent超时。',
      ja: () => '“メッセージ”でエラーが起きました: AppleEventがタイムアウトしました。',
    },
  ],
  [
    1,
    {
      en: () => 'Messages got an error: Can not send message to a chat you are not a member of',
      zh: () => '“信息”遇到一个错误：您不是此聊天的成员',
      ja: () => '“メッセージ”でエラーが起きました: このチャットのメンバーではありません',
    },
  ],
]);

/** The line in which osascript reports an error, in the words of macOS, with the number last. */
export function errorLine(number: number, words: Words, what: string): string {
  const phrase = (PHRASES.get(number) ?? FAILED)[words](what);
  return `0:0: execution error: ${phrase} (${number})\n`;
}
