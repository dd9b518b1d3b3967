/** `name` as it is shown: `<needed>` or `[may be left out]`. */
interface ArgumentSpec {
  name: string;
  about: string;
  choices?: readonly string[];
  /** Which ids a shell completes it with. */
  completes?: IdKind;
}

/** What has ids that a shell can complete: each is a group of verbs with a `list`. */
export type IdKind = 'commands' | 'conversations' | 'queue' | 'schedule';

/** `flags` as commander reads them: `-n, --lines <count>`. `parse` reads the value, and judges it instead of `choices`. */
interface OptionSpec {
  flags: string;
  about: string;
  default?: string | number;
  choices?: readonly string[];
  parse?: (text: string) => string | number;
}

/**
 * A verb of the command. Help, manual page and completions are made of it. `run` gets the options by their long names in
 * camelCase, with `configPath` wherever `--config` stood, and the arguments; it resolves with the exit code. It imports what it
 * needs when it runs: the specs of all verbs are read for any of them.
 */
export interface VerbSpec {
  name: string;
  about: string;
  arguments?: readonly ArgumentSpec[];
  options?: readonly OptionSpec[];
  /** For the help of the whole command: what is typed behind `edge-agent`, and what it is for. */
  examples?: readonly (readonly [typed: string, about?: string])[];
  run: (options: never, ...args: never[]) => Promise<number>;
  /** It uses secrets: it first asks who owns a `config.yaml` that was only found in this directory. */
  usesSecrets?: true;
}

/** Verbs that share their first word; some of them may share their second one too. */
export interface VerbGroup {
  name: string;
  about: string;
  verbs: readonly (VerbSpec | VerbGroup)[];
  /** The default verb of the group if none is named. */
  default?: VerbSpec;
}
