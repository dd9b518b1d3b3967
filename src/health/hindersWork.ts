/**
 * Whether a problem with this code keeps the agent from its whole job. A change of the configuration that waits for a
 * restart does not: whoever watches the agent need not come for it.
 */
export function hindersWork({ code }: { code: string }): boolean {
  return code !== 'config_needs_restart';
}
