import type { Command } from 'commander';
import { suggest } from '../../config/suggest.js';
import { EXIT } from '../exitCodes.js';

/**
 * For a group of verbs that stands for one of them by default: a word that is none of them is refused. commander would
 * pass it to that one as an argument.
 */
export function refuseStrangers(group: Command): void {
  group.hook('preSubcommand', () => {
    const [word = '-'] = group.args;
    const names = [...group.commands.map((verb) => verb.name()), 'help'];
    if (word.startsWith('-') || names.includes(word)) return;
    const meant = suggest(word, names);
    const hint = meant === undefined ? '' : `\n(Did you mean ${meant}?)`;
    group.error(`error: unknown command '${word}'${hint}`, { exitCode: EXIT.usage });
  });
}
