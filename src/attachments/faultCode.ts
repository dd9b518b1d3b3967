/**
 * The part of a file error that may be reported: the system's code (`EACCES`, `ENAMETOOLONG`), else the kind of error.
 * The words of file system errors have the path in them, and paths have names that people gave.
 */
export function faultCode(error: unknown): string {
  if (!(error instanceof Error)) return 'an unexpected fault';
  return 'code' in error ? String(error.code) : error.name;
}
