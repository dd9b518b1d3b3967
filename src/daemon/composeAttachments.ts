import { homedir } from 'node:os';
import { join } from 'node:path';
import { FileGate } from '../attachments/FileGate.js';
import type { IncomingFiles } from '../attachments/ports.js';
import { StagedFiles, StagingArea } from '../attachments/StagedFiles.js';
import { Uploader } from '../attachments/Uploader.js';
import type { Backend } from '../backend/Backend.js';
import { handoverDirectory } from '../config/places.js';
import type { Config } from '../config/schema.js';
import type { PrivacyFilter } from '../incoming/privacy.js';
import type { Logger } from '../logging/Logger.js';
import type { ChatDb } from '../messages/chatdb/ChatDb.js';
import type { Store } from '../store/Store.js';
import type { Circuit } from '../system/Circuit.js';
import { childEnvironment } from '../system/childEnvironment.js';
import type { Clock } from '../system/clock.js';
import type { MachineFault } from '../system/failures.js';
import type { Outbound } from '../system/Outbound.js';
import type { Programs } from '../system/programs.js';
import type { Random } from '../system/random.js';

interface AttachmentOptions {
  store: Store;
  chatDb: ChatDb;
  config: () => Config;
  programs: Programs;
  outbound: Outbound;
  env: NodeJS.ProcessEnv;
  clock: Clock;
  random: Random;
  log: Logger;
  /** What is taken out of texts; undefined: nothing. */
  filter: () => PrivacyFilter | undefined;
  /** Asked once an upload begins, when everything is built. */
  backend: () => Pick<Backend, 'uploadPhoto' | 'agentId'>;
  /** Of the backend as a whole. */
  circuit: Circuit;
  /** Called with the result of each upload: a fault of this machine, or none. */
  onMachine: (fault: MachineFault | undefined) => void;
}

/** Files that go out and images that come in. */
export interface Attachments {
  door: FileGate;
  staged: StagedFiles;
  uploader: Uploader;
}

/** A transfer that has ended, one way or the other (docs/facts.md#attachments). */
const TRANSFER_OVER = new Set([5, 6, 7]);

export function composeAttachments(options: AttachmentOptions): Attachments {
  const { store, chatDb, config, clock, random, log, filter } = options;
  const { attachments_path: attachmentsPath } = config().imessage;
  const staging = new StagingArea(join(attachmentsPath, 'edge-agent'));
  const disclosed = (text: string) => filter()?.(text).text ?? text;
  const door = new FileGate({
    staging,
    clock,
    log,
    outbound: options.outbound,
    settings: () => ({
      maxBytes: config().attachments.max_bytes,
      allowedRoots: config().attachments.allowed_roots,
      allowPrivateAddresses: config().attachments.allow_private_addresses,
      handover: handoverDirectory(config().state.directory),
    }),
  });
  const staged = new StagedFiles({
    store,
    staging,
    clock,
    log,
    fateOf: (guid) => sentFileFate(chatDb, guid),
  });
  const uploader = new Uploader({
    store,
    files: incomingFiles(chatDb),
    backend: {
      uploadPhoto: (photo) => options.backend().uploadPhoto({ ...photo, name: disclosed(photo.name) }),
      agentId: () => options.backend().agentId(),
    },
    settings: () => ({
      enabled: config().attachments.upload,
      maxBytes: config().attachments.max_bytes,
      attachmentsPath,
      userPhone: config().edge.user_phone,
    }),
    circuit: options.circuit,
    caption: disclosed,
    sips: options.programs.sips,
    env: childEnvironment(options.env),
    home: options.env.HOME ?? homedir(),
    workDirectory: join(config().state.directory, 'uploads'),
    onMachine: options.onMachine,
    clock,
    random,
    log,
  });
  return { door, staged, uploader };
}

function incomingFiles(chatDb: ChatDb): IncomingFiles {
  return {
    find(messageGuid, attachmentGuid) {
      const reading = chatDb.readMessages((rows) => {
        const rowId = rows.rowIdOf(messageGuid);
        const files = rowId === undefined ? [] : rows.attachments(rowId);
        return files.find(({ guid }) => guid === attachmentGuid);
      });
      if (reading.kind !== 'read') return { kind: 'unreadable' };
      if (reading.value === undefined) return { kind: 'gone' };
      const { path, filename: name, mimeType, sizeBytes, transferState } = reading.value;
      return { kind: 'found', file: { path, name, mimeType, sizeBytes, transferState } };
    },
  };
}

function sentFileFate(chatDb: ChatDb, guid: string): { isOver: boolean; path: string | null } | undefined {
  const row = chatDb.sentRow(guid);
  if (row === undefined) return undefined;
  const reading = chatDb.readMessages((rows) => rows.attachments(row.rowId)[0]);
  if (reading.kind !== 'read' || reading.value === undefined) return undefined;
  const { path, transferState } = reading.value;
  const isOver = row.error !== 0 || (row.isSent && TRANSFER_OVER.has(transferState ?? 5));
  return { isOver, path };
}
