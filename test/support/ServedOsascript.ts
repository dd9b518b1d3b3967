import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HOST = fileURLToPath(new URL('./osascriptHost.mjs', import.meta.url));
const PERL = '/usr/bin/perl';
/** sockaddr_un of macOS has room for 104 bytes, with the zero at the end. */
const LONGEST_SOCKET_PATH = 103;

let host: ChildProcess | undefined;

/**
 * The script of a stand-in for osascript that asks a process which answers all of them: it starts in a twentieth of the time that node
 * takes. What it does is the same (`answerCall`), and it is a process that hangs, is killed and reads its stdin as the other.
 * Undefined where it cannot be: the stand-in is the program then.
 */
export function servedOsascript(directory: string): string | undefined {
  const socket = socketIn(directory);
  if (!existsSync(PERL) || Buffer.byteLength(socket) > LONGEST_SOCKET_PATH) return undefined;
  mkdirSync(directory, { recursive: true });
  tell({ serve: { socket, directory } });
  return script(socket);
}

/** Calls of the stand-in there are no longer answered. */
export function endServing(directory: string): void {
  if (host !== undefined) tell({ end: socketIn(directory) });
}

function socketIn(directory: string): string {
  return join(directory, 's');
}

function tell(message: object): void {
  host ??= startHost();
  host.send(message);
}

/** It ends when we do, and we do not wait for it. */
function startHost(): ChildProcess {
  const { PATH, TMPDIR } = process.env;
  const env = { PATH, TMPDIR };
  const started = spawn(process.execPath, [HOST], { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  started.unref();
  started.channel?.unref();
  started.on('exit', () => {
    if (host === started) host = undefined;
  });
  return started;
}

/** The host may not listen yet. */
function script(socket: string): string {
  return `#!${PERL}
my $path = '${socket}';
my $address = $^O eq 'darwin' ? pack('CCa104', 106, 1, $path) : pack('Sa108', 1, $path);
my $tries = 0;
until (socket(S, 1, 1, 0) && connect(S, $address)) {
  die "nobody answers at $path: $!" if ++$tries > 1000;
  select(undef, undef, undef, 0.01);
}
sub put { my ($to, $text) = @_; while (length $text) { my $n = syswrite($to, $text) or exit 1; substr($text, 0, $n) = '' } }
put(*S, join("\\0", $$, scalar(@ARGV), @ARGV) . "\\0");
while (defined(my $line = <S>)) {
  if ($line eq "in\\n") { local $/; put(*S, scalar(<STDIN>) // ''); shutdown(S, 1) }
  elsif ($line =~ /^exit (\\d+)/) { exit $1 }
  elsif ($line =~ /^(out|err) (\\d+)/) { my $to = $1 eq 'out' ? *STDOUT : *STDERR; read(S, my $text, $2); put($to, $text) }
}
exit 1;
`;
}
