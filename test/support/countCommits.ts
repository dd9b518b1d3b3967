import BetterSqlite3 from 'better-sqlite3';
import { onTestFinished, vi } from 'vitest';

/** How many commits are made by stores that are opened from now on, until the test is over. */
export function countCommits(): () => number {
  const scratch = new BetterSqlite3(':memory:');
  const statements = Object.getPrototypeOf(scratch.prepare('SELECT 1')) as BetterSqlite3.Statement;
  scratch.close();
  let commits = 0;
  const { run } = statements;
  const spy = vi.spyOn(statements, 'run').mockImplementation(function (
    this: BetterSqlite3.Statement,
    ...values
  ) {
    if (this.source === 'COMMIT') commits += 1;
    return run.apply(this, values);
  });
  onTestFinished(() => spy.mockRestore());
  return () => commits;
}
