import { describeError } from '../errors.js';
import type { Logger } from '../logging/Logger.js';
import type { Command } from '../model/command.js';
import type { BackendNotification, Frame } from './protocol.js';

interface ReaderPorts {
  readonly log: Logger;
  /** Synchronous and durable, or durable by the end of this turn of the loop (see BackendOptions); may throw when it cannot store. */
  readonly receive: (commands: readonly Command[]) => void;
  readonly onConfigUpdate: (settings: Record<string, unknown>) => void;
  readonly onNotification: (notification: BackendNotification) => void;
  readonly onAccepts: (accepts: readonly string[]) => void;
}

/**
 * Takes the parsed frames of the socket. Commands that came in one chunk are handed on as one batch, so that one commit
 * stores them. What cannot be used is logged; nothing here ends the connection.
 */
export class FrameReader {
  private batch: Command[] = [];
  private closed = false;

  constructor(private readonly ports: ReaderPorts) {}

  /** From now on commands are left to the backend, which offers unacked ones again. */
  stopIntake(): void {
    this.flush();
    this.closed = true;
  }

  get intakeStopped(): boolean {
    return this.closed;
  }

  take(frame: Frame): void {
    const { log } = this.ports;
    switch (frame.type) {
      case 'command':
        if (this.closed) return;
        this.batch.push(frame.command);
        // The frames of one chunk are emitted in one go; a microtask runs right after the last of them.
        if (this.batch.length === 1) queueMicrotask(() => this.flush());
        break;
      case 'config_update':
        this.guarded('config_update', () => this.ports.onConfigUpdate(frame.settings));
        break;
      case 'connected':
        log.debug('The backend greeted us');
        if (frame.accepts) this.ports.onAccepts(frame.accepts);
        break;
      case 'notification':
        log.info('Backend sent notification', { level: frame.level, length: frame.message.length });
        log.debug(`Backend sent notification: ${frame.message}`);
        if (frame.message !== '') this.ports.onNotification({ level: frame.level, message: frame.message });
        break;
      case 'notice':
        log.warn(`Backend sent ${frame.name}`, { length: frame.text.length });
        log.debug(`Backend sent ${frame.name}: ${frame.text}`);
        break;
      case 'unknown':
        log.warn('Ignored a frame of unknown type', { type: frame.name });
        break;
      case 'malformed':
        log.warn('Ignored a malformed frame', { reason: frame.reason });
        break;
      default:
        break;
    }
  }

  binary(bytes: number): void {
    this.ports.log.warn('Ignored a binary frame', { bytes });
  }

  private flush(): void {
    const batch = this.batch;
    if (batch.length === 0) return;
    this.batch = [];
    this.guarded('commands', () => this.ports.receive(batch));
  }

  /** A failing store must not end the socket: unacked commands come again. */
  private guarded(what: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      const cause = describeError(error);
      this.ports.log.error(`Could not store ${what}; none of it was acked`, { cause });
    }
  }
}
