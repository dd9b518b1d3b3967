/** The allowed values at a place. Other values are replaced; `free`: every value is replaced. */
export type Place =
  | 'free'
  | 'text'
  | 'handle'
  | 'id'
  | 'time'
  | 'number'
  | 'flag'
  | 'secret'
  | 'error'
  | 'version'
  | { readonly words: ReadonlySet<string> }
  | { readonly list: Place }
  | { readonly fields: Fields };

/** The known keys of an object; every other key is replaced, together with its value. */
export type Fields = Readonly<Record<string, Place>>;

/** One of these words; the lists are split at their white space. */
export function words(...lists: string[]): { readonly words: ReadonlySet<string> } {
  return { words: new Set(lists.flatMap((one) => one.trim().split(/\s+/))) };
}

export function list(of: Place): Place {
  return { list: of };
}

export function object(fields: Fields): { readonly fields: Fields } {
  return { fields };
}

/** One place under several keys. */
export function each(keys: string, place: Place): Fields {
  return Object.fromEntries(
    keys
      .trim()
      .split(/\s+/)
      .map((key) => [key, place]),
  );
}
