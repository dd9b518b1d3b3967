/**
 * The programs of macOS that are started beside osascript (whose path is a setting), by the places where macOS has
 * them. They are never looked for in PATH, which whoever starts the agent decides.
 */
export interface Programs {
  /** Keeps the Mac awake while another process lives: caffeinate(8). */
  readonly caffeinate: string;
  /** Opens an application in the desktop session: open(1). */
  readonly open: string;
  /** Finds processes by name: pgrep(1). */
  readonly pgrep: string;
  /** Tells and sets when the Mac sleeps: pmset(1). */
  readonly pmset: string;
  /** Converts images: sips(1). */
  readonly sips: string;
  /** Tells the version of macOS: sw_vers(1). */
  readonly swVers: string;
}

const ON_MACOS: Programs = {
  caffeinate: '/usr/bin/caffeinate',
  open: '/usr/bin/open',
  pgrep: '/usr/bin/pgrep',
  pmset: '/usr/bin/pmset',
  sips: '/usr/bin/sips',
  swVers: '/usr/bin/sw_vers',
};

/** Where each program is; `standIns` are paths of what plays some of them, for tests. */
export function programs(standIns: Partial<Programs> = {}): Programs {
  return { ...ON_MACOS, ...standIns };
}
