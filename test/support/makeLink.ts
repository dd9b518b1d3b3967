import { Link, type LinkPorts } from '../../src/backend/Link.js';
import type { LinkRules, LinkState } from '../../src/backend/linkTypes.js';
import type { Frame } from '../../src/backend/protocol.js';
import type { Clock } from '../../src/system/clock.js';
import { outboundBy } from './outbound.js';

/** A link alone, with its notifications. */
export interface MadeLink {
  link: Link;
  frames: Frame[];
  states: string[];
  /** Sockets and timers still held. */
  timers: () => number;
}

/** The driver of the link over real sockets, without the rest of the room. */
export function makeLink(
  url: () => string,
  clock: Clock,
  rules: LinkRules,
  onChange?: (link: Link, after: LinkState) => void,
): MadeLink {
  const frames: Frame[] = [];
  const states: string[] = [];
  let pending = 0;
  const counted: Clock = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    after: (ms, run) => {
      pending += 1;
      let open = true;
      const settle = () => {
        if (open) pending -= 1;
        open = false;
      };
      const timer = clock.after(ms, () => {
        settle();
        run();
      });
      return {
        cancel: () => {
          settle();
          timer.cancel();
        },
      };
    },
  };
  const ports: LinkPorts = {
    clock: counted,
    outbound: outboundBy(),
    random: () => 0,
    rules: () => rules,
    target: () => ({ kind: 'ready', url: url(), headers: {} }),
    onChange: (_before, after) => {
      states.push(after.name);
      onChange?.(link, after);
    },
    onFrame: (frame) => frames.push(frame),
    onBinary: () => undefined,
    onPinged: () => undefined,
    onPonged: () => undefined,
    onSync: () => undefined,
    onReregister: () => undefined,
    onFinalFlush: () => link.feed({ type: 'flushed' }),
  };
  const link = new Link(ports);
  return { link, frames, states, timers: () => pending };
}
