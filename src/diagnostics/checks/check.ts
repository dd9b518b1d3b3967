import type { LoadedConfig } from '../../config/loadConfig.js';
import type { CheckDetail, CheckVerdict } from '../../model/operatorApi.js';
import type { StatusSnapshot } from '../../model/status.js';
import type { AskDaemon } from '../../operator/askDaemon.js';
import type { Clock } from '../../system/clock.js';
import type { MachO } from '../../system/machO.js';
import type { Programs } from '../../system/programs.js';

/**
 * `evidence` is what was seen, in counts and times; `remedy` what a person does about it; `details` the counts behind it, for
 * programs. None of them holds a text.
 */
export interface Outcome {
  readonly verdict: CheckVerdict;
  readonly evidence: string;
  readonly remedy?: string;
  readonly details?: readonly CheckDetail[];
}

/** What the running agent says of itself; `down` if none runs. */
export type AgentView =
  | { readonly kind: 'up'; readonly snapshot: StatusSnapshot }
  | { readonly kind: 'down' }
  | { readonly kind: 'unclear'; readonly message: string };

/** Everything that a check may look at. */
export interface CheckContext {
  readonly platform: NodeJS.Platform;
  readonly homeDir: string;
  /** Ours; the checks get what a child may inherit (`childEnvironment`). */
  readonly env: NodeJS.ProcessEnv;
  /** The node binary that runs this, and its version. */
  readonly node: { readonly path: string; readonly version: string };
  readonly programs: Programs;
  /** What macOS sees in a program. */
  readonly inspect: (path: string) => MachO;
  /** As `os.cpus()` names it. */
  readonly processor: string;
  readonly clock: Clock;
  /** The configuration, or what is wrong with it, for a person. */
  readonly config:
    | { readonly kind: 'loaded'; readonly loaded: LoadedConfig }
    | { readonly kind: 'invalid'; readonly why: string; readonly remedy?: string };
  readonly agent: AgentView;
  /** Asks the running agent. */
  readonly askAgent: AskDaemon;
  /** Whether a text to our own number is wanted. */
  readonly send: boolean;
  /** Asks the person at the terminal; true where there is none to ask. */
  readonly confirm: (question: string) => Promise<boolean>;
}

/** A context whose configuration is valid. */
export interface ConfiguredBench extends CheckContext {
  readonly config: { readonly kind: 'loaded'; readonly loaded: LoadedConfig };
}

/** The test of one assumption. Ends on its own within about a minute; an exception counts as FAIL. */
export type Check = {
  /** Named in docs/macos.md and in reports: never changed. */
  readonly id: string;
  readonly title: string;
  /** Only on macOS; SKIP elsewhere. */
  readonly macOnly?: true;
} & (
  | { readonly withoutConfig: true; readonly run: (context: CheckContext) => Outcome | Promise<Outcome> }
  | { readonly withoutConfig?: never; readonly run: (context: ConfiguredBench) => Outcome | Promise<Outcome> }
);

export const pass = (evidence: string): Outcome => ({ verdict: 'PASS', evidence });
export const warn = (evidence: string, remedy: string): Outcome => ({ verdict: 'WARN', evidence, remedy });
export const fail = (evidence: string, remedy: string): Outcome => ({ verdict: 'FAIL', evidence, remedy });
export const skip = (evidence: string): Outcome => ({ verdict: 'SKIP', evidence });
