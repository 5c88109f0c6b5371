// What field names mean: compared character by character with the few that matter, in any case.

/** The one bit by which the letters of ASCII differ in case; other characters have no case. */
const CASE = 0x20;
const SMALL_A = 0x61;
const SMALL_Z = 0x7a;

/**
 * Names that matter, and what each means. Measured: to look a name up in a `Map` took 70 ns, because each one that comes
 * is a new string, of which a hash has to be made; of most names their length alone says that they are none of these.
 */
export class FieldNames<K extends string> {
  readonly #byLength: (readonly [name: string, meaning: K])[][] = [];

  /** `names`: in lower case. */
  constructor(names: Iterable<readonly [name: string, meaning: K]>) {
    for (const entry of names) (this.#byLength[entry[0].length] ??= []).push(entry);
  }

  /** What a name means, in whatever case it came; null: it is none of these. */
  of(name: string): K | null {
    const candidates = this.#byLength[name.length];
    if (candidates === undefined) return null;
    for (const [candidate, meaning] of candidates) if (isSame(name, candidate)) return meaning;
    return null;
  }
}

/** Whether `name` begins with `lower`, in any case. */
export function beginsWith(name: string, lower: string): boolean {
  return name.length >= lower.length && isSame(name, lower);
}

/** As far as `lower` goes. */
function isSame(name: string, lower: string): boolean {
  for (let i = 0; i < lower.length; i += 1) {
    const code = name.charCodeAt(i);
    const wanted = lower.charCodeAt(i);
    if (code === wanted) continue;
    if ((code | CASE) !== wanted || wanted < SMALL_A || wanted > SMALL_Z) return false;
  }
  return true;
}
