/** The environment of this process. */
export function environment(): NodeJS.ProcessEnv {
  return process.env;
}
