// What field names mean: judged once a name, because clients and cells send the same few again and again.

/** Names are the clients' to invent: so many are remembered, of such a length, and longer ones judged anew each time. */
const NAMES_MOST = 512;
const LENGTH_MOST = 64;

export class NameKinds<K extends string> {
  readonly #judge: (name: string) => K;
  readonly #known = new Map<string, K>();

  /** `judge`: what a name means, which it gets in lower case. */
  constructor(judge: (name: string) => K) {
    this.#judge = judge;
  }

  /** `name`: as it came, in any case. */
  of(name: string): K {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const kind = this.#judge(name.toLowerCase());
    if (name.length > LENGTH_MOST) return kind;
    // Whoever fills it with names of his own takes nothing away for good: those in use are soon there again.
    if (this.#known.size >= NAMES_MOST) this.#known.clear();
    this.#known.set(name, kind);
    return kind;
  }
}
