/** What is reported and keeps the agent from nothing: a change that waits for a restart, and what was found at the start. */
const NOTICES: readonly string[] = ['config_needs_restart', 'state_restored', 'state_shared'];

/**
 * Whether a problem with this code keeps the agent from its whole job. Of a notice, whoever watches the agent need not come for it.
 */
export function hindersWork({ code }: { code: string }): boolean {
  return !NOTICES.includes(code);
}
