// What field names mean: judged once a name, because clients and cells send the same few again and again.

/** Names are the clients' to invent: so many are remembered, of such a length, and longer ones judged anew each time. */
const NAMES_MOST = 512;
const LENGTH_MOST = 64;

/** The lengths of some names: of most others that alone says that they are none of these. */
export class NameLengths {
  readonly #lengths = new Uint8Array(LENGTH_MOST + 1);

  constructor(names: readonly string[]) {
    for (const { length } of names) this.#lengths[length] = 1;
  }

  has({ length }: string): boolean {
    return this.#lengths[length] === 1;
  }
}

export class NameKinds<K extends string> {
  readonly #usual: K;
  readonly #mayMatter: (name: string) => boolean;
  readonly #judge: (name: string) => K;
  readonly #known = new Map<string, K>();

  /**
   * `usual`: what a name means that can not matter, which `mayMatter` says at a glance: measured, to look a name up took
   * 70 ns. `judge`: what any other one means, which it gets in lower case.
   */
  constructor(usual: K, mayMatter: (name: string) => boolean, judge: (name: string) => K) {
    this.#usual = usual;
    this.#mayMatter = mayMatter;
    this.#judge = judge;
  }

  /** `name`: as it came, in any case. */
  of(name: string): K {
    if (!this.#mayMatter(name)) return this.#usual;
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
