// Handovers as the audit log tells them: who was to lose tenants to whom, from when to when, and how it ended. Pure.

/** An event as the admin port answers it. */
export type AuditEvent = {
  /** ISO 8601. */
  at: string;
  cell: string;
  epoch: number;
  details: Record<string, unknown> | null;
};

/** One handover. Times are epoch milliseconds of the store's clock. */
export type Turn = {
  home: string;
  losing: string;
  gaining: string;
  closingMs: number;
  /** When it was open or undone; null: not yet. */
  endMs: number | null;
  /** `overtaken`: a verdict came, or its neighbour was lost. */
  outcome: 'open' | 'undone' | 'overtaken' | 'under way';
  /** Until then nobody else was given its tenants: the next change of the home. */
  untilMs: number;
  /** Who had not confirmed when it was undone. */
  waitingFor: string[];
};

/** The handovers that began among these events, in the order in which they did. `neighbourOf`: then in force. */
export function turnsOf(events: readonly AuditEvent[], neighbourOf: (home: string) => string): Turn[] {
  // A failover that is held back changes nothing, and has the epoch of the change before it.
  const changes = events.filter(({ details }) => details?.['held'] === undefined);
  const inOrder = changes.toSorted((a, b) => a.epoch - b.epoch);
  return inOrder
    .filter(({ details }) => details?.['phase'] === 'closing')
    .map((closing) => turnOf(closing, inOrder, neighbourOf))
    .sort((a, b) => a.closingMs - b.closingMs);
}

function turnOf(
  closing: AuditEvent,
  inOrder: readonly AuditEvent[],
  neighbourOf: (home: string) => string,
): Turn {
  const { cell: home, epoch } = closing;
  const later = inOrder.filter((event) => event.cell === home && event.epoch > epoch);
  const [end] = later;
  const next = later.find((event) => end !== undefined && event.epoch > end.epoch);
  const outcome = outcomeOf(end);
  const waitingFor = end?.details?.['waitingFor'];
  const changed = outcome === 'overtaken' ? end : next;
  return {
    home,
    ...directionOf(closing, neighbourOf(home)),
    closingMs: Date.parse(closing.at),
    endMs: end === undefined ? null : Date.parse(end.at),
    outcome,
    untilMs: changed === undefined ? Number.POSITIVE_INFINITY : Date.parse(changed.at),
    waitingFor: Array.isArray(waitingFor) ? waitingFor.map(String) : [],
  };
}

function outcomeOf(end: AuditEvent | undefined): Turn['outcome'] {
  if (end === undefined) return 'under way';
  const phase = end.details?.['phase'];
  return phase === 'open' || phase === 'undone' ? phase : 'overtaken';
}

/** A pin that ends sends its tenant home, where its others are: in a home with a share away it may not move at all. */
function directionOf(
  { cell: home, details }: AuditEvent,
  neighbour: string,
): Pick<Turn, 'losing' | 'gaining'> {
  const { share, shareBefore, pin, cutOver } = details ?? {};
  const away = { losing: home, gaining: neighbour };
  const back = { losing: neighbour, gaining: home };
  if (isObject(cutOver)) return { losing: home, gaining: String(cutOver['to']) };
  if (isObject(pin)) return pin['cell'] === neighbour ? away : back;
  return Number(share) > Number(shareBefore) ? away : back;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
