// When the certificates end that the router goes by, its own and those it was shown: read at each scrape.

/**
 * `public`: shown to clients · `cell-client`: shown to the cells · `cell-ca`: the first of the authorities for cells to
 * end · `cell-peer`: the one that a cell showed last.
 */
export type CertificateUse = 'public' | 'cell-client' | 'cell-ca' | 'cell-peer';

type Expiry = { use: CertificateUse; cell: string | null; expiresAtMs: number };

export class Expiries {
  readonly #expiries = new Map<string, Expiry>();

  /** `cell`: null where the use is no matter of one cell. `expiresAtMs`: epoch milliseconds. */
  set(use: CertificateUse, cell: string | null, expiresAtMs: number): void {
    this.#expiries.set(keyOf(use, cell), { use, cell, expiresAtMs });
  }

  forget(use: CertificateUse, cell: string | null): void {
    this.#expiries.delete(keyOf(use, cell));
  }

  /** Seconds until each end; below 0: it is over. `nowMs`: epoch milliseconds. */
  left(nowMs: number = Date.now()): { use: CertificateUse; cell: string | null; seconds: number }[] {
    return [...this.#expiries.values()].map(({ use, cell, expiresAtMs }) => ({
      use,
      cell,
      seconds: (expiresAtMs - nowMs) / 1000,
    }));
  }
}

function keyOf(use: CertificateUse, cell: string | null): string {
  return `${use} ${cell ?? ''}`;
}
