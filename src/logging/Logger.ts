/** Details of a log line. At info and above: ids, sizes, codes, masked handles; never a text, secret or number. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** Writes one line at a time, synchronously; never throws. `fields` follow the message as `key=value`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Runs `work`; debug and info lines written meanwhile may reach the file together, at its end or with the next warning or error. */
  together?(work: () => void): void;
}
