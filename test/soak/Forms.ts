import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { readCalls } from '../../src/kit/messages/osascriptLog.js';
import type { UnsendForm } from '../../src/kit/messages/SimulatedChatEvents.js';
import type { FirstState } from '../../src/kit/messages/SimulatedSent.js';
import { ATTACHMENT_MARK } from '../../src/kit/messages/typedstreamEncoder.js';
import { openDatabase } from '../../src/store/sqlite.js';
import type { EdgeWorld } from '../support/EdgeWorld.js';
import type { MessageIntent, OperatorIntent } from './intents.js';
import type { Seeded } from './Seeded.js';
import type { Conversation, Traffic } from './Traffic.js';

/** How the first rows of our own texts are written, beside the way that is the simulator's default. */
const FIRST_STATES: readonly FirstState[] = ['recipient', 'none', 'anonymous'];
const UNSEND_FORMS: readonly UnsendForm[] = ['dated', 'emptied', 'summary'];
/** More than eight identifiers for one group are ignored (docs/guarantees.md, "What went out"). */
const MOST_MOVES = 5;
const LINK_BALLOON = 'com.apple.messages.URLBalloonProvider';
/** Only recent messages are changed, unsent or rewritten. */
const LATELY = 12;

/** How often each form was written, by name. */
export type FormCounts = Record<string, number>;

/**
 * Writes chat.db in the forms that Messages has for one fact: rows of several parts, of links, whose chat comes late; changes and
 * copies of rows that are there; rows of our own in each first state; the operator's answers; groups that move; a rebuilt file.
 */
export class Forms {
  readonly operators: OperatorIntent[] = [];
  readonly counts: FormCounts = {};
  private readonly working = new Set<Promise<unknown>>();
  private moves = 0;
  /** How many calls of osascript there will have been when the ways that were chosen are used up. */
  private ownAhead = 0;

  constructor(
    private readonly world: EdgeWorld,
    private readonly random: Seeded,
    private readonly traffic: Traffic,
    /** The clock jumps, so that dates do not show in which order rows were written. */
    private readonly datesMayLie = false,
  ) {}

  /** Writes one form. `isCalm`: no backlog, so that one message more is possible. */
  step(isCalm: boolean): void {
    const act = this.random.weighted({
      own: 4,
      copy: 2,
      copyOwn: 1.5,
      edit: 1.5,
      unsend: 1.5,
      rebuild: 0.25,
      regroup: 0.25,
      parts: isCalm ? 1.5 : 0,
      link: isCalm ? 1.5 : 0,
      lateChat: isCalm ? 1.5 : 0,
      operator: isCalm ? 1 : 0,
    });
    if (this.act(act)) this.counts[act] = (this.counts[act] ?? 0) + 1;
  }

  /** Resolves when nothing that was begun is still to come. */
  async arrived(): Promise<void> {
    await Promise.all(this.working);
  }

  /** Whether there was anything to do it to. */
  private act(name: string): boolean {
    switch (name) {
      case 'own':
        return this.own();
      case 'copy':
        return this.copy();
      case 'copyOwn':
        return this.copyOwn();
      case 'edit':
        return this.edit();
      case 'unsend':
        return this.unsend();
      case 'rebuild':
        return this.rebuild();
      case 'regroup':
        return this.regroup();
      case 'parts':
        return this.parts();
      case 'link':
        return this.link();
      case 'lateChat':
        return this.lateChat();
      default:
        return this.operator();
    }
  }

  /** The rows of our next texts are written first in another way, and settle sooner or later. */
  private own(): boolean {
    const { random } = this;
    // No more than are used up: a busy machine sends little, and all that it sends would take its time.
    const { osascriptDirectory } = this.world.mac;
    if (this.ownAhead > readCalls(osascriptDirectory).length + 3) return false;
    const times = random.int(1, 3);
    this.ownAhead = Math.max(this.ownAhead, readCalls(osascriptDirectory).length) + times;
    const first = { form: random.pick(FIRST_STATES), settlesAfterMs: random.int(0, 900) };
    this.world.behave({ kind: 'ok', first }, { times });
    return true;
  }

  /** iCloud writes a message, or the operator's answer, again. */
  private copy(): boolean {
    const { random } = this;
    const { rewrites } = this.world.mac.chatDb;
    const messages = this.traffic.messages.slice(-LATELY).filter(({ late }) => !late);
    const operator = this.operators.at(-1);
    if (operator !== undefined && random.chance(0.15)) {
      rewrites.rewrite(operator.guid);
      return true;
    }
    if (messages.length === 0) return false;
    const message = random.pick(messages);
    const files = random.pick(['shared', 'renamed'] as const);
    const { guid } = rewrites.rewrite(message.guid, { files });
    const images =
      files === 'shared' ? message.images : message.images.map((_, index) => `at_${index}_${guid}`);
    message.copies.push({ guid, images });
    return true;
  }

  /** iCloud rewrites a text of the agent. */
  private copyOwn(): boolean {
    const database = openDatabase(this.world.mac.chatDbPath, { readonly: true });
    try {
      const guids = database
        .prepare('SELECT guid FROM message WHERE is_from_me = 1 AND is_sent = 1 ORDER BY date DESC LIMIT 12')
        .pluck()
        .all() as string[];
      const operators = new Set(this.operators.map(({ guid }) => guid));
      const ours = guids.filter((guid) => !operators.has(guid));
      if (ours.length === 0) return false;
      this.world.mac.chatDb.rewrites.rewrite(this.random.pick(ours));
      return true;
    } finally {
      database.close();
    }
  }

  private edit(): boolean {
    const message = this.changeable();
    if (message === undefined) return false;
    message.fate = 'edited';
    message.before = message.text;
    message.text = `${message.text}, no: another`;
    this.world.mac.chatDb.happenings.edit({ rowId: this.rowId(message) }, message.text);
    return true;
  }

