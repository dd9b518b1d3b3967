import { configDocumentation, type SettingDocumentation } from './settings.js';

const HEAD = `# The configuration

Generated from the schema by \`npm run docs\`; do not edit. [config.yaml](../config.yaml) is a file to start with, and
[config.schema.json](config.schema.json) a JSON Schema for editors.

If a setting has several sources, the first of these is used: a change by the backend (\`edge-agent config show\` marks it
\`remote\`), the environment, \`.env\` next to the file, the file, the default. The agent reads a changed file or \`.env\` immediately.
Settings marked "restart" take effect at the next start; until then \`edge-agent status\` reports the change. A file with an error
changes nothing, and \`edge-agent status\` reports the error.
`;

/** docs/configuration.md: every setting with its default, its variable, and when a change takes effect. */
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
  if (remote) return 'immediately; the backend may change it';
  return reload ? 'immediately' : 'restart';
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
