import type { SendTarget } from '../model/sending.js';

/**
 * The ways to address a conversation in the order in which they are tried: the one that worked lately before the others,
 * which keep their order.
 */
export function inOrder(targets: readonly SendTarget[], worked: string | undefined): readonly SendTarget[] {
  if (worked === undefined || targets[0]?.form === worked) return targets;
  const best = targets.filter(({ form }) => form === worked);
  return best.length === 0 ? targets : [...best, ...targets.filter(({ form }) => form !== worked)];
}
