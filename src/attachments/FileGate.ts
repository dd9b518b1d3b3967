import { basename } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Logger } from '../logging/Logger.js';
import type { ErrorCode } from '../model/errorCodes.js';
import { type Clock, sleep } from '../system/clock.js';
import { exhaustion, type MachineFault, ownFileFault, systemCode } from '../system/failures.js';
import type { Outbound } from '../system/Outbound.js';
import { type FindAddresses, isPublicAddress } from '../system/publicAddresses.js';
import { nameOfType, safeName } from './contentTypes.js';
import { faultCode } from './faultCode.js';
import { isHandedOver, readHandedOver } from './handedOver.js';
import { httpsFile, urlFault } from './httpsFile.js';
import { readRealFile } from './readRealFile.js';
import type { StagingArea } from './StagedFiles.js';

export interface FileGateSettings {
  maxBytes: number;
  /** Directories below which a command may name files; absolute. */
  allowedRoots: readonly string[];
  allowPrivateAddresses: boolean;
  /** Where the operator's command puts copies of files that it has us send; absolute. */
  handover?: string;
}

interface FileGateOptions {
  staging: StagingArea;
  settings: () => FileGateSettings;
  clock: Clock;
  log: Logger;
  outbound: Outbound;
  /** For tests. */
  findAddresses?: FindAddresses;
}

/** A file as a command names it: one of the three, and what it is to be called. */
export interface NamedFile {
  url?: string | undefined;
  data_base64?: string | undefined;
  path?: string | undefined;
  filename?: string | undefined;
}

/** `file` is what the outgoing room takes; `refused` names the field at fault. */
type Admission =
  | { kind: 'admitted'; file: { name: string } & ({ path: string } | { url: string }) }
  | { kind: 'refused'; field: 'url' | 'data_base64' | 'path'; errorCode: ErrorCode; message: string };

type Fetched =
  | { kind: 'fetched'; path: string }
  | { kind: 'failed'; errorCode: ErrorCode; message: string }
  | { kind: 'kept'; fault: MachineFault }
  | { kind: 'stopped' };

/** How the content of a file that cannot be staged yet is named in the store. */
const HELD_CONTENT = 'data:;base64,';
const TRIES = 3;
const TRY_TIMEOUT_MS = 30_000;
const TRY_AGAIN_MS = 2_000;

/**
 * The only entrance for files of commands. The daemon may read the whole disk and is behind the firewall; the backend
 * must get neither: its files are read only from the public internet by https, from the command itself, and from
 * directories that the operator allowed.
 */
export class FileGate {
  constructor(private readonly options: FileGateOptions) {}

  /**
   * Judges a file by what the command says alone, and stages one whose content the command holds, or that the operator's
   * command handed over: durably, before it returns. The others are fetched later; so is one whose content this machine
   * cannot put on the disk now: its address holds the content meanwhile, in the caller's store.
   */
  admit(named: NamedFile): Admission {
    const { maxBytes, allowedRoots, allowPrivateAddresses, handover } = this.options.settings();
    const { url, data_base64: data, path, filename } = named;
    if (url !== undefined) {
      const fault = urlFault(url, reach(allowPrivateAddresses));
      if (fault !== undefined) return refusal('url', fault);
      return { kind: 'admitted', file: { name: safeName(filename ?? lastOf(url)), url } };
    }
    if (path !== undefined && handover !== undefined && isHandedOver(path, handover)) {
      return this.stage('path', filename, () => readHandedOver(path, maxBytes));
    }
    if (path !== undefined) {
      const isOpen = allowedRoots.some((root) => path.startsWith(root.endsWith('/') ? root : `${root}/`));
      if (!isOpen || path.includes('\0')) {
        const message = 'it is not below one of attachments.allowed_roots';
        return refusal('path', message);
      }
      return { kind: 'admitted', file: { name: safeName(filename ?? path), url: pathToFileURL(path).href } };
    }
    return this.stage('data_base64', filename, () => decodeBase64(data ?? '', maxBytes));
  }

  private stage(
    field: 'data_base64' | 'path',
    filename: string | undefined,
    read: () => { bytes: Buffer } | { fault: string },
  ): Admission {
    let bytes: Buffer;
    try {
      const content = read();
      if ('fault' in content) return refusal(field, content.fault);
      bytes = content.bytes;
    } catch (error) {
      return refusal(field, `it cannot be staged (${faultCode(error)})`, 'attachment_unavailable');
    }
    try {
      const staged = this.options.staging.put(filename ?? '', bytes);
      return { kind: 'admitted', file: { name: basename(staged), path: staged } };
    } catch (error) {
      if (isNoPlace(error)) {
        return refusal(field, `it cannot be staged (${faultCode(error)})`, 'attachment_unavailable');
      }
      if (ownFileFault(error) === undefined) throw error;
      this.options.log.warn('A file to send cannot be staged yet', { cause: faultCode(error) });
      const url = `${HELD_CONTENT}${bytes.toString('base64')}`;
      return { kind: 'admitted', file: { name: safeName(filename ?? ''), url } };
    }
  }

