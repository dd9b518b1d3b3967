import { enter } from './linkMoves.js';
import type { LinkEvent, LinkRules, LinkState, StateOf, Step } from './linkTypes.js';

type Draining = StateOf<'draining'>;

/** From any state into the drain; `deadline` (monotonic ms) ends it whatever is still open. */
export function startDrain(state: LinkState, at: number, deadline: number, rules: LinkRules): Step {
  if (state.name === 'stopped' || state.name === 'draining') return { state, effects: [] };
  if (state.name === 'idle' && !state.pollingOnly) {
    return { state: enter(state, at, { name: 'stopped' }), effects: [] };
  }
  const keepalive = 'keepalive' in state ? state.keepalive : null;
  // The barrier and the close keep their time even when handlers take all of theirs.
  const until = Math.max(deadline - rules.barrierMs - rules.closeMs, at);
  return {
    state: enter(state, at, {
      name: 'draining',
      part: 'finishing',
      until,
      deadline,
      keepalive,
      barrierSent: false,
    }),
    effects: state.name === 'dialing' ? [{ do: 'terminate', epoch: state.epoch }] : [],
  };
}

/** Everything in the drain but frames and the loss of the socket. */
export function drainStep(state: Draining, event: LinkEvent, rules: LinkRules): Step {
  const overdue = event.type === 'timer' && event.at >= state.until;
  switch (state.part) {
    case 'finishing':
      return event.type === 'settled' || overdue ? toBarrier(state, event.at, rules) : { state, effects: [] };
    case 'barrier':
      if (event.type === 'flushed' && state.keepalive === null) return stop(state, event.at, false);
      return overdue ? toClose(state, event.at, rules) : { state, effects: [] };
    case 'closing':
      return overdue ? stop(state, event.at, true) : { state, effects: [] };
  }
}

/** A pong is the proof that the backend read all that was sent before its ping. */
export function drainFrame(
  state: Draining,
  event: Extract<LinkEvent, { type: 'frame' }>,
  rules: LinkRules,
): Step {
  if (!event.pong || state.keepalive === null || state.keepalive.ping === null) return { state, effects: [] };
  const keepalive = { ...state.keepalive, ping: null };
  if (state.part !== 'barrier') return { state: { ...state, keepalive }, effects: [] };
  if (state.barrierSent) return toClose({ ...state, keepalive }, event.at, rules);
  const asked = { ...keepalive, ping: { sentAt: event.at, alive: false } };
  return {
    state: { ...state, keepalive: asked, barrierSent: true },
    effects: [{ do: 'ping', epoch: state.epoch }],
  };
}

export function drainLost(
  state: Draining,
  event: Extract<LinkEvent, { type: 'lost' }>,
  rules: LinkRules,
): Step {
  const alone: Draining = { ...state, keepalive: null, lastLoss: event.loss };
  if (state.part === 'closing') return stop(alone, event.at, true);
  const effects = [{ do: 'terminate', epoch: state.epoch } as const];
  if (state.part === 'finishing') return { state: alone, effects };
  const barrier = toBarrier(alone, event.at, rules);
  return { ...barrier, effects: [...effects, ...barrier.effects] };
}

function toBarrier(state: Draining, at: number, rules: LinkRules): Step {
  const until = Math.min(at + rules.barrierMs, Math.max(state.deadline - rules.closeMs, at));
  const base: Draining = { ...state, part: 'barrier', until, barrierSent: false };
  if (state.keepalive === null) return { state: base, effects: [{ do: 'lastWords', socket: false }] };
  const words = { do: 'lastWords', socket: true } as const;
  // A ping that is still out left before the last acks; its pong sends the one that counts.
  if (state.keepalive.ping) return { state: base, effects: [words] };
  const keepalive = { ...state.keepalive, ping: { sentAt: at, alive: false } };
  return {
    state: { ...base, keepalive, barrierSent: true },
    effects: [words, { do: 'ping', epoch: state.epoch }],
  };
}

function toClose(state: Draining, at: number, rules: LinkRules): Step {
  if (state.keepalive === null) return stop(state, at, false);
  const until = at + rules.closeMs;
  return { state: { ...state, part: 'closing', until }, effects: [{ do: 'close', epoch: state.epoch }] };
}

function stop(state: Draining, at: number, socket: boolean): Step {
  const effects = socket ? [{ do: 'terminate', epoch: state.epoch } as const] : [];
  return { state: enter(state, at, { name: 'stopped' }), effects };
}
