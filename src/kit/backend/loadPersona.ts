import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { describeError, EdgeError } from '../../errors.js';
import { answerSchema, BUILT_IN_PERSONAS, type Persona, type PersonaAnswer } from './persona.js';

/** What the function of a file may return: one bubble, several, a whole answer, or nothing at all. */
const saidSchema = z.union([
  z.string().transform((text): PersonaAnswer => ({ bubbles: [text] })),
  z.array(z.string()).transform((bubbles): PersonaAnswer => ({ bubbles })),
  answerSchema,
  z.null().transform((): PersonaAnswer => ({ bubbles: [], shouldRespond: false })),
]);

const functionSchema = z.custom<(...given: Parameters<Persona>) => unknown>(
  (value) => typeof value === 'function',
);
const moduleSchema = z.union([
  z.object({ persona: functionSchema }).transform(({ persona }) => persona),
  z.object({ default: functionSchema }).transform((module) => module.default),
]);

/**
 * The persona of `--persona`: a built-in one by name, or the function `persona` (or the default export) of a JavaScript
 * module by path. Its result is validated each time; an invalid one becomes a 500. Throws EdgeError `config_invalid`.
 */
export async function loadPersona(named: string): Promise<Persona> {
  const builtIn = Object.entries(BUILT_IN_PERSONAS).find(([name]) => name === named)?.[1];
  if (builtIn !== undefined) return builtIn();
  if (!/\.[cm]?js$/.test(named)) {
    const known = Object.keys(BUILT_IN_PERSONAS).join(', ');
    throw new EdgeError(
      'config_invalid',
      `There is no persona "${named}".`,
      `Name one of ${known}, or a file such as ./persona.mjs.`,
    );
  }
  const speak = await importPersona(resolve(named));
  return async (message, context) => {
    const said = saidSchema.safeParse((await speak(message, context)) ?? null);
    if (said.success) return said.data;
    throw new Error(
      `the persona of ${named} returned neither text, texts nor an answer: ${said.error.message}`,
    );
  };
}

async function importPersona(path: string): Promise<(...given: Parameters<Persona>) => unknown> {
  let module: unknown;
  try {
    module = await import(pathToFileURL(path).href);
  } catch (mistake) {
    throw new EdgeError(
      'config_invalid',
      `The persona ${path} cannot be loaded: ${describeError(mistake)}.`,
      'Correct the file, or its name.',
      { cause: mistake },
    );
  }
  const found = moduleSchema.safeParse(module);
  if (found.success) return found.data;
  throw new EdgeError(
    'config_invalid',
    `The persona ${path} exports no function "persona".`,
    'Write: export function persona(message) { return "you said: " + message.filtered_text; }',
  );
}
