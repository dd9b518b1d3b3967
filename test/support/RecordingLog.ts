import type { Logger } from '../../src/logging/Logger.js';

/** A log that keeps its lines to be looked at. */
export class RecordingLog implements Logger {
  readonly lines: string[] = [];

  debug(): void {
    // Debug lines are of no interest to tests.
  }

  info(message: string): void {
    this.lines.push(`INFO ${message}`);
  }

  warn(message: string): void {
    this.lines.push(`WARN ${message}`);
  }

  error(message: string): void {
    this.lines.push(`ERROR ${message}`);
  }
}
