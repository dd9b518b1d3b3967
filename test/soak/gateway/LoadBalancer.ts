import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { until } from '../../support/until.js';

export const BALANCERS = ['haproxy', 'nginx'] as const;
export type BalancerName = (typeof BALANCERS)[number];

/** Debian has them where only root looks. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;
const PAGE = join(import.meta.dirname, '../../../docs/gateway.md');

/** An installed load balancer: the wanted one, or the first. Throws a readable error if there is none. */
export function installedBalancer(wanted: BalancerName | undefined): BalancerName {
  const found = (wanted === undefined ? BALANCERS : [wanted]).find(isInstalled);
  if (found !== undefined) return found;
  const names = wanted ?? BALANCERS.join(' or ');
  throw new Error(`there is no ${names} here: apt-get install ${wanted ?? BALANCERS[0]}`);
}

function isInstalled(name: BalancerName): boolean {
  try {
    execFileSync(name, ['-v'], { env: { ...process.env, PATH }, stdio: 'ignore' });
    return true;
  } catch {
    // Not found, or it does not start: either way it cannot be used.
    return false;
  }
}

/** The real program before two gateways, as docs/gateway.md has it but for TLS, names and ports. */
export class LoadBalancer {
  private constructor(
    private readonly process: ChildProcess,
    readonly port: number,
  ) {}

  static async start(
    name: BalancerName,
    directory: string,
    gateways: readonly number[],
  ): Promise<LoadBalancer> {
    const port = await freePort();
    const file = join(directory, `${name}.conf`);
    writeFileSync(file, name === 'haproxy' ? haproxy(port, gateways) : nginx(directory, port, gateways));
    const args = name === 'haproxy' ? ['-db', '-f', file] : ['-p', directory, '-c', file];
    const log = openSync(join(directory, `${name}.log`), 'a');
    const child = spawn(name, args, { env: { ...process.env, PATH }, stdio: ['ignore', log, log] });
    closeSync(log);
    const balancer = new LoadBalancer(child, port);
    await until(
      () => answers(port),
      () => `${name} to listen (${file})`,
    );
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async end(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
  }
}

/** The block of a language in docs/gateway.md. */
function documented(language: BalancerName): string {
  const [, found] =
    new RegExp(`\n\`\`\`${language}\n(.*?)\n\`\`\``, 's').exec(readFileSync(PAGE, 'utf8')) ?? [];
  if (found === undefined) throw new Error(`docs/gateway.md has no ${language}`);
  return found;
}

/** `text` with what fits replaced; throws if nothing does, so that the page cannot change unseen. */
function changed(text: string, pattern: RegExp, by: string): string {
  if (!pattern.test(text)) throw new Error(`docs/gateway.md has nothing like ${pattern}`);
  return text.replace(pattern, by);
}

function haproxy(port: number, gateways: readonly number[]): string {
  const bound = changed(documented('haproxy'), /^ {2}bind .*$/m, `  bind 127.0.0.1:${port}`);
  const server = /^ {2}server a 127\.0\.0\.1:8790(.*)$/m;
  const [, options = ''] = server.exec(bound) ?? [];
  const servers = gateways.map((gateway, index) => `  server g${index} 127.0.0.1:${gateway}${options}`);
  return `${changed(changed(bound, server, servers.join('\n')), /maxconn \d+/, 'maxconn 1000')}\n`;
}

function nginx(directory: string, port: number, gateways: readonly number[]): string {
  const server = /^ {2}server 127\.0\.0\.1:8790(.*);$/m;
  const page = documented('nginx');
  const [, options = ''] = server.exec(page) ?? [];
  const servers = gateways.map((gateway) => `  server 127.0.0.1:${gateway}${options};`);
  const plain = changed(page, /^ {2}listen 443 ssl;$/m, `  listen 127.0.0.1:${port};`).replace(
    /^ {2}ssl_.*\n/gm,
    '',
  );
  const part = changed(plain, server, servers.join('\n'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = temporary.map((name) => `${name}_temp_path ${directory}/nginx-${name};`).join('\n');
  const head = `daemon off;\nworker_processes 1;\npid ${directory}/nginx.pid;\nerror_log stderr;\nevents {}\n`;
  return `${head}http {\naccess_log off;\n${paths}\n${part}\n}\n`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}
