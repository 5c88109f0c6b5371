// What field names mean: judged once a name, because clients and cells send the same few again and again.

/** Names are the clients' to invent: so many are remembered, of such a length, and all others judged anew each time. */
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
    if (this.#known.size < NAMES_MOST && name.length <= LENGTH_MOST) this.#known.set(name, kind);
    return kind;
  }
}
