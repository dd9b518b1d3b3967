import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exitCodes.js';
import { gatewayRunVerb } from '../../src/cli/gateway/gatewayRunVerb.js';
import { edgeProgram, pathOf, verbsOf } from '../../src/cli/program.js';
import { certificate } from '../support/certificate.js';
import { temporaryDirectory } from '../support/temporaryStore.js';
import { page, ROOT, tableUnder } from './page.js';

const text = page('docs/gateway.md');
const ENV = { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };

/** The block of a language in the page. */
function block(language: string): string {
  const [, found] = new RegExp(`\n\`\`\`${language}\n(.*?)\n\`\`\``, 's').exec(text) ?? [];
  if (found === undefined) throw new Error(`docs/gateway.md has no ${language}`);
  return found;
}

/** The title suffix where a program is missing: a test that is skipped must be visible. */
function missing(program: string, ...version: string[]): string {
  if (spawnSync(program, version, { stdio: 'ignore', env: ENV }).status === 0) return '';
  process.stderr.write(`${program} was NOT asked for what docs/gateway.md tells it: it is not here\n`);
  return ` (SKIPPED: there is no ${program} here)`;
}

/** The options of the verb that runs the gateway, with their defaults. */
const runOptions = gatewayRunVerb.options ?? [];
const flagsOf = (words: string) => [...words.matchAll(/--[a-z][\w-]*/g)].map(([flag]) => flag);
const known = new Set(runOptions.flatMap(({ flags }) => flagsOf(flags)));
const port = String(runOptions.find(({ flags }) => flags.startsWith('--port'))?.default);

test('the page names existing options and verbs, with their defaults', () => {
  for (const [options = '', usual] of tableUnder('### Options', text)) {
    for (const flag of flagsOf(options)) expect(known, options).toContain(flag);
    if (options.startsWith('`--host`')) expect(usual).toBe(`\`127.0.0.1\`, \`${port}\``);
  }
  const verbs = new Set(verbsOf(edgeProgram()).map(pathOf));
  const typed = [...text.matchAll(/edge-agent gateway((?: [a-z]+){0,2})/g)];
  expect(typed.length).toBeGreaterThan(10);
  for (const [, words = ''] of typed) {
    // What follows a verb may be its argument: `keys add my` of `keys add my-app`.
    const path = `edge-agent gateway${words}`;
    const begins = [...verbs].some((verb) => path === verb || path.startsWith(`${verb} `));
    expect(begins, path).toBe(true);
  }
});

describe('the unit of systemd', () => {
  const unit = page('packaging/gateway/edge-agent-gateway.service');
  const file = join(ROOT, 'packaging/gateway/edge-agent-gateway.service');

  test('every line is a comment, a section or a setting, and what it starts is a verb with existing options', () => {
    const lines = unit.split('\n').filter((line) => line !== '');
    expect(lines.filter((line) => !/^(#|\[(Unit|Service|Install)\]$|[A-Z][A-Za-z]+=)/.test(line))).toEqual(
      [],
    );
    const [, started = ''] = /^ExecStart=\/usr\/bin\/env edge-agent gateway (.*)$/m.exec(unit) ?? [];
    expect(flagsOf(started).filter((flag) => !known.has(flag))).toEqual([]);
    expect(flagsOf(started)).toContain('--data');
    const [, prevented = ''] = /^RestartPreventExitStatus=(.*)$/m.exec(unit) ?? [];
    expect(prevented.split(' ').map(Number)).toEqual([EXIT.usage, EXIT.invalidConfig]);
  });

  const noSystemd = missing('systemd-analyze', '--version');
  test.skipIf(noSystemd !== '')(
    `systemd finds no mistake in it, and little that it could do${noSystemd}`,
    () => {
      const run = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });
      const verified = run('--man=no', 'verify', file);
      expect([verified.status, verified.stderr]).toEqual([0, '']);
      // The exposure of 0 (none) to 100.
      expect(run('security', '--offline=true', '--threshold=20', '--no-pager', file).status).toBe(0);
    },
  );
});

test('the Dockerfile starts a verb with existing options, on the port that it exposes', () => {
  const lines = page('packaging/gateway/Dockerfile').split('\n');
  const [command = ''] = lines.filter((line) => line.startsWith('CMD [')).slice(-1);
  expect(lines).toContain('ENTRYPOINT ["edge-agent", "gateway"]');
  expect(flagsOf(command).filter((flag) => !known.has(flag))).toEqual([]);
  expect(command).toContain(`"--port", "${port}"`);
  expect(lines).toContain(`EXPOSE ${port}`);
  expect(text).toContain('**This image has never been built**');
});

describe('the proxy configurations of the page, checked by the programs themselves', () => {
  const noNginx = missing('nginx', '-v');
  test.skipIf(noNginx !== '')(`nginx accepts its part${noNginx}`, () => {
    const directory = temporaryDirectory();
    const { key, cert } = certificate();
    writeFileSync(join(directory, 'fullchain.pem'), cert);
    writeFileSync(join(directory, 'privkey.pem'), key);
    const part = block('nginx').replaceAll('/etc/letsencrypt/live/gateway.example.com', directory);
    const conf = join(directory, 'nginx.conf');
    writeFileSync(
      conf,
      `pid ${directory}/pid; error_log stderr; events {}\nhttp { access_log off;\n${part}\n}\n`,
    );
    const { status, stderr } = spawnSync('nginx', ['-t', '-q', '-p', directory, '-c', conf], {
      env: ENV,
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  const noHaproxy = missing('haproxy', '-v');
  test.skipIf(noHaproxy !== '')(`HAProxy accepts its part${noHaproxy}`, () => {
    const directory = temporaryDirectory();
    const { key, cert } = certificate();
    const pem = join(directory, 'gateway.pem');
    writeFileSync(pem, `${cert}${key}`);
    const conf = join(directory, 'haproxy.cfg');
    writeFileSync(conf, `${block('haproxy').replace('/etc/haproxy/gateway.example.com.pem', pem)}\n`);
    expect(execFileSync('haproxy', ['-c', '-f', conf], { env: ENV, encoding: 'utf8' })).toContain('valid');
  });
});
