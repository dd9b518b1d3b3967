import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { constants, Script } from 'node:vm';
import { crc32 } from 'node:zlib';

declare global {
  interface ImportMeta {
    /** Whether V8 had the code of everything that was loaded. Undefined outside a bundle. */
    readonly hasCode?: () => boolean;
  }
}

/** A module as V8 has compiled it. It may run again and again, each time anew. */
interface Compiled {
  readonly script: Script;
  readonly source: Buffer;
}

/** What scripts/bundle.mjs makes of a module. */
type Wrapped = (
  module: { exports: unknown },
  exports: unknown,
  require: (name: string) => unknown,
  bundleUrl: string,
  hasCode: () => boolean,
) => void;

/** The checksums of the source and of the code, before the code. */
const HEADER_BYTES = 8;

/**
 * The programs that scripts/bundle.mjs made, with the code that V8 once compiled them to: a start that finds it compiles next to
 * nothing. Code is used only for the very source, Node and V8 flags that it was made with. V8 itself compares no more than the
 * length of the source, and crashes on code that is damaged; that is why there are checksums. Without code, or with code that does
 * not fit, V8 compiles as ever.
 */
export class Bundle {
  private readonly directory: string;
  private readonly codeDirectory: string;
  private readonly loaded = new Map<string, { exports: unknown }>();
  private readonly requirePackage: NodeJS.Require;
  private hasCode = true;

  /** `url` of its directory, with a slash at the end. `compiled`: what another one of this directory has compiled in this process. */
  constructor(
    private readonly url: string,
    private readonly compiled = new Map<string, Compiled>(),
  ) {
    this.directory = fileURLToPath(url);
    this.codeDirectory = join(this.directory, `code-${cachedDataVersionTag().toString(16)}`);
    this.requirePackage = createRequire(url);
  }

  /** Runs the module of that name if it has not run yet; returns what it exports. */
  load(name: string): unknown {
    const known = this.loaded.get(name);
    if (known !== undefined) return known.exports;
    const script = this.compile(name);
    if (script.cachedDataRejected !== false) this.hasCode = false;
    const module = { exports: {} };
    this.loaded.set(name, module);
    const run = script.runInThisContext() as Wrapped;
    const require = (wanted: string) =>
      wanted.startsWith('.') ? this.load(join(name, '..', wanted)) : this.requirePackage(wanted);
    run(module, module.exports, require, this.url, () => this.hasCode);
    return module.exports;
  }

  /** Stores the code of all that has been loaded, with every function that has been called, for this Node and its flags. */
  keepCode(): void {
    for (const [name, { script, source }] of this.compiled) {
      const code = script.createCachedData();
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt32LE(crc32(source), 0);
      header.writeUInt32LE(crc32(code), 4);
      const path = join(this.codeDirectory, name);
      mkdirSync(join(path, '..'), { recursive: true });
      // Whoever starts meanwhile finds the old code or the new.
      writeFileSync(`${path}.${process.pid}`, Buffer.concat([header, code]));
      renameSync(`${path}.${process.pid}`, path);
    }
  }

  private compile(name: string): Script {
    const known = this.compiled.get(name);
    if (known !== undefined) return known.script;
    const path = join(this.directory, name);
    const source = readFileSync(path);
    const cachedData = this.codeOf(name, source);
    // esbuild writes nothing but ASCII.
    const text = source.toString('latin1');
    const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
    const script = new Script(text, { filename: path, importModuleDynamically, cachedData });
    this.compiled.set(name, { script, source });
    return script;
  }

  private codeOf(name: string, source: Buffer): Buffer | undefined {
    let kept: Buffer;
    try {
      kept = readFileSync(join(this.codeDirectory, name));
    } catch {
      return undefined;
    }
    if (kept.length < HEADER_BYTES) return undefined;
    const code = kept.subarray(HEADER_BYTES);
    const fits = kept.readUInt32LE(0) === crc32(source) && kept.readUInt32LE(4) === crc32(code);
    return fits ? code : undefined;
  }
}
