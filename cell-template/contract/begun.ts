// The work that the cell has begun and not finished, by home and tenant: what it waits for before it says that it has let tenants go.
export type Work = { readonly home: string; readonly tenant: string };

export class Begun {
  readonly #work = new Set<Work>();
  readonly #waiting = new Set<() => void>();

  /** Answers what is to be called when it is over; more than once does no harm. */
  begin(home: string, tenant: string): () => void {
    const work = { home, tenant };
    this.#work.add(work);
    return () => {
      if (this.#work.delete(work)) this.lookAgain();
    };
  }

  /** Resolves when nothing of the kind is under way, or when there is no use in waiting any more. */
  async over(concerns: (work: Work) => boolean, inVain: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!inVain() && [...this.#work].some(concerns)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Something changed that others may wait for. */
  lookAgain(): void {
    for (const look of Array.from(this.#waiting)) look();
  }
}
