// What field names mean: compared with the few that matter, in any case.

/** The one bit by which the letters of ASCII differ in case. */
const CASE = 0x20;

type Name<K> = { first: number; lower: string; usual: string; meaning: K };

/**
 * Names that matter, and what each means. No `Map`: each name that comes is a new string, of which a
 * hash would have to be made (measured, half of what the fields of an answer took). Of most names their length and their first letter alone say that
 * they are none of these.
 */
export class FieldNames<K extends string> {
  readonly #byLength: Name<K>[][] = [];

  /** `names`: in lower case, beginning with a letter. */
  constructor(names: Iterable<readonly [name: string, meaning: K]>) {
    for (const [lower, meaning] of names) {
      const usual = lower.replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
      (this.#byLength[lower.length] ??= []).push({ first: lower.charCodeAt(0), lower, usual, meaning });
    }
  }

  /** What a name means, in whatever case it came; null: it is none of these. */
  of(name: string): K | null {
    const candidates = this.#byLength[name.length];
    if (candidates === undefined) return null;
    const first = name.charCodeAt(0) | CASE;
    for (const candidate of candidates) {
      if (candidate.first !== first) continue;
      const { lower, usual, meaning } = candidate;
      if (name === lower || name === usual || name.toLowerCase() === lower) return meaning;
    }
    return null;
  }
}

/** Whether `name` begins with `lower`, in any case. */
export function beginsWith(name: string, lower: string): boolean {
  if ((name.charCodeAt(0) | CASE) !== lower.charCodeAt(0)) return false;
  return name.startsWith(lower) || name.slice(0, lower.length).toLowerCase() === lower;
}
