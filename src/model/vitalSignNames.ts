/** What the agent is there for, by name, with the words in which a person reads it. In the order in which they are shown. */
export const VITAL_SIGNS = {
  can_read: 'can read',
  can_post: 'can post',
  is_answered: 'is answered',
  can_send: 'can send',
  link_stable: 'link stable',
  commands_reach_us: 'commands arrive',
  nothing_given_up: 'nothing lost',
} as const;

export type VitalSignName = keyof typeof VITAL_SIGNS;