  /** Takes back what `admit` staged, for a command that is refused after all. */
  discard(path: string): void {
    this.options.staging.remove(path);
  }

  /**
   * Fetches and stages what `admit` let pass. Tries three times where that may help; ends within two minutes. Never rejects.
   */
  async fetch(source: string, name: string, stop: AbortSignal): Promise<Fetched> {
    try {
      if (source.startsWith(HELD_CONTENT)) {
        const bytes = Buffer.from(source.slice(HELD_CONTENT.length), 'base64');
        return this.stageFetched(name, bytes);
      }
      return source.startsWith('file:')
        ? await this.take(source, name)
        : await this.download(source, name, stop);
    } catch (error) {
      const fault = exhaustion(systemCode(error));
      if (fault !== undefined) return { kind: 'kept', fault };
      this.options.log.error('A file to send could not be staged', { cause: faultCode(error) });
      return {
        kind: 'failed',
        errorCode: 'attachment_unavailable',
        message: `it cannot be staged: ${faultCode(error)}`,
      };
    }
  }

  private async take(source: string, name: string): Promise<Fetched> {
    const { allowedRoots, maxBytes } = this.options.settings();
    const path = fileURLToPath(source);
    const file = await readRealFile(path, allowedRoots, maxBytes);
    if (file.kind === 'missing') return unavailable('there is no such file');
    if (file.kind === 'changing') return unavailable(file.why);
    if (file.kind === 'refused') return refused(file.why);
    return this.stageFetched(name, file.bytes);
  }

  /** Our own directory: whatever the system refuses there is this machine's fault. */
  private stageFetched(name: string, bytes: Uint8Array): Fetched {
    try {
      return { kind: 'fetched', path: this.options.staging.put(name, bytes) };
    } catch (error) {
      const fault = isNoPlace(error) ? undefined : ownFileFault(error);
      if (fault === undefined) throw error;
      return { kind: 'kept', fault };
    }
  }

  private async download(url: string, name: string, stop: AbortSignal): Promise<Fetched> {
    const { settings, clock, outbound, findAddresses } = this.options;
    for (let tries = 1; ; tries++) {
      const { maxBytes, allowPrivateAddresses } = settings();
      const got = await httpsFile(url, {
        clock,
        maxBytes,
        timeoutMs: TRY_TIMEOUT_MS,
        mayReach: reach(allowPrivateAddresses),
        stop,
        outbound,
        proxyResolves: allowPrivateAddresses,
        ...(findAddresses === undefined ? {} : { findAddresses }),
      });
      if (got.kind === 'stopped') return got;
      if (got.kind === 'refused') return refused(got.message);
      if (got.kind === 'file') {
        return this.stageFetched(nameOfType(name, got.type), got.bytes);
      }
      const fault = exhaustion(got.systemCode);
      if (fault !== undefined) return { kind: 'kept', fault };
      if (tries === TRIES) return unavailable(got.message);
      await sleep(clock, TRY_AGAIN_MS);
      if (stop.aborted) return { kind: 'stopped' };
    }
  }
}

/** There is a file where `imessage.attachments_path` expects a directory: a wrong setting, which needs an operator. */
function isNoPlace(error: unknown): boolean {
  return ['ENOTDIR', 'EEXIST'].includes(systemCode(error) ?? '');
}

function reach(allowPrivate: boolean): (address: string) => boolean {
  return allowPrivate ? () => true : isPublicAddress;
}

/** The last element of a URL's path. */
function lastOf(url: string): string {
  return decoded(new URL(url).pathname.split('/').at(-1) ?? '');
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A stray per cent sign: the name is as it is written.
    return text;
  }
}

/** Strict: a lenient decoder could drop intended data. */
function decodeBase64(data: string, maxBytes: number): { bytes: Buffer } | { fault: string } {
  const written = data.replace(/[\r\n]/g, '');
  if (written === '') return { fault: 'it is empty' };
  if (written.length > Math.ceil(maxBytes / 3) * 4) {
    return { fault: `it is larger than ${maxBytes} bytes (attachments.max_bytes)` };
  }
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(written) || written.replace(/=+$/, '').length % 4 === 1) {
    return { fault: 'it is not base64' };
  }
  const bytes = Buffer.from(written, 'base64');
  if (bytes.length > maxBytes)
    return { fault: `it is larger than ${maxBytes} bytes (attachments.max_bytes)` };
  return { bytes };
}

function refusal(
  field: 'url' | 'data_base64' | 'path',
  message: string,
  errorCode: ErrorCode = 'attachment_refused',
): Admission {
  return { kind: 'refused', field, errorCode, message };
}

function refused(message: string): Fetched {
  return { kind: 'failed', errorCode: 'attachment_refused', message: `${message}.` };
}

function unavailable(message: string): Fetched {
  return { kind: 'failed', errorCode: 'attachment_unavailable', message: `${message}.` };
}
