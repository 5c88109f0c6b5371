// Finds routers that have one ID: the store would count two for one.
import { BEAT_TTL_MS, type LiveRouter } from './store.ts';

/** A router that was restarted is there twice until its beat from before has expired. */
const PASSING_MS = 2 * BEAT_TTL_MS;

export class SharedIds {
  /** ID → since when more than one process beats under it, in milliseconds of a clock that only goes on. */
  #since = new Map<string, number>();
  #known: readonly string[] = [];

  /** Those that more than one process has had for longer than a restart explains, by name. */
  get known(): readonly string[] {
    return this.#known;
  }

  /** `routers`: all that are live now. Answers the IDs that are known for shared from now on. */
  look(routers: readonly Pick<LiveRouter, 'id'>[], nowMs: number): string[] {
    const ids = routers.map(({ id }) => id);
    const shared = new Set(ids.filter((id, i) => ids.indexOf(id) !== i));
    this.#since = new Map([...shared].map((id) => [id, this.#since.get(id) ?? nowMs]));
    const before = new Set(this.#known);
    this.#known = [...this.#since].filter(([, since]) => nowMs - since > PASSING_MS).map(([id]) => id);
    return this.#known.filter((id) => !before.has(id));
  }
}
