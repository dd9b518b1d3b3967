import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { findStateDirectory } from '../../config/stateDirectory.js';
import { EdgeError } from '../../errors.js';
import { MonitorSecret } from '../../monitor/MonitorSecret.js';
import { LINK_MS, LONGEST_SESSION_MS, makeToken, SESSION_MS, USER_PATTERN } from '../../monitor/tokens.js';
import { childEnvironment } from '../../system/childEnvironment.js';
import { systemClock } from '../../system/clock.js';
import { environment } from '../../system/environment.js';
import { hostPlatform, programs } from '../../system/programs.js';
import { iso } from '../../system/time.js';
import { askAgent, MAYBE_DONE, noResult } from '../askAgent.js';
import { EXIT } from '../exitCodes.js';
import { places } from '../places.js';
import { complain, complainOf, give, print } from '../print.js';
import { parseDuration } from '../times.js';

interface MonitorOptions {
  configPath?: string;
  user?: string;
  json?: boolean;
}

/** Prints a token for the monitor's WebSocket, alone on stdout. Needs no running agent. */
export async function monitorToken(options: MonitorOptions & { ttl?: string }): Promise<number> {
  const ttlMs = options.ttl === undefined ? SESSION_MS : parseDuration(options.ttl);
  if (ttlMs === undefined || ttlMs <= 0 || ttlMs > LONGEST_SESSION_MS) {
    complain(`edge-agent: --ttl: expected a time such as 30m, 12h or 7d, at most 30d.`);
    return EXIT.usage;
  }
  return withSecret(options, async (secret, user) => {
    const now = systemClock.now();
    const token = await makeToken(secret.key(), { use: 'session', user, ttlMs, now });
    give(options, { token, user, expires_at: iso(now + ttlMs) }, token);
    return EXIT.ok;
  });
}

/** Opens the page in the browser of this Mac, or prints its address; the link is good once, for two minutes. */
export async function monitorOpen(options: MonitorOptions & { print?: boolean }): Promise<number> {
  const asked = await askAgent(options, { verb: 'status' });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind !== 'answered') return noResult(asked);
  const { port } = asked.answer.result.monitor;
  if (port === null) {
    complain(
      'edge-agent: The monitor is not served.',
      'See why: edge-agent status (monitor.enabled, monitor.port)',
    );
    return EXIT.failed;
  }
  return withSecret(options, async (secret, user) => {
    const token = await makeToken(secret.key(), {
      use: 'link',
      user,
      ttlMs: LINK_MS,
      now: systemClock.now(),
    });
    const url = `http://127.0.0.1:${port}/#token=${token}`;
    const isHere = hostPlatform() === 'darwin' && environment().SSH_CONNECTION === undefined;
    if (isHere && options.print !== true && options.json !== true) return openPage(asked.directory, url);
    give(options, { url }, url);
    complain(
      `Valid once, for two minutes. From another machine: ssh -L ${port}:127.0.0.1:${port} …, then open it there.`,
    );
    return EXIT.ok;
  });
}

/** Makes every token worthless and ends every session. */
export async function monitorRotate(options: MonitorOptions): Promise<number> {
  const asked = await askAgent(options, { verb: 'monitor.rotate' });
  if ('exitCode' in asked) return asked.exitCode;
  if (asked.answer.kind === 'answered') {
    const { ended } = asked.answer.result;
    const sessions = `${ended} ${ended === 1 ? 'session' : 'sessions'}`;
    give(options, { rotated: true, ended }, `The secret of the monitor was rotated; ${sessions} ended.`);
    return EXIT.ok;
  }
  if (asked.answer.kind !== 'notRunning') return noResult(asked, MAYBE_DONE);
  return withSecret(options, async (secret) => {
    secret.rotate();
    give(options, { rotated: true, ended: 0 }, 'The secret of the monitor was rotated.');
    return EXIT.ok;
  });
}

async function withSecret(
  options: MonitorOptions,
  work: (secret: MonitorSecret, user: string) => Promise<number>,
): Promise<number> {
  const user = options.user ?? userInfo().username;
  if (!USER_PATTERN.test(user)) {
    complain('edge-agent: --user: expected at most 64 letters, digits and . _ @ + -');
    return EXIT.usage;
  }
  try {
    return await work(MonitorSecret.in(await findStateDirectory(places(options))), user);
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
    complainOf(error);
    return error.code.startsWith('config_') ? EXIT.invalidConfig : EXIT.failed;
  }
}

/**
 * By way of a private file that leads there: as an argument of open(1) the link would stand in the list of processes, for
 * everybody on this Mac.
 */
function openPage(directory: string, url: string): Promise<number> {
  const path = join(directory, 'monitor-open.html');
  const page = `<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=${url}"><title>edge-agent</title>\n`;
  writeFileSync(path, page, { mode: 0o600 });
  return new Promise((resolve) => {
    let isOver = false;
    // A program that does not start may say so twice, or never that it has ended.
    const fail = (why: string) => {
      if (isOver) return;
      isOver = true;
      complain(
        `edge-agent: The browser cannot be opened: ${why}.`,
        'Print the address: edge-agent monitor open --print',
      );
      resolve(EXIT.failed);
    };
    const child = spawn(programs().open, [path], { env: childEnvironment(environment()), stdio: 'ignore' });
    child.on('error', (error) => fail(error.message));
    child.on('close', (code) => {
      if (code !== 0) return fail(`open ended with ${code ?? 'a signal'}`);
      print(`Opened in the browser of this Mac: ${new URL(url).origin}`);
      resolve(EXIT.ok);
    });
  });
}
