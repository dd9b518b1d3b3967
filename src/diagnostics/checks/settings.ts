import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Check, fail, pass, warn } from './check.js';

export const config: Check = {
  id: 'config',
  title: 'the configuration',
  withoutConfig: true,
  run({ config: read }) {
    if (read.kind === 'invalid')
      return fail(read.why, read.remedy ?? 'Correct it. To list all errors: edge-agent config check');
    const { path, warnings, secrets } = read.loaded;
    const from = path === null ? 'no file, environment only' : path;
    if (warnings.length > 0) return warn(`${from}: ${warnings.join(' ')}`, 'Correct what is named.');
    const hasSecret = Object.values(secrets).some((secret) => secret !== undefined && secret !== '');
    if (!hasSecret) return warn(`${from}, without any secret`, 'Put EDGE_SECRET=… into .env.');
    return pass(from);
  },
};

export const stateDirectory: Check = {
  id: 'state-directory',
  title: 'only this user can use the state directory',
  run({ config: { loaded } }) {
    const { directory } = loaded.config.state;
    const stats = statSync(directory, { throwIfNoEntry: false });
    if (stats === undefined) return warn(`${directory} does not exist yet`, 'The first start creates it.');
    try {
      accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch {
      // What keeps us out does not matter to what a person does about it.
      return fail(
        `${directory} cannot be written`,
        `Give it to this user: sudo chown -R "$USER" "${directory}"`,
      );
    }
    const open = [directory, ...readdirSync(directory).map((name) => join(directory, name))].filter(isOpen);
    if (open.length === 0) return pass(`${directory}, private`);
    return warn(`${open.length} of its files can be read by others`, `Run: chmod -R go-rwx "${directory}"`);
  },
};

/** Whether users other than its owner have any access. A file that was removed meanwhile is ignored. */
function isOpen(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && (stats.mode & 0o077) !== 0;
}
