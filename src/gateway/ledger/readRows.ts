import { z } from 'zod';
import type { StoredRow } from '../storage/GatewayDatabase.js';

/**
 * The rows of a statement in their form. Throws a ZodError where the schema of the database and the code disagree. `schema` is a constant
 * of its module: to make one takes longer than a statement.
 */
export function readRows<T>(schema: z.ZodType<T>, rows: readonly StoredRow[]): T[] {
  return rows.map((row) => schema.parse(row));
}

/** A column that has JSON, in its form. */
export function jsonColumn<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'expected JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}
