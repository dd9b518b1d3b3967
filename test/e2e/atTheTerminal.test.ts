import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, type TestContext, test } from 'vitest';
import { EdgeWorld, SECRET } from '../support/EdgeWorld.js';
import { Pty } from '../support/Pty.js';

const CTRL_C = '\u0003';
const ALTERNATE = '\u001b[?1049h';
const BACK = '\u001b[?1049l';

function at(context: TestContext, world: EdgeWorld, args: string[], env: NodeJS.ProcessEnv = {}, size = {}) {
  const { NO_COLOR: _, ...given } = world.place.env;
  const pty = Pty.run(args, { cwd: world.directory, env: { ...given, ...env } }, size);
  context.onTestFinished(() => pty.dispose());
  return pty;
}

/** An editor that does with the file what the script says; the file is `$1`. */
function editor(world: EdgeWorld, script: string): { EDITOR: string } {
  const path = join(world.directory, 'editor.sh');
  writeFileSync(path, script);
  return { EDITOR: `sh '${path}'` };
}

describe('status --watch', { concurrent: true }, () => {
  test('is live, survives the end of the daemon, resumes with it, and leaves the terminal as it was', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    const pty = at(context, world, ['status', '--watch']);
    await pty.shows('\u001b[32mhealthy\u001b[39m');
    expect(pty.text.startsWith(ALTERNATE)).toBe(true);
    await daemon.kill('SIGKILL');
    await pty.shows(/No edge-agent is running[\s\S]*It answered \d+ s ago/, 'lastScreen');
    const next = await world.start();
    await pty.shows(`pid ${next.pid}`, 'lastScreen');
    pty.type(CTRL_C);
    expect(await pty.exited).toBe(0);
    expect(pty.text.endsWith(`${BACK}`)).toBe(true);
    expect(pty.text).toContain('\u001b[?25h');
  });

  test('never scrolls a terminal that is too small for it', async (context) => {
    const world = await EdgeWorld.open(context);
    await world.start();
    const pty = at(
      context,
      world,
      ['status', '--watch'],
      { NO_COLOR: '1', LANG: 'C' },
      { cols: 50, rows: 6 },
    );
    await pty.shows('healthy', 'lastScreen');
    await pty.shows(/can read[^\n]*$/m, 'lastScreen');
    const screens = pty.text.split('\u001b[H').slice(1);
    expect(screens.length).toBeGreaterThan(0);
    for (const screen of screens) expect(screen.split('\n').length).toBeLessThanOrEqual(6);
    expect(pty.text).toMatch(/^\p{ASCII}*$/u);
    pty.type(CTRL_C);
    expect(await pty.exited).toBe(0);
  });

  test('with --json prints one object a line, also while no agent runs', async (context) => {
    const world = await EdgeWorld.open(context);
    const watching = world.spawn(['status', '--watch', '--json']);
    expect(JSON.parse(await watching.line('not_running'))).toMatchObject({ schema: 1 });
    await world.start();
    const line = await watching.line('"state":"healthy"');
    expect(JSON.parse(line)).toMatchObject({ schema: 1, state: 'healthy' });
    expect(await watching.kill('SIGINT')).toEqual({ code: 0, signal: null });
    for (const given of watching.lines()) expect(() => JSON.parse(given)).not.toThrow();
  });
});

describe('logs -f', { concurrent: true }, () => {
  test('continues over a rotation, coloured by level, until Ctrl-C', async (context) => {
    const world = await EdgeWorld.open(context);
    const daemon = await world.start();
    const pty = at(context, world, ['logs', '-f', '-n', '1']);
    await pty.shows('] [');
    await world.cli('kick');
    await pty.shows('Trying the backend now');
    copyFileSync(world.logPath, `${world.logPath}.1`);
    truncateSync(world.logPath);
    await world.cli('pause');
    await pty.shows(/\[33m\[[^\]]+\] \[WARN\] Paused: nothing is sent until resumed/);
    await daemon.kill('SIGTERM');
    await pty.shows('Stopped');
    await world.start();
    await pty.shows('started');
    pty.type(CTRL_C);
    expect(await pty.exited).toBe(0);
    expect(pty.text.match(/Trying the backend now/g)?.length).toBe(1);
  });
});

