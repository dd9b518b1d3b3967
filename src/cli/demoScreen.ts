import { Writable } from 'node:stream';

/** Who speaks in a line of the demo, with the colour of its column (ANSI). */
const SPEAKERS = {
  person: { name: 'Ann', colour: 36 },
  backend: { name: 'backend', colour: 35 },
  agent: { name: 'agent', colour: 90 },
  messages: { name: 'Messages', colour: 32 },
  check: { name: '✓', colour: 32 },
  failed: { name: '✗', colour: 31 },
} as const;

export type Speaker = keyof typeof SPEAKERS;

/** Prints the demo as a conversation, one line a thing that happens, in colour where the terminal has it. */
export class DemoScreen {
  constructor(
    private readonly out: (line: string) => void,
    private readonly colour: boolean,
  ) {}

  title(text: string): void {
    this.out(`\n${this.paint(1, text)}`);
  }

  line(speaker: Speaker, text: string): void {
    const { name, colour } = SPEAKERS[speaker];
    this.out(`  ${this.paint(colour, name.padStart(8))} │ ${text}`);
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

  private paint(code: number, text: string): string {
    return this.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
