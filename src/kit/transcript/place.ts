/** What may stand at a place. Whatever does not fit is replaced; `free`: whatever stands there is. */
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

/** The keys of an object that are known; every other one is replaced, with what stands under it. */
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
