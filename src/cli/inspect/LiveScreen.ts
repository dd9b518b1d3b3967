import { stdoutTerminal } from '../print.js';
import { printable } from '../terminal.js';

const ALTERNATE = '\u001b[?1049h\u001b[?25l';
const BACK = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const REST_OF_LINE = '\u001b[K';
const REST_OF_SCREEN = '\u001b[J';
/** Lines that are too long are cut instead of wrapped, so that the screen does not scroll. */
const NO_WRAP = '\u001b[?7l';
const WRAP = '\u001b[?7h';

/** A screen that is drawn again and again in one place; what was on the terminal before is there again after `close`. */
export class LiveScreen {
  private isOpen = false;
  private readonly restore = () => this.close();

  constructor(private readonly out: NodeJS.WriteStream) {}

  open(): void {
    this.isOpen = true;
    process.on('exit', this.restore);
    this.out.write(`${ALTERNATE}${NO_WRAP}`);
  }

  /**
   * As much of the lines as there is room for. What was there is erased before a line is written: behind one that fills the terminal,
   * the cursor stays on its last character.
   */
  draw(lines: readonly string[]): void {
    const { rows, columns } = this.out;
    const shown = lines.slice(0, rows || lines.length).map((line, index, all) => {
      const erase = index === all.length - 1 ? REST_OF_SCREEN : REST_OF_LINE;
      return `${erase}${printable(line, stdoutTerminal(), columns || undefined)}`;
    });
    this.out.write(`${HOME}${shown.join('\n')}`);
  }

  /** Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    process.off('exit', this.restore);
    this.out.write(`${WRAP}${BACK}`);
  }
}
