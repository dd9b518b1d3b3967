import { configDocumentation, type SettingDocumentation } from './settings.js';

const HEAD = `# The configuration

Made from the schema by \`npm run docs\`; do not edit. A file to begin with is [config.yaml](../config.yaml), a JSON Schema
for editors [config.schema.json](config.schema.json).

What is given in several places counts in this order: what the backend changed (\`edge-agent config show\` marks it
\`remote\`), the environment, \`.env\` beside the file, the file, the default. A changed file or \`.env\` is read at once:
"restart" marks what counts with the next start only; until then the agent says so in \`edge-agent status\`. A file with
a mistake changes nothing, and that is said there too.
`;

/** docs/configuration.md: every setting with its default, its variable, and when a change of it counts. */
export function configurationPage(): string {
  const rows = configDocumentation();
  const sections = [...new Set(rows.map(({ key }) => sectionOf(key)))];
  const parts = sections.map((section) => {
    const lines = rows.filter(({ key }) => sectionOf(key) === section).map(tableRow);
    return [
      `## ${section}`,
      '',
      '| setting | default | what | a change applies |',
      '|---|---|---|---|',
      ...lines,
      '',
    ];
  });
  return [HEAD, ...parts.flat()].join('\n');
}

function tableRow(row: SettingDocumentation): string {
  const what = `${row.description} ${row.type.charAt(0).toUpperCase()}${row.type.slice(1)}. \`${row.env}\``;
  return `| \`${row.key}\` | ${defaultWords(row)} | ${what.replaceAll('|', '\\|')} | ${counts(row)} |`;
}

function counts({ reload, remote }: SettingDocumentation): string {
  if (remote) return 'at once; the backend may change it';
  return reload ? 'at once' : 'restart';
}

function defaultWords({ default: value, required, derived }: SettingDocumentation): string {
  if (required) return '**required**';
  if (value === null) return '–';
  if (derived) return String(value);
  if (typeof value === 'object') return value.length === 0 ? '`[]`' : `\`[${value.join(', ')}]\``;
  return `\`${value}\``;
}

function sectionOf(key: string): string {
  return key.split('.')[0] ?? '';
}
