import { chmodSync, constants, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../errors.js';
import { isNeverAsked, sliceFor, whyNoProgram } from '../system/nodeProgram.js';
import type { ProgramEnd } from '../system/runProgram.js';
import { fillPlist } from './launchAgentPlist.js';
import type { Service } from './Service.js';
import { EXECUTABLE } from './servicePlaces.js';

/** codesign's name for a signature without a certificate. */
export const AD_HOC = '-';

/**
 * Builds the application around a copy of node: what macOS shows in its lists, and asks about by its name. Nothing in it
 * depends on the version of the agent, so that an upgrade leaves its signature, and with that the permissions, as they
 * are. The id has the user's number: macOS keeps Full Disk Access for all users in one place, by id and signature.
 */
export async function buildApp(service: Service, app: string, node: string): Promise<void> {
  const { program, programs, run } = service;
  const [contents, template] = [join(app, 'Contents'), join(program, 'launchd')];
  for (const folder of ['MacOS', 'Resources']) mkdirSync(join(contents, folder), { recursive: true });
  copyFileSync(node, join(app, EXECUTABLE), constants.COPYFILE_FICLONE);
  chmodSync(join(app, EXECUTABLE), 0o755);
  copyFileSync(join(template, 'AppIcon.icns'), join(contents, 'Resources', 'AppIcon.icns'));
  const info = join(contents, 'Info.plist');
  const values = { BUNDLE: service.bundleId };
  writeFileSync(info, fillPlist(readFileSync(join(template, 'Info.plist'), 'utf8'), values));
  await requireLint(service, info);
  // What was downloaded is in quarantine, and codesign takes no file with notes of the Finder.
  await run(programs.xattr, ['-cr', app]);
}

/** Throws EdgeError `install_failed` if plutil rejects that property list. */
export async function requireLint({ programs, run }: Service, path: string): Promise<void> {
  const end = await run(programs.plutil, ['-lint', path]);
  if (end.kind === 'ended' && end.code === 0) return;
  throw new EdgeError('install_failed', `plutil rejects ${path}: ${firstLine(end)}.`, 'Report it.');
}

/**
 * Signs the app without the hardened runtime, under which macOS refuses every text without asking, and makes sure that
 * it did. `identity` is the name of a certificate, or AD_HOC. Throws EdgeError `install_failed`.
 */
export async function signApp(service: Service, app: string, identity: string): Promise<void> {
  const { programs, run, inspect } = service;
  const signed = await run(programs.codesign, ['--force', '--sign', identity, '--timestamp=none', app]);
  if (!wentWell(signed)) throw whyNotSigned(programs.codesign, identity, signed);
  const invalid = await whyInvalid(service, app);
  const found = inspect(join(app, EXECUTABLE));
  const signature = sliceFor(found, process.arch)?.signature;
  const kind = identity === AD_HOC ? 'adHoc' : 'signed';
  const why =
    invalid ??
    whyNoProgram(found) ??
    (signature?.kind === kind ? undefined : `it has another signature (${signature?.kind ?? 'none'})`) ??
    (signature !== undefined && isNeverAsked(signature) ? 'it has the hardened runtime' : undefined);
  if (why === undefined) return;
  throw new EdgeError(
    'install_failed',
    `codesign signed the copy of node, but not as expected: ${why}. What was installed before is untouched.`,
    'Run it again; if the error remains, report it with the output of: codesign --display --verbose=4 "$(which node)"',
  );
}

/** What codesign finds wrong with an app as it was signed; undefined if nothing. */
export async function whyInvalid({ programs, run }: Service, app: string): Promise<string | undefined> {
  const end = await run(programs.codesign, ['--verify', '--strict', app]);
  return wentWell(end) ? undefined : firstLine(end);
}

function wentWell(end: ProgramEnd): boolean {
  return end.kind === 'ended' && end.code === 0;
}

function firstLine(end: ProgramEnd): string {
  if (end.kind === 'notStarted') return end.message;
  if (end.kind === 'timedOut') return 'it did not end in time; a dialog may wait on the screen';
  const said = (end.stderr || end.stdout).trim().split('\n')[0] ?? '';
  return said === '' ? `it ended with ${end.code}` : said;
}

/** What codesign says, and what helps; its words are those that public reports show (docs/macos.md). */
const SIGNING_FAULTS: readonly [RegExp, string, string][] = [
  [
    /codesign_allocate|xcrun: error|xcode-select/,
    'the Command Line Tools are missing, which codesign needs to sign',
    'Run: xcode-select --install; then: edge-agent install',
  ],
  [
    /no identity found|could not be found in the keychain/,
    'there is no certificate of that name',
    'To list yours: security find-identity -v -p codesigning',
  ],
  [
    /ambiguous/,
    'several certificates have that name',
    'Give the number of the right one: security find-identity -v -p codesigning',
  ],
  [
    /errSecInternalComponent|[Ii]nteraction is not allowed/,
    'the Keychain is locked, as over SSH',
    'Run: security unlock-keychain; or run this at the screen.',
  ],
];

function whyNotSigned(codesign: string, identity: string, end: ProgramEnd): EdgeError {
  const said = firstLine(end);
  const all = end.kind === 'ended' ? `${end.stderr}${end.stdout}` : '';
  const [, why, remedy] = SIGNING_FAULTS.find(([words]) => words.test(all)) ?? [
    undefined,
    said,
    'Fix that, then run this again; codesign is a part of macOS.',
  ];
  const how = identity === AD_HOC ? 'ad hoc' : `as ${JSON.stringify(identity)}`;
  const words = why === said ? said : `${why} (${said})`;
  return new EdgeError(
    'install_failed',
    `${codesign} cannot sign the copy of node ${how}: ${words}. What was installed before is untouched.`,
    remedy,
  );
}
