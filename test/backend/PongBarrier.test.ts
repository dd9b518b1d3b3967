import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PongBarrier } from '../../src/backend/Outboxes.js';

describe('the pong barrier', () => {
  test('never treats as read what was sent after the ping that a pong answers', () => {
    const step = fc.constantFrom('send', 'ping', 'pong', 'answer', 'reset');
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const barrier = new PongBarrier<number>();
        // The peer reads in order; it may drop a pong (`pong` without `answer`), and it never invents one.
        let sent = 0;
        let onWire: ({ item: number } | 'ping')[] = [];
        let read = -1;
        for (const one of steps) {
          if (one === 'send') {
            onWire.push({ item: sent });
            barrier.sent(sent++);
          } else if (one === 'ping') {
            onWire.push('ping');
            barrier.pinged();
          } else if (one === 'reset') {
            onWire = [];
            barrier.reset();
          } else {
            const next = onWire.indexOf('ping');
            if (next === -1) continue;
            for (const entry of onWire.splice(0, next + 1)) if (entry !== 'ping') read = entry.item;
            if (one === 'answer') for (const item of barrier.ponged()) expect(item).toBeLessThanOrEqual(read);
          }
        }
      }),
    );
  });

  test('clears nothing for an unsolicited pong', () => {
    const barrier = new PongBarrier<string>();
    barrier.sent('a');
    expect(barrier.ponged()).toEqual([]);
    barrier.pinged();
    barrier.sent('b');
    expect(barrier.ponged()).toEqual(['a']);
    expect(barrier.pending()).toEqual(['b']);
    barrier.reset();
    expect(barrier.size).toBe(0);
  });
});
