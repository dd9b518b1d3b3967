/** The types of events: `event_type` in an event. A backend's own (`emit_event`) begin with `backend_`. */
export const EVENT_TYPES = [
  'message_sent',
  'message_failed',
  'message_delivered',
  'message_read',
  'inbound_stalled',
  'reaction_added',
  'reaction_removed',
  'message_edited',
  'message_unsent',
  'message_withdrawn',
  'message_transcribed',
  'message_attachments',
  'group_member_added',
  'group_member_removed',
  'group_member_left',
  'group_renamed',
  'group_photo_changed',
  'message_filtered',
  'operator_replied',
  'conversation_paused',
  'state_restored',
  'schedule_cancelled',
  'upload_failed',
  'store_damaged',
] as const;

export type EventType = (typeof EVENT_TYPES)[number] | `backend_${string}`;
