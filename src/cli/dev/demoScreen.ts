import { Writable } from 'node:stream';
import { paint, type Style } from '../terminal.js';

/** Who speaks in a line of the demo, with the colour of its column. */
const SPEAKERS = {
  person: { name: 'Ann', style: 'cyan' },
  backend: { name: 'backend', style: 'magenta' },
  agent: { name: 'agent', style: 'grey' },
  messages: { name: 'Messages', style: 'green' },
  check: { name: '✓', style: 'green' },
  failed: { name: '✗', style: 'red' },
} as const satisfies Record<string, { name: string; style: Style }>;

export type Speaker = keyof typeof SPEAKERS;

/** Prints the demo as a conversation, one line a thing that happens, in colour where the terminal has it. */
export class DemoScreen {
  constructor(
    private readonly out: (line: string) => void,
    private readonly colour: boolean,
  ) {}

  title(text: string): void {
    this.out('');
    this.out(this.paint('bold', text));
  }

  line(speaker: Speaker, text: string): void {
    const { name, style } = SPEAKERS[speaker];
    this.out(`  ${this.paint(style, name.padStart(8))} │ ${text}`);
  }

  /** A stream that shows the agent's own log lines among the rest. */
  agentLog(): Writable {
    return new Writable({
      decodeStrings: false,
      write: (chunk: string | Buffer, _encoding, done) => {
        for (const line of String(chunk).split('\n').filter(Boolean)) {
          this.line('agent', line.replace(/^\[[^\]]+\] /, ''));
        }
        done();
      },
    });
  }

  private paint(style: Style, text: string): string {
    return paint({ colour: this.colour }, style, text);
  }
}
