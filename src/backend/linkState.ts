import { reconnectDelay } from './HttpClient.js';
import {
  beat,
  frameReceived,
  freshKeepalive,
  nextBeatAt,
  pinged,
  transportAnswered,
  wasStable,
} from './keepalive.js';
import type {
  KeepaliveState,
  LinkEffect,
  LinkEvent,
  LinkRules,
  LinkState,
  Loss,
  StateOf,
  Step,
} from './linkTypes.js';

export function initialState(at: number): LinkState {
  return {
    name: 'idle',
    pollingOnly: false,
    transition: 0,
    epoch: 0,
    since: at,
    failures: 0,
    step: 0,
    retryEarned: true,
    blockedSince: null,
    lastLoss: null,
  };
}

/**
 * The link, as a pure function: the state after `event`, and what the driver has to do about it, in order. An event
 * that does not concern the current state or socket returns the same state object and no effects.
 */
export function next(state: LinkState, event: LinkEvent, rules: LinkRules): Step {
  if ('epoch' in event && event.epoch !== state.epoch) return stay(state);
  if (event.type === 'drain') return startDrain(state, event.at, event.deadline, rules);
  switch (state.name) {
    case 'idle':
      if (event.type !== 'start') return stay(state);
      if (event.websocket) return dial(state, event.at, rules);
      if (state.pollingOnly) return stay(state);
      return { state: enter(state, event.at, { name: 'idle', pollingOnly: true }), effects: [] };
    case 'dialing':
      return whileDialing(state, event, rules);
    case 'proving':
    case 'online':
    case 'suspect':
      return withSocket(state, event, rules);
    case 'waiting':
      if (event.type === 'kick' || event.type === 'wake' || due(state, event))
        return dial(state, event.at, rules);
      return stay(state);
    case 'blocked':
      if (
        event.type === 'kick' ||
        event.type === 'credentials' ||
        event.type === 'authorised' ||
        due(state, event)
      )
        return dial(state, event.at, rules);
      return event.type === 'registered' && state.retrying ? dial(state, event.at, rules) : stay(state);
    case 'draining':
      if (event.type === 'frame') return drainFrame(state, event, rules);
      return event.type === 'lost' ? drainLost(state, event, rules) : drainStep(state, event, rules);
    case 'stopped':
      return stay(state);
  }
}

/** The one instant (monotonic ms) at which the state needs a `timer` event; undefined: it waits for no time. */
export function wakeAt(state: LinkState, rules: LinkRules): number | undefined {
  switch (state.name) {
    case 'idle':
    case 'stopped':
      return undefined;
    case 'online':
      return nextBeatAt(state.keepalive, rules);
    default:
      return state.until;
  }
}

/** Whether the HTTP poller runs: derived from the state and from nothing else. */
export function pollerMode(state: LinkState): 'running' | 'paused' | 'off' {
  switch (state.name) {
    case 'idle':
      return state.pollingOnly ? 'running' : 'off';
    case 'online':
    case 'suspect':
      return 'paused';
    case 'draining':
    case 'stopped':
      return 'off';
    default:
      return 'running';
  }
}

/** Whether there is a socket that counts as the way for acks and events. */
export function isLive(state: LinkState): boolean {
  if (state.name === 'draining') return state.keepalive !== null && state.part !== 'closing';
  return state.name === 'online' || state.name === 'suspect';
}

/** Whether acks may go by HTTP: there is no socket, nor a first dial that may still make that needless. */
export function acksGoByHttp(state: LinkState): boolean {
  if (state.name === 'proving' || (state.name === 'dialing' && state.failures === 0)) return false;
  return state.name === 'draining' || pollerMode(state) === 'running';
}

function whileDialing(state: StateOf<'dialing'>, event: LinkEvent, rules: LinkRules): Step {
  switch (event.type) {
    case 'opened': {
      const keepalive = freshKeepalive(event.at, rules);
      return {
        state: enter(state, event.at, { name: 'proving', until: event.at + rules.provingMs, keepalive }),
        effects: [
          { do: 'ping', epoch: state.epoch },
          { do: 'wsPing', epoch: state.epoch },
        ],
      };
    }
    case 'lost':
      return lose(state, event.loss, event, rules);
    case 'uncredentialed': {
      const until = event.at + rules.blockedFastMs * (1 + event.chance / 5);
      return {
        state: enter(state, event.at, {
          name: 'blocked',
          until,
          reason: event.reason,
          retrying: false,
          blockedSince: state.blockedSince ?? event.at,
        }),
        effects: [],
      };
    }
    case 'credentials':
    case 'redial':
    case 'wake': {
      const again = dial(state, event.at, rules);
      return { ...again, effects: [{ do: 'terminate', epoch: state.epoch }, ...again.effects] };
    }
    case 'timer':
      return due(state, event) ? lose(state, { kind: 'hung' }, event, rules) : stay(state);
    default:
      return stay(state);
  }
}

