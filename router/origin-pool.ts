// The connections to one origin: replaced as a whole when they may lead to where the cell no longer is.
import { Pool } from 'undici';
import type { Names } from './names.ts';

type Options = Omit<Pool.Options, 'connect'> & { connect: { timeout: number } };

export class OriginPool {
  readonly origin: string;
  readonly #open: () => Pool;
  readonly #unfollow: () => void;
  /** Replaced ones that still finish what they carry. */
  readonly #retired = new Set<Pool>();
  #current: Pool;

  /** Follows the origin's name: a connection to an address that the name no longer has carries no further request. */
  constructor(origin: string, options: Options, names: Names) {
    const connect = { ...options.connect, lookup: names.lookup };
    this.origin = origin;
    this.#open = () => new Pool(origin, { ...options, connect });
    this.#current = this.#open();
    this.#unfollow = names.follow(origin, () => this.renew());
  }

  /** For the next request. Not to be kept: it may be another one for the request after that. */
  get current(): Pool {
    return this.#current;
  }

  /** Requests from now on get connections of their own; those under way are finished where they are. */
  renew(): void {
    this.#retire(this.#current);
    this.#current = this.#open();
  }

  /** No request will come: finishes what it carries. */
  retire(): void {
    this.#unfollow();
    this.#retire(this.#current);
  }

  /** Cuts whatever is under way. */
  async destroy(): Promise<void> {
    this.#unfollow();
    await Promise.all([this.#current, ...this.#retired].map((pool) => pool.destroy()));
  }

  #retire(pool: Pool): void {
    this.#retired.add(pool);
    const gone = (): void => void this.#retired.delete(pool);
    pool.close().then(gone, gone);
  }
}
