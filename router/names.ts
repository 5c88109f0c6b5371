// The addresses of cells whose origin is a host name: looked up beside the requests, so that none waits for a resolver.
import { lookup as ask, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

/** A connection that is about to be made may mean that the last one was lost: then the name is asked for out of turn. */
const SOONEST_MS = 1_000;

type LookupCallback = Parameters<LookupFunction>[2];

type Name = {
  host: string;
  /** As last heard; null while no answer has ever come. */
  addresses: LookupAddress[] | null;
  asking: boolean;
  askedAtMs: number;
  timer: NodeJS.Timeout | null;
  /** Connections that wait for the first answer. */
  waiting: ((error: NodeJS.ErrnoException | null) => void)[];
  followers: Set<() => void>;
};

export class Names {
  readonly #ttlMs: number;
  readonly #names = new Map<string, Name>();

  /** `ttlMs`: how long an answer is believed, whatever the name's own time to live says; `getaddrinfo` does not tell it. */
  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /**
   * Keeps an eye on the name in `origin`, and calls `moved` whenever an address that it had is gone. Answers what ends
   * that. A resolver that fails changes nothing: unknown is not absent.
   */
  follow(origin: string, moved: () => void): () => void {
    const { hostname: host } = new URL(origin);
    if (isIP(host.replace(/^\[|\]$/g, '')) !== 0) return () => undefined;
    const name = this.#names.get(host) ?? this.#begin(host);
    name.followers.add(moved);
    return () => {
      name.followers.delete(moved);
      if (name.followers.size > 0 || this.#names.get(host) !== name) return;
      this.#names.delete(host);
      if (name.timer !== null) clearTimeout(name.timer);
    };
  }

  /** What `net.connect` asks instead of the resolver: answered from memory, but for the very first time. */
  readonly lookup: LookupFunction = (host, options, callback) => {
    const name = this.#names.get(host);
    if (name === undefined) {
      ask(host, options, callback);
      return;
    }
    if (name.addresses === null) name.waiting.push((error) => answer(name, error, options.all, callback));
    else process.nextTick(answer, name, null, options.all, callback);
    if (performance.now() - name.askedAtMs >= SOONEST_MS || name.addresses === null) this.#ask(name);
  };

  #begin(host: string): Name {
    const name: Name = {
      host,
      addresses: null,
      asking: false,
      askedAtMs: Number.NEGATIVE_INFINITY,
      timer: null,
      waiting: [],
      followers: new Set(),
    };
    this.#names.set(host, name);
    this.#ask(name);
    return name;
  }

  /** One question a name at a time: the resolver's threads are few, and it may be slow. */
  #ask(name: Name): void {
    if (name.asking) return;
    name.asking = true;
    name.askedAtMs = performance.now();
    if (name.timer !== null) clearTimeout(name.timer);
    ask(name.host, { all: true }, (error, addresses) => {
      name.asking = false;
      if (this.#names.get(name.host) === name) {
        // A process that has nothing else to do need not stay for a name.
        name.timer = setTimeout(() => this.#ask(name), this.#ttlMs).unref();
      }
      this.#heard(name, error, addresses);
    });
  }

  #heard(name: Name, error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void {
    const before = name.addresses ?? [];
    if (error === null) name.addresses = addresses;
    const waiting = name.waiting.splice(0);
    for (const tell of waiting) tell(error);
    const now = new Set(name.addresses?.map(({ address }) => address));
    if (before.every(({ address }) => now.has(address))) return;
    for (const moved of name.followers) moved();
  }
}

function answer(
  { host, addresses }: Name,
  error: NodeJS.ErrnoException | null,
  all: boolean | undefined,
  callback: LookupCallback,
): void {
  const [first] = addresses ?? [];
  if (first === undefined) {
    callback(error ?? Object.assign(new Error(`no address for ${host}`), { code: 'ENOTFOUND' }), []);
  } else if (all === true) callback(null, addresses ?? []);
  else callback(null, first.address, first.family);
}
