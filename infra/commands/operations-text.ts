// What a change came to, in one line.

/** The record that a change is answered with, as far as it is told. Times are ISO 8601. */
export type ChangedRecord = {
  home: string;
  neighbour: string | null;
  state: string;
  share: number;
  epoch: number;
  deadline: string | null;
  pins: Record<string, { cell: string; until: string }>;
};

export function shareText({ home, neighbour, share, epoch, deadline }: ChangedRecord): string {
  if (share === 0) return `${home}: serves its tenants itself (epoch ${epoch})`;
  const until = deadline === null ? '' : `, until ${deadline}`;
  return `${home}: ${share} % of its tenants are away at ${neighbour ?? 'no cell'}${until} (epoch ${epoch})`;
}

/** Why a drain in steps does not begin with the first of them. */
export function leftOutText(cell: string, share: number, leftOut: readonly number[]): string {
  return `${cell}: ${share} % of its tenants are away already, left out: ${leftOut.map((step) => `${step} %`).join(', ')}`;
}

export function pinText({ home, epoch, pins }: ChangedRecord, tenant: string): string {
  const pin = Object.hasOwn(pins, tenant) ? pins[tenant] : undefined;
  const where = pin === undefined ? 'not pinned' : `pinned to ${pin.cell}, until ${pin.until}`;
  return `${tenant}: ${where} (home ${home}, epoch ${epoch})`;
}
