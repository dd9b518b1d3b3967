import { existsSync, readFileSync, statSync } from 'node:fs';
import { type Check, type CheckContext, fail, type Outcome, pass, skip, warn } from '../checks/check.js';
import { type LaunchAgentFile, readLaunchAgent, stringsBehind } from '../checks/launchAgent.js';

const INSTALL = 'Recreate it: edge-agent install';

/** Whether the LaunchAgentFile still matches the files on the disk, and this version. `template` is the path of its template. */
export function plistCheck(template: string): Check {
  return {
    id: 'plist',
    title: 'the LaunchAgent matches what is installed',
    withoutConfig: true,
    macOnly: true,
    run(context) {
      const plist = readLaunchAgent(context.homeDir);
      if (plist === undefined) return skip('there is no LaunchAgent edge-agent.plist');
      return judgePlist(plist, readFileSync(template, 'utf8'), secretsOf(context));
    },
  };
}

function secretsOf({ config }: CheckContext): readonly string[] {
  return config.kind === 'loaded' ? Object.values(config.loaded.secrets) : [];
}

function judgePlist(
  { path, text, programArguments }: LaunchAgentFile,
  template: string,
  secrets: readonly string[],
): Outcome {
  if (secrets.some((secret) => text.includes(secret))) {
    return fail(
      `${path} holds a secret, which every user of this Mac may read`,
      `${INSTALL}; then change the secret.`,
    );
  }
  // launchd refuses a file that others may write (launchctl's error 122).
  if ((statSync(path).mode & 0o022) !== 0)
    return fail(`${path} can be written by others`, `Run: chmod go-w "${path}"`);
  const paths = [...programArguments, ...stringsBehind('WorkingDirectory', text)].filter((word) =>
    word.startsWith('/'),
  );
  // A configuration that is not there yet is waited for.
  const isConfig = (word: string) => programArguments[programArguments.indexOf(word) - 1] === '--config';
  const missing = paths.filter((word) => !isConfig(word) && !existsSync(word));
  if (paths.length === 0) return fail(`${path} names no program`, INSTALL);
  if (missing.length > 0) return fail(`it names files that do not exist: ${missing.join(', ')}`, INSTALL);
  if (!fits(text, template)) return warn('it differs from the template of this version', INSTALL);
  return pass(`${paths[0]}, as this version has it`);
}

/** Whether a filled-in template is what the file says; comments and white space do not count. */
function fits(plist: string, template: string): boolean {
  const plain = (text: string) =>
    text
      .replace(/<!--[\s\S]*?-->/g, '')
      .replace(/>\s+</g, '><')
      .trim();
  const pattern = plain(template)
    .split(/@[A-Z_]+@/)
    .map((part) => part.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&'))
    .join('[^<]*');
  return new RegExp(`^${pattern}$`).test(plain(plist));
}
