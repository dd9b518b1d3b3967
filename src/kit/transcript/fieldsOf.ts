import { z } from 'zod';
import { type Fields, list, object, type Place, words } from './place.js';

/** What is used of JSON Schema. */
interface Shape {
  type?: string;
  format?: string;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly Shape[];
  items?: Shape;
  properties?: Readonly<Record<string, Shape>>;
}

/**
 * The places of an object from its schema, so that what is added there is known here. A text may say anything: `texts` tells by
 * its key what it is, and what that does not name is replaced.
 */
export function fieldsOf(schema: z.ZodType, texts: Fields): Fields {
  return placesIn(z.toJSONSchema(schema) as Shape, texts);
}

function placesIn({ properties = {} }: Shape, texts: Fields): Fields {
  return Object.fromEntries(
    Object.entries(properties).map(([key, shape]) => [key, placeOf(shape, texts[key] ?? 'text', texts)]),
  );
}

function placeOf(shape: Shape, text: Place, texts: Fields): Place {
  const one = shape.anyOf?.find(({ type }) => type !== 'null') ?? shape;
  if (one.enum !== undefined) return words(one.enum.join(' '));
  if (one.format === 'date-time') return 'time';
  switch (one.type) {
    case 'integer':
    case 'number':
      return 'number';
    case 'boolean':
      return 'flag';
    case 'array':
      return list(placeOf(one.items ?? {}, text, texts));
    case 'object':
      return one.properties === undefined ? 'free' : object(placesIn(one, texts));
    default:
      return text;
  }
}
