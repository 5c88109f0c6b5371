// The loads of the in-process store: what was told lately.
import type { HomeLoad } from '../load.ts';
import { LOAD_TTL_MS } from '../store.ts';

export class InProcessLoads {
  readonly #told = new Map<string, { at: number; loads: readonly HomeLoad[] }>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  tell(router: string, loads: readonly HomeLoad[]): void {
    this.#told.set(router, { at: this.#clock(), loads: structuredClone(loads) });
  }

  forget(router: string): void {
    this.#told.delete(router);
  }

  of(routers: readonly string[]): Map<string, readonly HomeLoad[]> {
    const now = this.#clock();
    return new Map(
      routers.flatMap((router) => {
        const told = this.#told.get(router);
        return told === undefined || Math.abs(now - told.at) >= LOAD_TTL_MS ? [] : [[router, told.loads]];
      }),
    );
  }
}
