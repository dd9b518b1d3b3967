import type { Command } from 'commander';
import type { Shell } from './dev/completionsVerb.js';
import { EXIT } from './exitCodes.js';
import { show } from './print.js';
import type { IdKind, VerbGroup, VerbSpec } from './VerbSpec.js';
import { VERB_SECTIONS } from './verbs.js';

/** A verb with the words that may follow it. */
interface Place {
  /** `queue list`; empty for the command itself. */
  path: string;
  words: { word: string; about: string }[];
  options: {
    flags: string[];
    about: string;
    takesValue: boolean;
    values: readonly string[];
    isFile: boolean;
  }[];
}

/** Prints the script by which a shell completes verbs and options; its first lines say how to install it. */
export async function completions(shell: Shell): Promise<number> {
  const { edgeProgram } = await import('./program.js');
  show(completionScript(shell, edgeProgram()));
  return EXIT.ok;
}

/** The script for a shell, from the verbs that there are. Completing asks no process and no file of ours but for ids, which `list` has. */
export function completionScript(shell: Shell, program: Command): string {
  const places = placesOf(program, '');
  switch (shell) {
    case 'bash':
      return bashScript(places);
    case 'zsh':
      return zshScript(places);
    case 'fish':
      return fishScript(places);
  }
}

/** Where the ids are in what `list --json` prints. */
const ID_KEYS: Readonly<Record<IdKind, string>> = {
  commands: 'command_id',
  conversations: 'conversation',
  queue: 'guid',
  schedule: 'schedule_id',
};

/** Prints the ids of a kind, one a line, and nothing where no agent answers. For bash and zsh. */
const ID_FUNCTION = `_edge_agent_ids() {
  edge-agent "$1" list --json 2>/dev/null | sed -n 's/^ *"'"$2"'": "\\(.*\\)".*/\\1/p'
}`;

/** The verbs that take an id, by their path. */
function idVerbs(): [path: string, kind: IdKind][] {
  const below = (path: string, spec: VerbSpec | VerbGroup): [string, IdKind][] => {
    const own = `${path} ${spec.name}`.trim();
    if ('verbs' in spec) return spec.verbs.flatMap((verb) => below(own, verb));
    return (spec.arguments ?? []).flatMap(({ completes }): [string, IdKind][] =>
      completes === undefined ? [] : [[own, completes]],
    );
  };
  return VERB_SECTIONS.flatMap(({ verbs }) => verbs).flatMap((spec) => below('', spec));
}

function placesOf(command: Command, path: string): Place[] {
  const below = command.commands.map((verb) => ({ word: verb.name(), about: verb.description() }));
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const options = [...command.options, helpOf(command)].flatMap((option) =>
    option === null
      ? []
      : [
          {
            flags: [option.long, option.short].filter((flag): flag is string => typeof flag === 'string'),
            about: option.description,
            takesValue: option.required || option.optional,
            values: option.argChoices ?? [],
            isFile: /<(?:file|path|directory)>/.test(option.flags),
          },
        ],
  );
  const words = [...below, ...choices.map((word) => ({ word, about: '' }))];
  return [
    { path, words, options },
    ...command.commands.flatMap((verb) => placesOf(verb, `${path} ${verb.name()}`.trim())),
  ];
}

function helpOf(command: Command) {
  return command.createOption('-h, --help', 'show help');
}

function bashScript(places: readonly Place[]): string {
  const cases = places.map(({ path, words, options }) => {
    const all = [...words.map(({ word }) => word), ...options.flatMap(({ flags }) => flags)];
    return `    ${quoted(path)}) words=${quoted(all.join(' '))} ;;`;
  });
  const paths = places.map(({ path }) => path).filter((path) => path !== '');
  const fileFlags = flagsWhere(places, ({ isFile }) => isFile);
  const valueFlags = flagsWhere(places, takesUnknown);
  const choices = choicesOf(places).map(
    ([flag, values]) =>
      `    ${flag}) COMPREPLY=($(compgen -W ${quoted(values.join(' '))} -- "$current")); return ;;`,
  );
  return `# edge-agent completions for bash. Put this into ~/.bashrc: source <(edge-agent completions bash)
# (bash 3.2 of macOS: eval "$(edge-agent completions bash)")
${ID_FUNCTION}
_edge_agent() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path='' words='' word index
  COMPREPLY=()
  case "$previous" in
    ${fileFlags.join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;;
${choices.join('\n')}
    ${valueFlags.join('|')}) return ;;
  esac
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${path:+$path }\${COMP_WORDS[index]}"
    case "$word" in
      ${paths.map(quoted).join('|')}) path="$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  [[ $current == -* ]] || case "$path" in
${idVerbs()
  .map(([path, kind]) => `    ${quoted(path)}) words="$words $(_edge_agent_ids ${kind} ${ID_KEYS[kind]})" ;;`)
  .join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _edge_agent edge-agent
`;
}

