const HIDDEN = '•••';

/** Hides the numbers and addresses of people in what is not masked by the agent. */
export function mask(text: string): string {
  return text
    .replace(/[^\s@,;]+@(?=[^\s@,;]+\.)/g, `${HIDDEN}@`)
    .replace(/(\+\d)?\d[\d ().-]{5,}\d/g, (number, front = '') => `${front}${HIDDEN}${number.slice(-4)}`);
}

/** The settings that name people, ourselves among them. */
export const HANDLE_SETTINGS: ReadonlySet<string> = new Set([
  'edge.agent_id',
  'edge.user_phone',
  'edge.user_address',
  'edge.apple_id',
  'edge.own_addresses',
  'forward.allow',
  'forward.ignore',
]);

/** A setting's value as it is shown while handles are hidden: a number that is no person's stays. */
export function maskSetting(key: string, text: string): string {
  return HANDLE_SETTINGS.has(key) ? mask(text) : text;
}
