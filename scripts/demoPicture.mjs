/* Runs the demo and draws what it printed as docs/screenshots/demo.svg: `npm run picture`. The agent's log lines are left out, and the
   acts that a picture has no room for. Without animation the picture shows everything at once. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const ACTS = [2, 3];
const COLUMNS = 88;
const COLOURS = { Ann: '#56d4dd', backend: '#d2a8ff', Messages: '#7ee787', '✓': '#7ee787', '✗': '#ff7b72' };
const LINE_PX = 19;
const COLUMN_PX = 7.85;
const SECONDS_A_LINE = 0.45;

const printed = execFileSync('node', ['dist/cli/main.js', 'demo'], { encoding: 'utf8' });
const acts = printed.split('\n\n').map((act) => act.trimEnd().split('\n').filter(Boolean));
const lastLine = acts.at(-1)?.at(-1) ?? '';
if (!/(\d+) of \1 promises kept/.test(lastLine)) throw new Error(`The demo failed: ${lastLine}`);

const lines = [
  { text: '$ npm run demo', style: 'bold' },
  ...ACTS.flatMap((number) => act(acts.find(([title]) => title?.startsWith(`${number}  `)) ?? [])),
  { text: '' },
  speech(lastLine),
];

function act([title = '', ...rest]) {
  const told = rest.filter((line) => !/^\s+agent │/.test(line));
  return [{ text: '' }, { text: title, style: 'bold' }, ...told.map(speech)];
}

function speech(line) {
  const [speaker = '', ...words] = line.split('│');
  const text = words.join('│').trim();
  const cut = text.length > COLUMNS - 14 ? `${text.slice(0, COLUMNS - 15)}…` : text;
  return { speaker: speaker.trim(), text: cut };
}

function draw({ speaker, text, style }, index) {
  if (text === '') return '';
  const y = 44 + index * LINE_PX;
  const delay = `style="animation-delay:${(index * SECONDS_A_LINE).toFixed(2)}s"`;
  const words = escaped(text);
  if (speaker === undefined)
    return `<text class="${['l', style].filter(Boolean).join(' ')}" ${delay} x="16" y="${y}">${words}</text>`;
  const name = `<tspan x="${(16 + 9 * COLUMN_PX).toFixed(1)}" text-anchor="end" fill="${COLOURS[speaker] ?? '#8b949e'}">${speaker}</tspan>`;
  return `<text class="l" ${delay} y="${y}">${name}<tspan x="${(16 + 11 * COLUMN_PX).toFixed(1)}">${words}</tspan></text>`;
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const width = Math.ceil(32 + COLUMNS * COLUMN_PX);
const height = 44 + lines.length * LINE_PX;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>The demo: a message comes in, the backend answers twice, each answer is sent once</title>
<style>
text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#e6edf3;white-space:pre}
.bold{font-weight:700}
@media (prefers-reduced-motion:no-preference){.l{animation:show .2s both}@keyframes show{from{opacity:0}to{opacity:1}}}
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<circle cx="20" cy="16" r="5" fill="#ff5f56"/><circle cx="38" cy="16" r="5" fill="#ffbd2e"/><circle cx="56" cy="16" r="5" fill="#27c93f"/>
${lines.map(draw).filter(Boolean).join('\n')}
</svg>
`;
writeFileSync(new URL('../docs/screenshots/demo.svg', import.meta.url), svg);
