/** What becomes a daemon without the rights that make root pass every check of the system; nothing where we have none. */
export const UNPRIVILEGED: readonly string[] =
  process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