function withSocket(state: WithSocket, event: LinkEvent, rules: LinkRules): Step {
  const { epoch, keepalive } = state;
  switch (event.type) {
    case 'frame': {
      const after = frameReceived(keepalive, event.at, event.pong);
      if (state.name === 'online')
        return after === keepalive ? stay(state) : { state: { ...state, keepalive: after }, effects: [] };
      const effects: LinkEffect[] = state.name === 'proving' ? [{ do: 'sync', why: 'online' }] : [];
      return { state: enter(state, event.at, { name: 'online', keepalive: after }), effects };
    }
    case 'wsPong': {
      const after = transportAnswered(keepalive);
      if (state.name === 'suspect' && state.cause === 'ping')
        return { state: enter(state, event.at, { name: 'online', keepalive: after }), effects: [] };
      return { state: { ...state, keepalive: after }, effects: [] };
    }
    case 'lost':
      return lose(state, event.loss, event, rules);
    case 'redial':
      return redial(state, event.why, event.at, rules);
    case 'kick':
      return redial(state, 'requested by the operator', event.at, rules);
    case 'credentials':
      return redial(state, 'the credentials changed', event.at, rules);
    case 'hurry': {
      const sooner = Math.min(keepalive.nextPingAt, event.at + rules.hurryMs);
      if (sooner === keepalive.nextPingAt) return stay(state);
      return { state: { ...state, keepalive: { ...keepalive, nextPingAt: sooner } }, effects: [] };
    }
    case 'wake': {
      const until = event.at + rules.wakePingMs;
      const calm: KeepaliveState = {
        ...keepalive,
        wsPingAt: null,
        nextWsPingAt: event.at + rules.wsPingIntervalMs,
      };
      // A ping that is out already asks the same question; there is never a second one.
      const asked = keepalive.ping
        ? { ...calm, ping: { sentAt: event.at, alive: false } }
        : pinged(calm, event.at, rules);
      if (state.name === 'proving') return { state: { ...state, until, keepalive: asked }, effects: [] };
      const body = { name: 'suspect', until, keepalive: asked, cause: 'wake' } as const;
      return {
        state: state.name === 'suspect' ? { ...state, ...body } : enter(state, event.at, body),
        effects: keepalive.ping ? [] : [{ do: 'ping', epoch }],
      };
    }
    case 'timer':
      return onTimer(state, event, rules);
    default:
      return stay(state);
  }
}

function onTimer(state: WithSocket, event: LinkEvent, rules: LinkRules): Step {
  if (state.name === 'proving')
    return due(state, event) ? lose(state, { kind: 'silent' }, event, rules) : stay(state);
  if (state.name === 'suspect') {
    if (!due(state, event)) return stay(state);
    if (state.cause === 'wake') return redial(state, 'no answer after waking', event.at, rules);
    return lose(state, { kind: 'unanswered' }, event, rules);
  }
  const found = beat(state.keepalive, state.epoch, event.at, rules);
  if (found.kind === 'well') {
    const same = found.keepalive === state.keepalive;
    return same ? stay(state) : { state: { ...state, keepalive: found.keepalive }, effects: found.effects };
  }
  const body = { name: 'suspect', until: found.until, keepalive: found.keepalive, cause: 'ping' } as const;
  return { state: enter(state, event.at, body), effects: found.effects };
}

function due(state: { readonly until: number }, event: LinkEvent): boolean {
  return event.type === 'timer' && event.at >= state.until;
}

/** Refusals that a new token or a corrected secret fixes, and waiting does not (protocol §1). */
const REFUSING_STATUS: ReadonlySet<number> = new Set([401, 403]);
const REFUSING_CLOSE: ReadonlySet<number> = new Set([1008, 4001, 4401, 4403]);
const TAKEN_OVER = 4409;
const TRY_AGAIN_LATER = 1013;
/** The backoff step that waits 8–16 s. */
const TRY_AGAIN_STEP = 3;

/** The states between the open socket and its end. */
type WithSocket = StateOf<'proving' | 'online' | 'suspect'>;

/** A socket or a dial ended: what comes next, and after how long. */
function lose(state: StateOf<'dialing'> | WithSocket, loss: Loss, event: LinkEvent, rules: LinkRules): Step {
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

/** A 403 where HTTP takes the same credentials is about the endpoint: dialled on like any other failure, for it may be deployed later. */
function isRefusal(loss: Loss): boolean {
  if (loss.kind === 'refused')
    return REFUSING_STATUS.has(loss.status) && !(loss.status === 403 && loss.httpTakesUs === true);
  return loss.kind === 'closed' && REFUSING_CLOSE.has(loss.code);
}

/** Nothing changes: the very same state object. */
function stay(state: LinkState): Step {
  return { state, effects: NOTHING };
}

const NOTHING: readonly LinkEffect[] = [];

type Entered = Partial<Omit<LinkState, 'name'>> &
  {
    [Name in LinkState['name']]: Omit<StateOf<Name>, keyof LinkState> & { readonly name: Name };
  }[LinkState['name']];

/** The next state, numbered; what belongs only to the state before does not survive. */
function enter(before: LinkState, at: number, body: Entered): LinkState {
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

type Draining = StateOf<'draining'>;

/** From any state into the drain; `deadline` (monotonic ms) ends it whatever is still open. */
function startDrain(state: LinkState, at: number, deadline: number, rules: LinkRules): Step {
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
function drainStep(state: Draining, event: LinkEvent, rules: LinkRules): Step {
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
function drainFrame(state: Draining, event: Extract<LinkEvent, { type: 'frame' }>, rules: LinkRules): Step {
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

function drainLost(state: Draining, event: Extract<LinkEvent, { type: 'lost' }>, rules: LinkRules): Step {
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
