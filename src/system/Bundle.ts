import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cachedDataVersionTag } from 'node:v8';
import { constants, Script } from 'node:vm';

declare global {
  interface ImportMeta {
    /** Whether V8 had the code of everything that was loaded. Undefined outside a bundle. */
    readonly hasCode?: () => boolean;
  }
}

/** A module compiled by V8. It may run several times, each time as a new module. */
interface Compiled {
  readonly script: Script;
  readonly text: string;
}

/** What scripts/bundle.mjs makes of a module. */
type Wrapped = (
  module: { exports: unknown },
  exports: unknown,
  require: (name: string) => unknown,
  bundleUrl: string,
  hasCode: () => boolean,
) => void;

/** Two lengths, of the source and of the code, 32 bits each; behind them the source, the code, and the code again. */
const HEADER_BYTES = 8;

/**
 * The programs that scripts/bundle.mjs made, with the code that V8 once compiled them to: a start that finds it
 * compiles next to nothing. Code is used only with exactly the same source, Node and V8 flags. V8 itself compares only
 * the length of the source, and crashes on damaged code; so the source is stored with it, and the code twice.
 * (Comparing costs less than a checksum, and needs no other module.) Without matching code, V8 compiles as usual.
 */
export class Bundle {
  private readonly codeDirectory: string;
  private readonly url: string;
  private readonly loaded = new Map<string, { exports: unknown }>();
  private hasCode = true;

  /** `requirePackage` finds what is in no bundle. `compiled`: what another one of this directory has compiled in this process. */
  constructor(
    private readonly directory: string,
    private readonly requirePackage: (name: string) => unknown,
    private readonly compiled = new Map<string, Compiled>(),
  ) {
    this.codeDirectory = join(directory, `code-${cachedDataVersionTag().toString(16)}`);
    this.url = pathToFileURL(join(directory, '/')).href;
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
    for (const [name, { script, text }] of this.compiled) {
      const source = Buffer.from(text, 'latin1');
      const code = script.createCachedData();
      const header = Buffer.alloc(HEADER_BYTES);
      header.writeUInt32LE(source.length, 0);
      header.writeUInt32LE(code.length, 4);
      const path = join(this.codeDirectory, name);
      mkdirSync(join(path, '..'), { recursive: true });
      // A process that starts meanwhile finds either the old or the new code.
      writeFileSync(`${path}.${process.pid}`, Buffer.concat([header, source, code, code]));
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
    this.compiled.set(name, { script, text });
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
    const codeBytes = kept.readUInt32LE(4);
    const begin = HEADER_BYTES + source.length;
    const again = begin + codeBytes;
    if (kept.readUInt32LE(0) !== source.length || kept.length !== again + codeBytes) return undefined;
    const code = kept.subarray(begin, again);
    const fits = source.equals(kept.subarray(HEADER_BYTES, begin)) && code.equals(kept.subarray(again));
    return fits ? code : undefined;
  }
}
