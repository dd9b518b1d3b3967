/**
 * Every failure that a person may meet, by its code. The value says in one line what the code means;
 * it is the source of the table of codes in docs/operating.md.
 */
export const ERROR_CODES = {
  config_invalid: 'The configuration has mistakes; nothing is started with it, nor changed by it.',
  config_unreadable: 'The configuration file or .env could not be read.',
  config_not_named:
    'A config.yaml that only lies in this directory would get a secret from the environment or the Keychain.',
  config_needs_restart: 'The configuration was changed where a change counts after a restart only.',
  stopping: 'The agent is told to stop: what is on its way ends, and nothing new is begun.',
  already_running: 'Another edge-agent uses the same state directory.',
  state_unwritable: 'The state directory cannot be created or written.',
  state_moved: 'The state directory was removed, moved or replaced while the agent ran.',
  state_restored: 'The store is older than what was sent: it was restored, copied or salvaged.',
  state_shared: 'Another state directory is or was at work on the same chat.db.',
  store_newer: 'The store was written by a newer edge-agent.',
  store_damaged: 'The store failed its integrity check.',
  disk_full: 'The disk is full, or has no inodes left; what needs room waits until there is some.',
  too_many_files: 'No more files can be opened; what needs one waits until they can.',
  machine_exhausted: 'This machine has run out of processes, memory or the like; what needs them waits.',
  clock_skew: 'The clock of this machine and that of the backend differ by more than a minute.',
  secret_missing: 'No EDGE_SECRET and no EDGE_TOKEN: the backend cannot be asked anything.',
  plain_secret_refused: 'auth.mode is "secret" and the backend is not on this machine.',
  tls_setting_ignored:
    'Something asks Node not to verify certificates, or for weak TLS; it is ignored and should be removed.',
  backend_insecure: 'A backend that is not on this machine must be reached by https/wss.',
  backend_unauthorised: 'The backend refused our credentials.',
  backend_unreachable: 'The backend cannot be reached.',
  sync_failing: 'The backend answers, but takes no sync.',
  delivery_refused: 'The backend does not take an event or an ack; everything else goes on.',
  registration_refused: 'The backend refused our registration.',
  websocket_unavailable: 'The real-time link is down; commands come by polling.',
  chatdb_missing: 'There is no chat.db at the configured path.',
  chatdb_not_permitted: 'macOS does not let this program read chat.db (Full Disk Access).',
  chatdb_denied: 'File permissions do not let this user read chat.db.',
  chatdb_unreadable: 'chat.db cannot be read.',
  automation_denied: 'macOS does not let this program control Messages (Automation).',
  osascript_missing: 'osascript cannot be started.',
  messages_unavailable: 'Messages does not answer.',
  inbound_stalled: 'Messages on this Mac seems to have stopped receiving.',
  text_too_long: 'The text is longer than the limit.',
  invalid_payload: 'A command or a request carries what does not fit its type.',
  unknown_command: 'A command type that this agent does not know.',
  attachment_refused: 'A file that a command names may not be sent.',
  attachment_unavailable: 'A file that a command names cannot be had.',
  attachment_unknown: 'There is no such incoming file to be uploaded.',
  too_late: 'The text is too old to be worth sending.',
  answer_withdrawn:
    'The message that the text answers went out from this account itself; nothing answers it.',
  not_delivered: 'Messages reported the text as not delivered.',
  outcome_unknown: 'The text may or may not have been sent; nobody can tell.',
  send_refused: 'Messages refused the text before anything was sent.',
  sending_paused: 'Sending is paused, everywhere or where two machines answered each other.',
  conversation_unknown: 'There is no conversation of that name.',
  schedule_unknown: 'There is no such scheduled text.',
  command_unknown: 'There is no such command.',
  item_set_aside:
    'A message, row or command could not be worked on; it was set aside, and everything else goes on.',
  monitor_unavailable: 'The local real-time channel cannot be served.',
  monitor_busy: 'The local real-time channel is asked too much at once.',
  status_unavailable: 'The status socket does not answer.',
  not_running: 'No edge-agent runs on this state directory.',
  not_macos: 'Only macOS has what this verb needs.',
  no_desktop_session: 'The user has no desktop session, so launchd cannot be asked.',
  launchd_refused: 'launchd does not do what it was asked.',
  install_failed: 'The program could not be installed.',
  not_installed: 'The agent is not installed as a service.',
  service_not_answering: 'The service was started and does not answer.',
  transcript_unreadable: 'The file is no transcript of the wire.',
  internal: 'A mistake of ours.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * The one error class. `message` tells a person what happened and why, `remedy` what to do next;
 * `code` is stable and for programs. Expected outcomes are returned as unions, never thrown.
 */
export class EdgeError extends Error {
  override readonly name = 'EdgeError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly remedy: string = '',
    options: { cause?: unknown } = {},
  ) {
    super(message, options);
  }

  /** The message as a person is shown it, in as many lines as it has by design. */
  get lines(): readonly string[] {
    return [this.message];
  }
}

/** The words of anything thrown, for a log line: never empty, never a stack. */
export function describeError(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  return String(thrown);
}
