import { z } from 'zod';
import { each, type Fields, list, object, type Place, words } from './place.js';

/** What is used of JSON Schema. */
interface Shape {
  type?: string;
  format?: string;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly Shape[];
  items?: Shape;
  properties?: Readonly<Record<string, Shape>>;
  propertyNames?: Shape;
  additionalProperties?: Shape;
}

/**
 * The places of an object from its schema, so that new fields are known here. A text may contain anything: `texts`
 * gives its kind by key, and texts without a kind are replaced.
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
      return objectOf(one, texts);
    default:
      return text;
  }
}

/** A record whose keys are known words is an object with these fields; any other record may have whatever keys. */
function objectOf(shape: Shape, texts: Fields): Place {
  const { properties, propertyNames, additionalProperties } = shape;
  if (properties !== undefined) return object(placesIn(shape, texts));
  const names = propertyNames?.enum;
  if (names === undefined) return 'free';
  return object(each(names.join(' '), placeOf(additionalProperties ?? {}, 'text', texts)));
}
