/** Where macOS keeps its own programs; a child never finds another one of the same name. */
export const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin';

/**
 * What a program of macOS may need of us: who the user is and where their files are, the language and the encoding of texts, the
 * time zone, and where temporary files go.
 */
const ALLOWED = /^(?:HOME|USER|LOGNAME|LANG|LC_[A-Z]+|TZ|TMPDIR|__CF_USER_TEXT_ENCODING)$/;

/**
 * The environment of every program that the agent starts: these few variables and a fixed PATH. It is a list of what is
 * allowed, because every process of the same user can read a child's environment, and because the name of the next
 * secret, or of the next variable that changes what a program does, is not known (`DYLD_INSERT_LIBRARIES`,
 * `NODE_OPTIONS`, `BASH_ENV`).
 */
export function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const allowed = Object.entries(env).filter(([name, value]) => ALLOWED.test(name) && value !== undefined);
  return { ...Object.fromEntries(allowed), PATH: SYSTEM_PATH };
}
