import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CPU, FLAGS, type MachOParts, NODEJS_ORG, type SignatureParts, thinMachO } from '../buildMachO.js';

interface CodesignReply {
  readonly code: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** What codesign of a Mac says in these cases; the words are those of public reports. */
const REFUSALS = {
  noTools:
    'error: the codesign_allocate helper tool cannot be found or used\nxcrun: error: invalid active developer path (/Library/Developer/CommandLineTools)',
  noIdentity: 'Somebody: no identity found',
  locked: 'Edge Agent.app: errSecInternalComponent',
};

/**
 * codesign(1): it signs an app by a note of all its files, by which it later knows whether one was changed. What macOS
 * would then see in the program is laid into `macho/`, where `inspectProgram` finds it.
 */
export class PlayedCodesign {
  /** Each call of codesign and xattr so far, as one line. */
  readonly calls: string[] = [];
  refusal: keyof typeof REFUSALS | undefined;
  /** What the signature is like that it makes; null: it says that it signed, and did not. */
  makes: SignatureParts | null | undefined;

  constructor(private readonly directory: string) {
    mkdirSync(join(directory, 'macho'), { recursive: true });
    this.lay('node', { signature: NODEJS_ORG });
  }

  /** What macOS sees in each program of that name; by default it is for this machine and for macOS 13.5. */
  lay(name: string, parts: MachOParts | Buffer): void {
    const cpu = process.arch === 'arm64' ? CPU.arm64 : CPU.x64;
    const bytes = Buffer.isBuffer(parts) ? parts : thinMachO({ cpu, ...parts });
    writeFileSync(join(this.directory, 'macho', name), bytes);
  }

  answer(program: string, args: readonly string[]): CodesignReply {
    this.calls.push([program, ...args].join(' '));
    const app = args.at(-1) ?? '';
    if (program === 'xattr') return { code: 0 };
    if (args[0] === '--verify') return verify(app);
    if (this.refusal !== undefined) return { code: 1, stderr: `${REFUSALS[this.refusal]}\n` };
    this.sign(app, args[args.indexOf('--sign') + 1] ?? '');
    return { code: 0, stderr: `${app}: replacing existing signature\n` };
  }

  private sign(app: string, identity: string): void {
    const plain = identity === '-' ? { flags: FLAGS.adHoc } : { flags: 0, hasCertificate: true };
    const signature = this.makes === undefined ? plain : this.makes;
    rmSync(join(app, SEALS), { recursive: true, force: true });
    this.lay('edge-agent', {
      signature: signature === null ? null : { identifier: 'local.edge-agent', ...signature },
    });
    if (signature === null) return;
    mkdirSync(join(app, SEALS));
    writeFileSync(join(app, SEALS, 'CodeResources'), sealOf(app, identity));
  }
}

const SEALS = 'Contents/_CodeSignature';

function verify(app: string): CodesignReply {
  const seal = join(app, SEALS, 'CodeResources');
  if (!existsSync(seal)) return { code: 1, stderr: `${app}: code object is not signed at all\n` };
  const noted = readFileSync(seal, 'utf8');
  if (noted === sealOf(app, noted.split('\n')[0] ?? '')) return { code: 0 };
  return { code: 1, stderr: `${app}: a sealed resource is missing or invalid\n` };
}

/** Of a big file its length and its beginning have to do. */
function sealOf(app: string, identity: string): string {
  const files = readdirSync(app, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('_CodeSignature'))
    .toSorted();
  const lines = files.map((path) => {
    const { size } = statSync(path);
    const text = size < 1_000_000 ? readFileSync(path) : String(size);
    return `${relative(app, path)} ${createHash('sha256').update(text).digest('hex')}`;
  });
  return [identity, ...lines].join('\n');
}
