/** What there is to do, counted. */
export interface Figures {
  /** Rows of chat.db that are not read yet. */
  rowsBehind: number;
  /** Texts that could go out now. */
  texts: number;
  uploads: number;
  /** Messages that the backend does not have yet. */
  messages: number;
}

/** One thing that is being done. `progress` is 0 to 100, where there is more than one to count. */
interface Task {
  currentTask: string;
  progress?: number;
}

const TASKS: readonly (readonly [keyof Figures, (left: number) => string])[] = [
  ['rowsBehind', (left) => `Catching up with ${count(left, 'row')} of chat.db`],
  ['texts', (left) => `Sending ${count(left, 'text')}`],
  ['messages', (left) => `Posting ${count(left, 'message')} to the backend`],
  ['uploads', (left) => `Uploading ${count(left, 'image')}`],
];

/** Reports the current task and its progress, relative to the maximum since it began. */
export class Progress {
  private readonly most = new Map<keyof Figures, number>();

  /** The first thing there is to do; undefined if there is none. */
  task(figures: Figures): Task | undefined {
    let task: Task | undefined;
    for (const [kind, words] of TASKS) {
      const left = figures[kind];
      const most = left === 0 ? 0 : Math.max(left, this.most.get(kind) ?? 0);
      this.most.set(kind, most);
      if (left === 0 || task !== undefined) continue;
      task = {
        currentTask: words(left),
        ...(most > 1 ? { progress: Math.floor((1 - left / most) * 100) } : {}),
      };
    }
    return task;
  }
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
