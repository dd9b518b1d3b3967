import { initialState, next, wakeAt } from '../../src/backend/linkState.js';
import { type LinkEvent, type LinkState, PROTOCOL_RULES, type Step } from '../../src/backend/linkTypes.js';

/** An event without what the play knows by itself. */
export type PlayEvent = LinkEvent extends infer E
  ? E extends LinkEvent
    ? Omit<E, 'at' | 'chance' | 'epoch'>
    : never
  : never;

/** Plays events at instants, in the current epoch, and keeps what came of them. */
export class LinkPlay {
  state: LinkState = initialState(0);
  at = 0;
  chance = 0;
  last: Step = { state: this.state, effects: [] };

  feed(event: PlayEvent, epoch = this.state.epoch): this {
    this.last = next(
      this.state,
      { ...event, epoch, at: this.at, chance: this.chance } as LinkEvent,
      PROTOCOL_RULES,
    );
    this.state = this.last.state;
    return this;
  }

  after(ms: number): this {
    this.at += ms;
    return this;
  }

  /** Moves on to the instant that the state waits for. */
  wait(): this {
    this.at = Math.max(this.at, wakeAt(this.state, PROTOCOL_RULES) ?? this.at);
    return this.feed({ type: 'timer' });
  }

  online(): this {
    return this.feed({ type: 'opened' }).feed({ type: 'frame', pong: true });
  }

  get did(): string[] {
    return this.last.effects.map((effect) => ('why' in effect ? `${effect.do}:${effect.why}` : effect.do));
  }

  get waits(): number {
    return (wakeAt(this.state, PROTOCOL_RULES) ?? Number.NaN) - this.at;
  }
}

/** Dialing for the first time. */
export const started = () => new LinkPlay().feed({ type: 'start', websocket: true });
