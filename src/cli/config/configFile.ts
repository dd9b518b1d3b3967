import { ConfigError, describeMistake } from '../../config/ConfigError.js';
import { configJsonSchema } from '../../config/jsonSchema.js';
import { type LoadedConfig, loadConfig } from '../../config/loadConfig.js';
import { findConfigFile, usualConfigPath } from '../../config/places.js';
import { EdgeError } from '../../errors.js';
import { ERROR_CODES } from '../../model/errorCodes.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, complainOf, give, print, printJson } from '../print.js';

interface ConfigOptions {
  configPath?: string;
  json?: boolean;
}

/** Checks the configuration like a start, and prints every error and warning. Starts nothing. */
export async function checkConfig(options: ConfigOptions): Promise<number> {
  const where = places(options);
  try {
    const loaded = loadConfig(where);
    const { path } = loaded;
    const warnings = [...loaded.warnings, ...missingSecret(loaded)];
    if (options.json === true) printJson({ schema: 1, valid: true, path, mistakes: [], warnings });
    else print(`Valid: ${path ?? 'no file, only the environment'}`, ...warnings.map(asWarning));
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    if (options.json === true) printJson({ schema: 1, valid: false, ...asFault(error) });
    else {
      complain(`edge-agent: ${error.message}`, ...warningsOf(error).map(asWarning), error.remedy);
    }
    return EXIT.invalidConfig;
  }
}

/** Prints the JSON Schema by which editors check the file while it is written. */
export async function printConfigSchema(): Promise<number> {
  printJson(configJsonSchema());
  return EXIT.ok;
}

/** Prints where the configuration file is; where there is none, says where it would be looked for. */
export async function printConfigPath(options: ConfigOptions): Promise<number> {
  const where = places(options);
  try {
    const path = findConfigFile(where);
    if (path === null) {
      complain('edge-agent: There is no configuration file.', `Its usual place: ${usualConfigPath(where)}`);
      return EXIT.failed;
    }
    give(options, { path }, path);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return EXIT.invalidConfig;
  }
}

/** Valid nevertheless: a backend may require none, or give a token at registration. */
function missingSecret({ secrets, envPath }: LoadedConfig): string[] {
  if (secrets.edgeSecret !== undefined || secrets.edgeToken !== undefined) return [];
  return [`secret_missing: ${ERROR_CODES.secret_missing} Put EDGE_SECRET=… into ${envPath}.`];
}

function asFault(error: EdgeError) {
  const mistakes = error instanceof ConfigError ? error.mistakes : [];
  return {
    error: { code: error.code, message: error.message, remedy: error.remedy },
    mistakes: mistakes.map((mistake) => ({ ...mistake, message: describeMistake(mistake) })),
    warnings: warningsOf(error),
  };
}

function warningsOf(error: EdgeError): readonly string[] {
  return error instanceof ConfigError ? error.warnings : [];
}

function asWarning(warning: string): string {
  return `Warning: ${warning}`;
}
