import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { loadConfig } from '../../config/loadConfig.js';
import { findConfigFile, readTextFile, usualConfigPath } from '../../config/places.js';
import { keepConfig } from '../../config/replaceConfig.js';
import { describeError, EdgeError } from '../../errors.js';
import { systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, complainOf, print } from '../print.js';
import { yesOrNo } from './ask.js';

const USUAL_EDITOR = 'vi';

/**
 * Opens the configuration file in an editor: the editor gets a draft next to it, which replaces the file (by a rename)
 * only if it is valid and the file was not changed meanwhile. A draft that was not used is kept: the next edit
 * continues with it, or sets it aside if the file was changed since. A kill or Ctrl-C at any moment leaves the file
 * unchanged. Exit 78: the draft is not valid.
 */
export async function editConfig(options: { configPath?: string }): Promise<number> {
  try {
    const found = findConfigFile(places(options));
    if (found === null) {
      const usual = usualConfigPath(places(options));
      complain('edge-agent: There is no configuration file to edit.', `Its usual place: ${usual}`);
      return EXIT.failed;
    }
    return await edit(found, options);
  } catch (error) {
    if (error instanceof EdgeError) {
      complainOf(error);
      return EXIT.invalidConfig;
    }
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    complain(`edge-agent: The file cannot be edited: ${describeError(error)}.`);
    return EXIT.failed;
  }
}

async function edit(found: string, options: { configPath?: string }): Promise<number> {
  // Where a link leads to, so that the rename leaves the link alone.
  const path = realpathSync(found);
  const draft = `${path}.draft`;
  const before = readFileSync(path);
  begin(path, draft, before);
  for (;;) {
    const fault = await runEditor(draft);
    if (fault !== undefined) {
      if (readFileSync(draft).equals(before)) rmSync(draft);
      complain(`edge-agent: ${fault} Nothing was changed.`, 'Name your editor in $VISUAL or $EDITOR.');
      return EXIT.failed;
    }
    const edited = readFileSync(draft);
    if (edited.equals(before)) {
      rmSync(draft);
      print('Nothing was changed.');
      return EXIT.ok;
    }
    const mistakes = mistakesIn(found, draft, options);
    if (mistakes === undefined) return putInPlace(path, draft, before);
    complain(...mistakes);
    if (!(await yesOrNo('Edit it again?', 'yes'))) {
      complain(
        'Nothing was changed.',
        `What you wrote is in ${draft}; edge-agent config edit continues with it.`,
      );
      return EXIT.invalidConfig;
    }
  }
}

/** Creates the draft, or continues with one that is newer than the file. */
function begin(path: string, draft: string, before: Buffer): void {
  const { mtimeMs, mode } = statSync(path);
  const left = statSync(draft, { throwIfNoEntry: false });
  if (left !== undefined && left.mtimeMs >= mtimeMs) {
    print(`Continuing with the draft that was not saved: ${draft}`);
    return;
  }
  if (left !== undefined && !readFileSync(draft).equals(before)) {
    print(`The file was changed after the draft was written. The draft is now ${setAside(draft)}`);
  }
  writeFileSync(draft, before, { mode: mode & 0o777 });
}

/** Gives the draft a name at which no edit touches it. */
function setAside(draft: string): string {
  let count = 1;
  while (existsSync(`${draft}.${count}`)) count += 1;
  const aside = `${draft}.${count}`;
  renameSync(draft, aside);
  return aside;
}

/** Judged under the name of the file, which may be a link: `.env` and relative paths start there. */
function mistakesIn(
  found: string,
  draft: string,
  options: { configPath?: string },
): readonly string[] | undefined {
  try {
    loadConfig(places({ ...options, configPath: found }), readTextFile(draft) ?? '');
    return undefined;
  } catch (error) {
    if (error instanceof EdgeError) return error.lines;
    throw error;
  }
}

function putInPlace(path: string, draft: string, before: Buffer): number {
  if (!readFileSync(path).equals(before)) {
    complain(
      `edge-agent: ${path} was changed by another program in the meantime. It was not overwritten.`,
      `What you wrote is in ${setAside(draft)}.`,
    );
    return EXIT.failed;
  }
  const file = openSync(draft, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  const copy = keepConfig(path, before, systemClock.now());
  renameSync(draft, path);
  print(`Saved: ${path}`, `Previous version: ${copy}`);
  return EXIT.ok;
}

/** Why there was no editing; undefined if the editor ended as it should. By a shell, because $EDITOR may have options. */
function runEditor(path: string): Promise<string | undefined> {
  const env = environment();
  const editor = [env.VISUAL, env.EDITOR].find((value) => (value ?? '').trim() !== '') ?? USUAL_EDITOR;
  return new Promise((resolve) => {
    // Ctrl-C at the terminal is for the editor, which gets it too; it must not end us under it.
    const ignore = () => undefined;
    process.on('SIGINT', ignore);
    const child = spawn('/bin/sh', ['-c', `${editor} "$1"`, 'sh', path], { stdio: 'inherit', env });
    const end = (fault: string | undefined) => {
      process.off('SIGINT', ignore);
      resolve(fault);
    };
    child.on('error', (error) => end(`The editor could not be started: ${describeError(error)}.`));
    child.on('close', (code, signal) =>
      end(code === 0 ? undefined : `The editor (${editor}) ended with ${signal ?? `exit ${code}`}.`),
    );
  });
}
