/** One event of a stream of Server-Sent Events. */
export interface StreamEvent {
  readonly id: string;
  readonly data: string;
}

/**
 * Reads a stream of Server-Sent Events (html.spec.whatwg.org, 9.2.6), whose lines may be cut anywhere. EventSource
 * cannot be used: it sends no Authorization header. `comments` (keepalives) are reported too, because they show that
 * the connection is alive.
 */
export class EventStreamParser {
  private rest = '';
  private id = '';
  private data: string[] = [];

  constructor(private readonly onEvent: (event: StreamEvent) => void) {}

  push(chunk: string): void {
    const lines = (this.rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.line(line);
  }

  private line(line: string): void {
    if (line === '') {
      if (this.data.length > 0) this.onEvent({ id: this.id, data: this.data.join('\n') });
      this.data = [];
      return;
    }
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'data') this.data.push(value);
    if (field === 'id') this.id = value;
  }
}
