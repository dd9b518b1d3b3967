import { beat, freshKeepalive, heard, nextBeatAt, pinged, transportAnswered } from './keepalive.js';
import { drainFrame, drainLost, drainStep, startDrain } from './linkDrain.js';
import { dial, enter, lose, redial, stay, type WithSocket } from './linkMoves.js';
import type {
  KeepaliveState,
  LinkEffect,
  LinkEvent,
  LinkRules,
  LinkState,
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
      const after = heard(keepalive, event.at, event.pong);
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