describe('config edit', { concurrent: true }, () => {
  test('puts a valid change in place, with its mode, and leaves no draft', async (context) => {
    const world = await EdgeWorld.open(context);
    world.writeConfig({});
    const env = editor(
      world,
      `sed -i.bak 's/"bubble_delay_ms": 20/"bubble_delay_ms": 33/' "$1"; rm "$1.bak"`,
    );
    const pty = at(context, world, ['config', 'edit'], env);
    await pty.shows('Saved: ');
    expect(await pty.exited).toBe(0);
    expect(readFileSync(world.configPath, 'utf8')).toContain('"bubble_delay_ms": 33');
    expect(existsSync(`${world.configPath}.draft`)).toBe(false);
  });

  test('never puts an invalid one in place; it can be edited again, now or later', async (context) => {
    const world = await EdgeWorld.open(context);
    const before = readFileSync(world.configPath, 'utf8');
    const script = `if grep -q nonsense "$1"; then sed -i.bak 's/"nonsense"/21/' "$1"; else sed -i.bak 's/"bubble_delay_ms": 20/"bubble_delay_ms": "nonsense"/' "$1"; fi; rm "$1.bak"`;
    const refused = at(context, world, ['config', 'edit'], editor(world, script));
    await refused.shows(/outgoing\.bubble_delay_ms[\s\S]*Edit it again\?/);
    expect(readFileSync(world.configPath, 'utf8')).toBe(before);
    refused.type(CTRL_C);
    expect(await refused.exited).toBe(78);
    expect(readFileSync(world.configPath, 'utf8')).toBe(before);
    const again = at(context, world, ['config', 'edit'], editor(world, script));
    await again.shows('Continuing with the draft');
    await again.shows('Saved: ');
    expect(readFileSync(world.configPath, 'utf8')).toContain('"bubble_delay_ms": 21');
  });

  test('an answer of yes starts the editor again', async (context) => {
    const world = await EdgeWorld.open(context);
    const script = `if grep -q nonsense "$1"; then sed -i.bak 's/"nonsense"/21/' "$1"; else sed -i.bak 's/"bubble_delay_ms": 20/"bubble_delay_ms": "nonsense"/' "$1"; fi; rm "$1.bak"`;
    const pty = at(context, world, ['config', 'edit'], editor(world, script));
    await pty.shows('Edit it again?');
    pty.type('\r');
    await pty.shows('Saved: ');
    expect(await pty.exited).toBe(0);
  });

  test('what was written to the file meanwhile is not overwritten, and an editor that fails changes nothing', async (context) => {
    const world = await EdgeWorld.open(context);
    const before = readFileSync(world.configPath, 'utf8');
    const failing = at(context, world, ['config', 'edit'], editor(world, 'exit 3'));
    expect(await failing.exited).toBe(1);
    expect(failing.text).toContain('ended with exit 3');
    const unchanged = at(context, world, ['config', 'edit'], editor(world, ':'));
    expect(await unchanged.exited).toBe(0);
    expect(readFileSync(world.configPath, 'utf8')).toBe(before);
    const meddling = `echo '# mine' >> "$1"; echo '# theirs' >> '${world.configPath}'`;
    writeFileSync(
      world.configPath,
      'edge:\n  user_phone: "+13105550100"\nbackend:\n  url: http://127.0.0.1:1\n',
    );
    const pty = at(context, world, ['config', 'edit'], editor(world, meddling));
    expect(await pty.exited).toBe(1);
    expect(pty.text).toContain('was changed by another program');
    expect(readFileSync(world.configPath, 'utf8')).toMatch(/# theirs\n$/);
    const aside = `${world.configPath}.draft.1`;
    expect(pty.text).toContain(aside);
    expect(readFileSync(aside, 'utf8')).toMatch(/# mine\n$/);
    const next = at(context, world, ['config', 'edit'], editor(world, `echo '# next' >> "$1"`));
    expect(await next.exited).toBe(0);
    expect(readFileSync(world.configPath, 'utf8')).toMatch(/# theirs\n# next\n$/);
    expect(readFileSync(aside, 'utf8')).toMatch(/# mine\n$/);
  });

  test('a draft that is older than the file is set aside, not lost', async (context) => {
    const world = await EdgeWorld.open(context);
    const draft = `${world.configPath}.draft`;
    writeFileSync(draft, '# of an hour ago\n');
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(draft, hourAgo, hourAgo);
    const pty = at(context, world, ['config', 'edit'], editor(world, ':'));
    expect(await pty.exited).toBe(0);
    expect(pty.text).toContain(`${draft}.1`);
    expect(readFileSync(`${draft}.1`, 'utf8')).toBe('# of an hour ago\n');
  });

  test('a link stays a link, and the .env beside it is used', async (context) => {
    const world = await EdgeWorld.open(context);
    const { edge: _, ...others } = JSON.parse(readFileSync(world.configPath, 'utf8')) as { edge: unknown };
    const real = join(world.directory, 'real', 'config.yaml');
    mkdirSync(join(world.directory, 'real'));
    writeFileSync(world.configPath, `${JSON.stringify(others)}\n`);
    renameSync(world.configPath, real);
    symlinkSync(real, world.configPath);
    writeFileSync(world.envPath, 'USER_PHONE=+13105550100\n');
    const pty = at(context, world, ['config', 'edit'], editor(world, `echo '# mine' >> "$1"`));
    await pty.shows(/Saved: |Edit it again/);
    expect(pty.text).toContain(`Saved: ${real}`);
    expect(readFileSync(real, 'utf8')).toMatch(/# mine\n$/);
    expect(lstatSync(world.configPath).isSymbolicLink()).toBe(true);
  });
});

describe('token', { concurrent: true }, () => {
  test('shows how to try the backend at a terminal, elsewhere only on request, and never the secret', async (context) => {
    const world = await EdgeWorld.open(context);
    const pty = at(context, world, ['token'], {}, { cols: 400 });
    expect(await pty.exited).toBe(0);
    expect(pty.text).toMatch(/This is a secret/);
    const [, token = ''] = /TOKEN='([^']+)'/.exec(pty.text) ?? [];
    expect(Buffer.from(token, 'base64').toString()).toMatch(
      /^edge_13105550100:\+13105550100:\d+:[0-9a-f]{64}$/,
    );
    expect(pty.text).toContain(`curl -sS -i '${world.backend.url}/edge/sync'`);
    expect(pty.text).toContain("npx wscat -c 'ws://127.0.0.1:");
    const piped = await world.cli('token');
    expect(piped).toMatchObject({ exitCode: 1, stdout: '' });
    const wanted = await world.cli('token', '--print');
    expect(wanted).toMatchObject({ exitCode: 0, stderr: '' });
    const response = await fetch(`${world.backend.url}/edge/sync`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${wanted.stdout.trim()}`,
        'content-type': 'application/json',
        'x-edge-agent-id': 'edge_13105550100',
      },
      body: JSON.stringify({ edge_agent_id: 'edge_13105550100' }),
    });
    expect(response.status).toBe(200);
    for (const said of [pty.text, piped.stderr, wanted.stdout]) expect(said).not.toContain(SECRET);
    world.writeSecret('');
    expect((await world.cli('token', '--print')).stderr).toContain('EDGE_SECRET');
  });
});
