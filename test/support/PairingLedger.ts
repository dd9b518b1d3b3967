import { decide, type PairingFacts, type SaidText } from '../../src/outgoing/DuplicatePairing.js';

interface Message {
  guid: string;
  state: 'new' | 'open' | 'recent' | 'old';
  posts: number;
  sendsBefore: number;
}

/** A text with what came of it; `truth` is the message that the backend meant. */
export interface LedgerText extends SaidText {
  truth: string;
  state: 'pending' | 'sent' | 'failed';
}

/** The facts of one conversation in memory, for the rules of pairing alone: no store, no osascript, no time. */
export class PairingLedger {
  readonly texts: LedgerText[] = [];
  private readonly messages: Message[] = [];

  post(guid: string): void {
    const message = this.message(guid);
    if (message.state === 'old' || message.state === 'recent') return;
    if (message.state === 'new') message.sendsBefore = this.texts.length;
    message.state = 'open';
    message.posts += 1;
  }

  reflex(truth: string, words: string, isNamed: boolean): LedgerText {
    const text = { role: 'reflex', words, names: isNamed ? truth : null } as const;
    return this.add(text, truth);
  }

  reply(guid: string, words: string | null): LedgerText | undefined {
    this.message(guid).state = 'recent';
    return words === null ? undefined : this.add({ role: 'first', words, names: guid }, guid);
  }

  /** Its end is more than ten minutes ago. */
  age(guid: string): void {
    const message = this.message(guid);
    if (message.state === 'recent') message.state = 'old';
  }

  /** The oldest pending text ends; if it failed, its first duplicate takes its place. */
  end(state: 'sent' | 'failed'): void {
    const text = this.texts.find((one) => one.state === 'pending' && one.duplicateOf === null);
    if (text === undefined) return;
    text.state = state;
    const duplicates = this.texts.filter(({ duplicateOf }) => duplicateOf === text.seq);
    const [heir] = duplicates;
    if (state === 'sent' || heir === undefined) return;
    for (const one of duplicates) this.change(one.seq, { duplicateOf: one === heir ? null : heir.seq });
  }

  message(guid: string): Message {
    const known = this.messages.find((message) => message.guid === guid);
    if (known !== undefined) return known;
    const message: Message = { guid, state: 'new', posts: 0, sendsBefore: 0 };
    this.messages.push(message);
    return message;
  }

  /** The texts in these words that went out, or are to go out. */
  sentIn(words: string): LedgerText[] {
    return this.texts.filter(
      (text) => text.words === words && text.duplicateOf === null && text.state !== 'failed',
    );
  }

  private get facts(): PairingFacts {
    const messages = this.messages
      .filter(({ state }) => state === 'open' || state === 'recent')
      .map(({ guid, state, posts, sendsBefore }) => ({ guid, isOpen: state === 'open', posts, sendsBefore }));
    return { messages, texts: this.texts.filter(({ state }) => state !== 'failed') };
  }

  private add(text: Pick<SaidText, 'role' | 'words' | 'names'>, truth: string): LedgerText {
    const decision = decide(this.facts, text);
    const { assumed } = decision;
    const duplicateOf = decision.kind === 'duplicate' ? decision.of : null;
    const added: LedgerText = {
      ...text,
      seq: this.texts.length + 1,
      assumed,
      duplicateOf,
      truth,
      state: 'pending',
    };
    this.texts.push(added);
    if (decision.kind === 'duplicate')
      for (const change of decision.reassumed) this.change(change.seq, { assumed: change.assumed });
    return added;
  }

  private change(seq: number, change: Partial<LedgerText>): void {
    const text = this.texts[seq - 1];
    if (text !== undefined) Object.assign(text, change);
  }
}