  private unsend(): boolean {
    const message = this.changeable();
    if (message === undefined) return false;
    message.fate = 'unsent';
    const form = this.random.pick(UNSEND_FORMS);
    this.world.mac.chatDb.happenings.unsend({ rowId: this.rowId(message) }, Date.now(), form);
    this.traffic.givenUp(message.guid);
    return true;
  }

  /** One recent text, complete, and neither copied nor changed. */
  private changeable(): MessageIntent | undefined {
    const messages = this.traffic.messages
      .slice(-LATELY)
      .filter(
        ({ late, copies, fate, images, parts, text, isHostile }) =>
          !late &&
          isHostile !== true &&
          fate === undefined &&
          parts === undefined &&
          !text.includes('://') &&
          copies.length + images.length === 0,
      );
    return messages.length === 0 ? undefined : this.random.pick(messages);
  }

  /** chat.db is rebuilt: ROWIDs in any order. */
  private rebuild(): boolean {
    const { random } = this;
    if (this.datesMayLie) this.traffic.orderIsLost();
    this.world.mac.chatDb.rewrites.rebuild((rowIds) => {
      const shuffled = [...rowIds];
      for (let last = shuffled.length - 1; last > 0; last--) {
        const other = random.int(0, last);
        const [a = 0, b = 0] = [shuffled[last], shuffled[other]];
        shuffled[last] = b;
        shuffled[other] = a;
      }
      return shuffled;
    });
    return true;
  }

  private regroup(): boolean {
    if (this.moves === MOST_MOVES) return false;
    this.moves += 1;
    this.traffic.moveGroup((chat) => this.world.mac.chatDb.chats.regroup(chat, { service: chat.service }));
    return true;
  }

  /** A message of several bubbles, with and without photos. */
  private parts(): boolean {
    const { random, world } = this;
    const { from, chat, conversation } = this.whence();
    const name = this.traffic.name('p');
    const count = random.int(2, 4);
    const parts: string[] = Array.from({ length: count }, (_, index) =>
      random.chance(0.4) ? '' : `${name} part ${index}`,
    );
    if (!parts.some((part) => part !== '')) parts.push(`${name} at last`);
    const attachments = parts.flatMap((part, index) =>
      part === '' ? [this.file(`at_${index}_${name}`, `IMG_${index}.jpeg`)] : [],
    );
    const written = parts.map((part) => (part === '' ? ATTACHMENT_MARK : part));
    const { guid } = world.mac.chatDb.receive({ from, chat, parts: written, attachments });
    this.traffic.takeIn(name, {
      ...{ guid, conversation, late: false, parts, copies: [] },
      text: parts.filter((part) => part !== '').join('\n'),
      images: attachments.map((file) => file.guid),
    });
    return true;
  }

  /** A link with its preview before or behind it, or one that names the text that it belongs to. */
  private link(): boolean {
    const { random } = this;
    const { chatDb } = this.world.mac;
    const { from, chat, id } = random.pick(this.traffic.conversations.filter(({ isGroup }) => !isGroup));
    const name = this.traffic.name('l');
    const link = `https://example.com/${name}`;
    const text = `${name} look at ${link}`;
    const way = random.pick(['before', 'behind', 'named'] as const);
    let guid: string;
    if (way === 'named') {
      guid = chatDb.receive({ from, chat, text }).guid;
      const columns = { balloon_bundle_id: LINK_BALLOON, reply_to_guid: guid };
      chatDb.receive({ from, chat, text: `https://sho.rt/${name}`, columns });
    } else {
      guid = chatDb.happenings.sendLink(from, text, link, { previewFirst: way === 'before' }).message.guid;
    }
    this.traffic.takeIn(name, { guid, conversation: id, late: true, text, images: [], copies: [] });
    return true;
  }

  /** A row whose text is there at once and whose chat comes later. */
  private lateChat(): boolean {
    const { from, chat, conversation } = this.whence();
    const name = this.traffic.name('c');
    const text = `${name} where am I?`;
    const incoming = this.world.mac.chatDb.receive({ from, chat, text, stages: ['row', 'text'] });
    this.later(this.random.int(50, 6_000), () => incoming.complete());
    const { guid } = incoming;
    this.traffic.takeIn(name, { guid, conversation, late: true, text, images: [], copies: [] });
    return true;
  }

  /** A person answers from another device, or by hand on this Mac, where the row comes in two steps. */
  private operator(): boolean {
    const { random, traffic } = this;
    const known = traffic.conversations.filter(({ id }) => traffic.isKnown(id));
    if (known.length === 0) return false;
    const { chat } = random.pick(known);
    const text = `${traffic.name('o')} says the operator`;
    const firstState = random.pick(['none', 'anonymous'] as const);
    const { guid } = this.world.mac.chatDb.writeSent({ chat, text, firstState });
    this.operators.push({ guid, text });
    return true;
  }

  private whence(): { from: string; chat: Conversation['chat']; conversation: string } {
    const { people, chat, id } = this.random.pick(this.traffic.conversations);
    return { from: this.random.pick(people), chat, conversation: id };
  }

  private file(guid: string, name: string) {
    const bytes = Buffer.from(`the bytes of ${guid}`);
    writeFileSync(this.world.attachmentPath(guid, name), bytes);
    return { guid, name, sizeBytes: bytes.length };
  }

  private rowId({ guid }: MessageIntent): number {
    return this.world.mac.chatDb.rowIdOf(guid);
  }

  private later(ms: number, run: () => void): void {
    const work = pause(ms)
      .then(run)
      .finally(() => this.working.delete(work));
    this.working.add(work);
  }
}
