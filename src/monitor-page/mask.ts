const HIDDEN = '•••';

/** Hides the numbers and addresses of people in what is not masked by the agent: its settings. */
export function mask(text: string): string {
  return text
    .replace(/[^\s@,;]+@(?=[^\s@,;]+\.)/g, `${HIDDEN}@`)
    .replace(/(\+\d)?\d[\d ().-]{5,}\d/g, (number, front = '') => `${front}${HIDDEN}${number.slice(-4)}`);
}
