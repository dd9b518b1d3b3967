/** Whether an error of the system says that there is no such file: `ENOENT`, or `ENOTDIR` where a directory should be. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
