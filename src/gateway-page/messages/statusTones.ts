import type { MessageStatus } from '../../model/gatewayMessages.js';
import type { Tone } from '../../monitor-page/pieces/Pill.js';

export const STATUS_TONES: Readonly<Record<MessageStatus, Tone>> = {
  queued: 'busy',
  accepted: 'busy',
  sent: 'good',
  delivered: 'good',
  read: 'good',
  failed: 'bad',
  unknown: 'warn',
  cancelled: 'calm',
};
