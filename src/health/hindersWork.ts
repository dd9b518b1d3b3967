/**
 * What is reported and keeps the agent from nothing: a change that waits for a restart, what was found at the start, an alert that
 * is not delivered, and one item that was set aside or is not taken, for a stranger could send such a message every day.
 */
const NOTICES: readonly string[] = [
  'config_needs_restart',
  'tls_setting_ignored',
  'state_restored',
  'state_shared',
  'item_set_aside',
  'delivery_refused',
  'alerts_failing',
];

/**
 * Whether a problem with this code keeps the agent from its whole job. Of a notice, whoever watches the agent need not come for it.
 */
export function hindersWork({ code }: { code: string }): boolean {
  return !NOTICES.includes(code);
}
