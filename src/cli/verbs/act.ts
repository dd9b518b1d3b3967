import type { Command } from 'commander';

/** What every verb is told beside its own options. */
interface CommonOptions {
  configPath?: string;
}

/**
 * The action of a verb: `work` gets the verb's options, with `configPath` wherever `--config` stood, and its arguments; the
 * number that it resolves with is the exit code.
 */
export function act<Options, Arguments extends unknown[] = []>(
  work: (options: Options & CommonOptions, ...args: Arguments) => Promise<number>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const { config, ...options } = command.optsWithGlobals<{ config?: string }>();
    const common: CommonOptions = config === undefined ? {} : { configPath: config };
    // commander has read the arguments as the verb declares them; its types do not carry that.
    process.exitCode = await work(
      { ...(options as Options), ...common },
      ...(given.slice(0, -2) as Arguments),
    );
  };
}
