import { EdgeError } from '../errors.js';

/**
 * A property list made of a template, with its values filled in, without the comments of the template (a path may hold what no comment
 * may). Throws EdgeError `install_failed` for a path that XML cannot hold.
 */
export function fillPlist(template: string, values: Readonly<Record<string, string>>): string {
  const bare = template.replaceAll(/[ \t]*<!--[\s\S]*?-->\n?/g, '').replaceAll(/\n{2,}/g, '\n');
  return bare.replaceAll(/@([A-Z]+)@/g, (placeholder, name: string) => {
    const value = values[name];
    if (value === undefined) throw new EdgeError('internal', `The template has an unknown ${placeholder}.`);
    return escaped(value);
  });
}

/** The configuration file that a filled LaunchAgent names; undefined if it names none. */
export function configIn(plist: string): string | undefined {
  const named = /<string>--config<\/string>\s*<string>([^<]*)<\/string>/.exec(plist)?.[1];
  return named?.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

function escaped(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for; XML 1.0 has no way to write them.
  if (/[\u0000-\u001f\ufffe\uffff]/.test(path)) {
    throw new EdgeError(
      'install_failed',
      `${JSON.stringify(path)} contains a character that a property list cannot contain.`,
      'Give it a name without control characters.',
    );
  }
  return path.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