function zshScript(places: readonly Place[]): string {
  const cases = places.map(({ path, words, options }) => {
    const described = [
      ...words.map(({ word, about }) => describedWord(word, about)),
      ...options.flatMap(({ flags, about }) => flags.map((flag) => describedWord(flag, about))),
    ];
    return `    ${quoted(path)}) words_here=(${described.join(' ')}) ;;`;
  });
  const paths = places.map(({ path }) => path).filter((path) => path !== '');
  const fileFlags = flagsWhere(places, ({ isFile }) => isFile);
  const valueFlags = flagsWhere(places, takesUnknown);
  const choices = choicesOf(places).map(
    ([flag, values]) => `    ${flag}) compadd -- ${values.map(quoted).join(' ')}; return ;;`,
  );
  return `#compdef edge-agent
# edge-agent completions for zsh. Put this into ~/.zshrc, behind compinit: source <(edge-agent completions zsh)
${ID_FUNCTION}
_edge_agent() {
  local verb_path='' next index
  local -a words_here
  case "\${words[CURRENT-1]}" in
    ${fileFlags.join('|')}) _files; return ;;
${choices.join('\n')}
    ${valueFlags.join('|')}) return ;;
  esac
  for ((index = 2; index < CURRENT; index++)); do
    next="\${verb_path:+$verb_path }\${words[index]}"
    case "$next" in
      ${paths.map((path) => path.replaceAll(' ', '\\ ')).join('|')}) verb_path="$next" ;;
    esac
  done
  case "$verb_path" in
${cases.join('\n')}
  esac
  local -a ids
  [[ $PREFIX == -* ]] || case "$verb_path" in
${idVerbs()
  .map(([path, kind]) => `    ${quoted(path)}) ids=(\${(f)"$(_edge_agent_ids ${kind} ${ID_KEYS[kind]})"}) ;;`)
  .join('\n')}
  esac
  compadd -- $ids
  _describe 'edge-agent' words_here
}
compdef _edge_agent edge-agent
`;
}

function fishScript(places: readonly Place[]): string {
  const verbs = new Set(
    places.flatMap(({ path, words }) => (path === '' ? words.map(({ word }) => word) : [])),
  );
  const lines = places.flatMap(({ path, words, options }) => {
    const seen = path.split(' ').filter((word) => word !== '');
    const where =
      seen.length === 0
        ? `not __fish_seen_subcommand_from ${[...verbs].join(' ')}`
        : seen.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ');
    const isLeaf = words.length === 0;
    const condition = isLeaf
      ? where
      : `${where}; and not __fish_seen_subcommand_from ${words.map(({ word }) => word).join(' ')}`;
    return [
      ...words.map(
        ({ word, about }) =>
          `complete -c edge-agent -f -n ${quoted(condition)} -a ${quoted(word)} -d ${quoted(about)}`,
      ),
      ...options.map(({ flags, about, takesValue, isFile, values }) => {
        const names = flags.map((flag) =>
          flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`,
        );
        const chosen = values.length === 0 ? '' : ` -a ${quoted(values.join(' '))}`;
        const value = takesValue ? (isFile ? ' -r -F' : ` -x${chosen}`) : ' -f';
        return `complete -c edge-agent -n ${quoted(where)} ${names.join(' ')}${value} -d ${quoted(about)}`;
      }),
    ];
  });
  return `# edge-agent completions for fish: edge-agent completions fish > ~/.config/fish/completions/edge-agent.fish
complete -c edge-agent -f
${lines.join('\n')}
${idVerbs().map(fishIds).join('\n')}
`;
}

function fishIds([path, kind]: [path: string, kind: IdKind]): string {
  const where = path.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
  const value = `s/^ *\\"${ID_KEYS[kind]}\\": \\"\\\\(.*\\\\)\\".*/\\\\1/p`;
  const ids = `edge-agent ${kind} list --json 2>/dev/null | sed -n '${value}'`;
  return `complete -c edge-agent -f -n ${quoted(where.join('; and '))} -a "(${ids})"`;
}

/** Whether nothing can be said of the option's value. */
function takesUnknown({ takesValue, isFile, values }: Place['options'][number]): boolean {
  return takesValue && !isFile && values.length === 0;
}

/** The options whose values are known, by flag. A flag means the same with every verb. */
function choicesOf(places: readonly Place[]): [string, readonly string[]][] {
  const all = places.flatMap(({ options }) => options.filter(({ values }) => values.length > 0));
  return [...new Map(all.flatMap(({ flags, values }) => flags.map((flag) => [flag, values] as const)))];
}

function flagsWhere(
  places: readonly Place[],
  wanted: (option: Place['options'][number]) => boolean,
): string[] {
  const flags = places.flatMap(({ options }) => options.filter(wanted).flatMap((option) => option.flags));
  return [...new Set(flags)];
}

function describedWord(word: string, about: string): string {
  return quoted(about === '' ? word : `${word.replaceAll(':', '\\:')}:${about}`);
}

/** In single quotes, for any of the shells; fish knows no quote inside quotes but a backslash, which the others close. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’').replaceAll('`', '')}'`;
}
