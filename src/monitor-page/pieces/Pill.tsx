import type { ComponentChildren } from 'preact';

/** How good something is; each has its colour. */
export type Tone = 'good' | 'warn' | 'bad' | 'calm' | 'busy';

/** A short word on a coloured ground. */
export function Pill({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return <span class={`pill ${tone}`}>{children}</span>;
}
