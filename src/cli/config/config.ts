import { type LoadedConfig, loadConfig } from '../../config/loadConfig.js';
import { LiveConfig, settingsInForce, storedRemoteSettings } from '../../daemon/LiveConfig.js';
import { EdgeError } from '../../errors.js';
import type { Logger } from '../../logging/Logger.js';
import type { SettingInForce } from '../../model/operatorApi.js';
import { visitStore } from '../../store/visitStore.js';
import { askAgent, MAYBE_DONE, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complainOf, give, print, printJson, stdoutTerminal } from '../print.js';
import { entryLines, padded } from '../terminal.js';
import { namedSetting } from './namedSetting.js';

/** Shows every setting in force and where it came from: the running agent's, else what one would start with. */
export async function showConfig(options: { configPath?: string; json?: boolean }): Promise<number> {
  const asked = await askAgent(options, { verb: 'config' });
  if ('exitCode' in asked) return asked.exitCode;
  const { answer } = asked;
  if (answer.kind === 'cannotTell' || answer.kind === 'refused') return noResult(asked);
  try {
    const settings = answer.kind === 'answered' ? answer.result : settingsOfNextStart(options);
    if (options.json) printJson({ schema: 1, running: answer.kind === 'answered', settings });
    else print(...settings.flatMap((setting) => entryLines(settingLine(setting), stdoutTerminal())));
    return EXIT.ok;
  } catch (error) {
    return failure(error);
  }
}

/** Prints the value of one setting: of the running agent, else what one would start with. Exit 2: there is no such setting. */
export async function getSetting(
  options: { configPath?: string; json?: boolean },
  key: string,
): Promise<number> {
  const named = namedSetting(key);
  if (typeof named === 'number') return named;
  const asked = await askAgent(options, { verb: 'config' });
  if ('exitCode' in asked) return asked.exitCode;
  const { answer } = asked;
  if (answer.kind === 'cannotTell' || answer.kind === 'refused') return noResult(asked);
  try {
    const running = answer.kind === 'answered';
    const settings = running ? answer.result : settingsOfNextStart(options);
    const setting = settings.find((other) => other.key === key);
    if (options.json === true) printJson({ schema: 1, running, ...setting });
    else {
      const value = setting?.value ?? '';
      print(typeof value === 'string' ? value : JSON.stringify(value));
    }
    return EXIT.ok;
  } catch (error) {
    return failure(error);
  }
}

/** Drops what the backend changed, in the running agent or, if none runs, in its store. */
export async function resetRemote(options: { configPath?: string; json?: boolean }): Promise<number> {
  const asked = await askAgent(options, { verb: 'config.reset-remote' });
  if ('exitCode' in asked) return asked.exitCode;
  const { answer } = asked;
  if (answer.kind === 'cannotTell' || answer.kind === 'refused') return noResult(asked, MAYBE_DONE);
  try {
    const keys = answer.kind === 'answered' ? answer.result : resetInStore(options);
    const words = keys.length === 0 ? 'The backend had changed nothing.' : `Dropped: ${keys.join(', ')}`;
    give(options, { dropped: keys }, words);
    return EXIT.ok;
  } catch (error) {
    return failure(error);
  }
}

function settingsOfNextStart(options: { configPath?: string }): SettingInForce[] {
  const loaded = loadConfig(places(options));
  const remote = visitStore(visit(loaded), (store) => storedRemoteSettings(store.meta));
  return settingsInForce(loaded, remote ?? new Map());
}

function resetInStore(options: { configPath?: string }): string[] {
  const loaded = loadConfig(places(options));
  const reset = visitStore(visit(loaded), (store) =>
    store.write(() => new LiveConfig(loaded, store.meta, quiet).reset()),
  );
  return reset ?? [];
}

function visit({ config }: LoadedConfig) {
  return { directory: config.state.directory, log: quiet };
}

const silence = () => undefined;
const quiet: Logger = { debug: silence, info: silence, warn: silence, error: silence };

function settingLine({ key, value, source, restart, ...more }: SettingInForce): string {
  const pending = 'pending' in more ? `; after a restart ${shown(more.pending)}` : '';
  return `${padded(key, 36)} ${padded(shown(value), 40)} ${source}${restart ? ' (restart)' : ''}${pending}`;
}

function shown(value: unknown): string {
  return value === null ? '–' : JSON.stringify(value);
}

function failure(error: unknown): number {
  if (!(error instanceof EdgeError)) throw error;
  complainOf(error);
  return error.code.startsWith('config_') ? EXIT.invalidConfig : EXIT.failed;
}
