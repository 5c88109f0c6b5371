// The state of an order as an entity tag, and whether a request's If-Match names it (pure; RFC 9110, section 13.1.1).

/** Of which write an order's state is: no two states of one order have the same. */
export type State = { epoch: number; version: number };

/** Entity tags of an If-Match that can match: strong ones, or any at all. */
export type Wanted = '*' | readonly string[];

const LIST = /^\s*(W\/)?"[\x21\x23-\x7e\x80-\xff]*"\s*(,\s*(W\/)?"[\x21\x23-\x7e\x80-\xff]*"\s*)*$/;

export function etagOf({ epoch, version }: State): string {
  return `"${epoch}.${version}"`;
}

/** What an If-Match header wants; null where it is not one. */
export function parseIfMatch(header: string): Wanted | null {
  if (header.trim() === '*') return '*';
  if (!LIST.test(header)) return null;
  // If-Match compares strongly: a weak tag never matches. A comma may stand inside of the quotes.
  return [...header.matchAll(/(W\/)?("[^"]*")/g)].flatMap(([, weak, tag = '']) =>
    weak === undefined ? [tag] : [],
  );
}

export function matches(wanted: Wanted, state: State): boolean {
  return wanted === '*' || wanted.includes(etagOf(state));
}
