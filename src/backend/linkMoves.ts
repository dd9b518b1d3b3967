import { reconnectDelay } from './backoff.js';
import { wasStable } from './keepalive.js';
import type { LinkEffect, LinkEvent, LinkRules, LinkState, Loss, StateOf, Step } from './linkTypes.js';

/** Refusals that a fresh token or a corrected secret mends, and waiting does not (protocol §1). */
const REFUSING_STATUS: ReadonlySet<number> = new Set([401, 403]);
const REFUSING_CLOSE: ReadonlySet<number> = new Set([1008, 4001, 4401, 4403]);
const TAKEN_OVER = 4409;
const TRY_AGAIN_LATER = 1013;
/** The backoff step that waits 8–16 s. */
const TRY_AGAIN_STEP = 3;

/** The states between the open socket and its end. */
export type WithSocket = StateOf<'proving' | 'online' | 'suspect'>;

/** A socket or a dial ended: what comes next, and after how long. */
export function lose(
  state: StateOf<'dialing'> | WithSocket,
  loss: Loss,
  event: LinkEvent,
  rules: LinkRules,
): Step {
  const effects: LinkEffect[] = [{ do: 'terminate', epoch: state.epoch }];
  if (servesCommands(state)) effects.push({ do: 'sync', why: 'dropped' });
  const stable = 'keepalive' in state && wasStable(state.keepalive, event.at, rules);
  const step = Math.max(
    stable ? 0 : state.step,
    loss.kind === 'closed' && loss.code === TRY_AGAIN_LATER ? TRY_AGAIN_STEP : 0,
  );
  const counted = { failures: (stable ? 0 : state.failures) + 1, step: step + 1, lastLoss: loss };
  const retryAfterMs = loss.kind === 'refused' ? (loss.retryAfterMs ?? 0) : 0;

  if (isRefusal(loss)) {
    const retry = stable || state.retryEarned;
    const blockedSince = stable ? event.at : (state.blockedSince ?? event.at);
    const fast = event.at - blockedSince < rules.blockedFastForMs;
    const pause = fast
      ? rules.blockedFastMs * (1 + event.chance / 5)
      : rules.blockedSlowMs * (1 + event.chance / 20);
    const wait = retry ? Math.max(rules.reregisterMs, retryAfterMs) : Math.max(pause, retryAfterMs);
    if (retry) effects.push({ do: 'reregister' });
    const reason =
      loss.kind === 'closed' ? `close ${loss.code}` : `HTTP ${loss.kind === 'refused' ? loss.status : ''}`;
    const retrying = retry && retryAfterMs === 0;
    const body = {
      name: 'blocked',
      until: event.at + wait,
      reason,
      retrying,
      retryEarned: false,
      blockedSince,
    } as const;
    return { state: enter(state, event.at, { ...counted, ...body }), effects };
  }

  // The time under suspicion was already time without a link: it counts towards the wait.
  const lostAt = state.name === 'suspect' && loss.kind === 'unanswered' ? state.since : event.at;
  const taken = loss.kind === 'closed' && loss.code === TAKEN_OVER ? rules.takenOverMs : 0;
  const wait = Math.max(reconnectDelay(step, event.chance, rules.backoffMs), retryAfterMs, taken);
  const earned = stable || state.retryEarned;
  const until = Math.max(lostAt + wait, event.at);
  return {
    state: enter(state, event.at, { ...counted, name: 'waiting', until, retryEarned: earned }),
    effects,
  };
}

/** Gives the socket up and dials at once: after sleep, or when the backend seems to have forgotten us. */
export function redial(state: WithSocket, why: string, at: number, rules: LinkRules): Step {
  const stable = wasStable(state.keepalive, at, rules);
  const retryEarned = stable || state.retryEarned;
  const after = { ...state, retryEarned, step: 0, failures: 0, lastLoss: { kind: 'replaced', why } as const };
  const again = dial(after, at, rules);
  const effects: LinkEffect[] = [{ do: 'terminate', epoch: state.epoch }];
  if (servesCommands(state)) effects.push({ do: 'sync', why: 'dropped' });
  return { ...again, effects: [...effects, ...again.effects] };
}

/** A fresh socket under a fresh epoch; the handshake's deadline grows with the failures before it. */
export function dial(state: LinkState, at: number, rules: LinkRules): Step {
  const epoch = state.epoch + 1;
  const patience = Math.min(rules.dialFirstMs * (state.failures + 1), rules.dialLongestMs);
  return {
    state: enter(state, at, { name: 'dialing', until: at + patience, epoch }),
    effects: [{ do: 'dial', epoch }],
  };
}

function servesCommands(state: LinkState): boolean {
  return state.name === 'online' || state.name === 'suspect';
}

function isRefusal(loss: Loss): boolean {
  if (loss.kind === 'refused') return REFUSING_STATUS.has(loss.status);
  return loss.kind === 'closed' && REFUSING_CLOSE.has(loss.code);
}

/** Nothing changes: the very same state object. */
export function stay(state: LinkState): Step {
  return { state, effects: NOTHING };
}

const NOTHING: readonly LinkEffect[] = [];

type Entered = Partial<Omit<LinkState, 'name'>> &
  {
    [Name in LinkState['name']]: Omit<StateOf<Name>, keyof LinkState> & { readonly name: Name };
  }[LinkState['name']];

/** The next state, numbered; what belongs only to the state before does not survive. */
export function enter(before: LinkState, at: number, body: Entered): LinkState {
  const { epoch, failures, step, retryEarned, blockedSince, lastLoss, transition } = before;
  return {
    epoch,
    failures,
    step,
    retryEarned,
    blockedSince,
    lastLoss,
    ...body,
    transition: transition + 1,
    since: at,
  };
}
