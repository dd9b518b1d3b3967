import type { CommandEntry } from '../../monitor-client/index.js';
import type { Tone } from '../pieces/Pill.js';

export const COMMAND_TONES: Readonly<Record<CommandEntry['state'], Tone>> = {
  open: 'busy',
  completed: 'good',
  failed: 'bad',
};

const STEP_TONES: Readonly<Record<string, Tone>> = {
  sent: 'good',
  confirmed: 'good',
  ack_read: 'good',
  failed: 'bad',
  unknown: 'warn',
  cancelled: 'warn',
  deduplicated: 'warn',
};

export function stepTone(step: string): Tone {
  return STEP_TONES[step] ?? 'calm';
}
