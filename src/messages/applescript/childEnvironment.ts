/** Names, and parts of names, of what is ours or is a secret; osascript needs none of it. */
const OURS = /^(?:EDGE_.*|BACKEND_.*|USER_PHONE|REGISTRATION_TOKEN)$/i;
const SECRET = /SECRET|TOKEN|PASSWORD|API_KEY/i;

/**
 * The environment without the agent's own variables and without anything named like a secret. A child's
 * environment can be read by every process of the same user.
 */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name) && !SECRET.test(name)));
}
