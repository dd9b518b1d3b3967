const COLUMNS = ['what', 'measured', 'reference', 'compared', 'budget', 'verdict'];
const NAMES = { compared: 'against it', reference: 'reference, same run', verdict: '' };

/** Prints the rows of one bench, each column as wide as it needs to be. */
export function print(title, rows) {
  const lines = [Object.fromEntries(COLUMNS.map((name) => [name, NAMES[name] ?? name])), ...rows];
  const widths = COLUMNS.map((name) => Math.max(...lines.map((line) => line[name].length)));
  console.log(`\n${title}`);
  for (const line of lines) {
    console.log(`  ${COLUMNS.map((name, index) => line[name].padEnd(widths[index])).join('  ')}`.trimEnd());
  }
}
