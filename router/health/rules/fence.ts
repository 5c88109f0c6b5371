// The fence: brings the rule in force to both cells of a pair, so that neither serves tenants that are not its own.
import type { Logger } from 'pino';
import { z } from 'zod';
import { OriginPool, type Network } from '../../origin-pool.ts';
import type { HealthRecord, Rule } from '../record.ts';

const DELIVERY_TIMEOUT_MS = 1_000;
const POSITION_BYTES = 1_024;
/** More than this many rules on their way to one cell wait for each other. */
const CONNECTIONS = 4;
const POOL_OPTIONS = {
  connections: CONNECTIONS,
  pipelining: 1,
  connect: { timeout: DELIVERY_TIMEOUT_MS },
  maxResponseSize: 65_536,
};

/** The epochs a cell has rules of, by home; null: a cell of contract level 0, which gets no rules. */
export type KnownEpochs = Readonly<Record<string, number>> | null;

type FencedCell = { pool: OriginPool; epochs: Map<string, number> };

/** What a cell answers that took a rule: the epoch it knows now, and, where it loses tenants, how far it had written. */
export type Ack = { epoch: number; position: string | null };

type Terms = {
  /** For a cell that gains tenants: what the one that lost them answered. */
  position?: string | null;
  timeoutMs?: number;
};

/** Loose: a cell may say more. */
const ackAnswer = z.object({
  home: z.string(),
  epoch: z.int().min(1),
  position: z.string().max(POSITION_BYTES).nullable().default(null),
});

export class Fence {
  readonly #token: string | null;
  readonly #network: Network;
  readonly #log: Logger;
  readonly #cells = new Map<string, FencedCell>();
  /** Cells that have said in a health answer that they take no rules. */
  readonly #unfenced = new Set<string>();
  /** Rules on their way: cell, home, epoch and position. */
  readonly #underWay = new Map<string, Promise<Ack | null>>();

  /** `token`: `CELL_TOKEN`; null: cells take rules from loopback peers alone. */
  constructor(token: string | null, network: Network, log: Logger) {
    this.#token = token;
    this.#network = network;
    this.#log = log;
  }

  /** A health answer came: what the cell knows now. A cell that restarted may know less than before. */
  learn(cell: string, origin: string, epochs: KnownEpochs): void {
    const known = this.#cells.get(cell);
    if (epochs === null || (known !== undefined && known.pool.origin !== origin)) this.#forget(cell);
    if (epochs === null) {
      this.#unfenced.add(cell);
      return;
    }
    this.#unfenced.delete(cell);
    const fenced = this.#cells.get(cell) ?? {
      pool: new OriginPool(origin, POOL_OPTIONS, this.#network),
      epochs: new Map<string, number>(),
    };
    fenced.epochs = new Map(Object.entries(epochs));
    this.#cells.set(cell, fenced);
  }

  /** Whether the cell takes rules (contract level 1 and above). */
  isFenced(cell: string): boolean {
    return this.#cells.has(cell);
  }

  /** Whether the cell is known to take no rules (contract level 0). One that was never heard may be fenced. */
  isUnfenced(cell: string): boolean {
    return this.#unfenced.has(cell);
  }

  /** Whether a fenced cell knows an older rule than this one, or none. */
  lacks(cell: string, { home, epoch }: HealthRecord): boolean {
    const fenced = this.#cells.get(cell);
    return fenced !== undefined && (fenced.epochs.get(home) ?? 0) < epoch;
  }

  /** Brings each rule to each cell of its pair that is fenced and knows an older one, or none. */
  bring(records: Iterable<HealthRecord>): void {
    for (const record of records) {
      for (const cell of [record.home, record.neighbour]) if (cell !== null) this.bringTo(cell, [record]);
    }
  }

  /** Brings these rules to the cell, where it is fenced and knows older ones, or none. */
  bringTo(cell: string, records: Iterable<HealthRecord>): void {
    for (const record of records) if (this.lacks(cell, record)) void this.deliver(record, cell);
  }

  /**
   * Brings one rule to one cell. Answers what it said when it took the rule, else null; the next health answer shows what
   * it knows. While the same rule is on its way there already, however many ask, it is not sent once more.
   */
  async deliver(
    record: HealthRecord,
    cell: string,
    { position = record.position, timeoutMs = DELIVERY_TIMEOUT_MS }: Terms = {},
  ): Promise<Ack | null> {
    const key = `${cell} ${record.home} ${record.epoch} ${position ?? ''}`;
    const known = this.#underWay.get(key);
    if (known !== undefined) return await known;
    const rule = { ...ruleOf(record), position };
    const sending = this.#send(rule, cell, timeoutMs).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, sending);
    return await sending;
  }

  async #send(rule: Rule, cell: string, timeoutMs: number): Promise<Ack | null> {
    const fenced = this.#cells.get(cell);
    if (fenced === undefined) return null;
    const { home, epoch } = rule;
    try {
      const { statusCode, body } = await fenced.pool.current.request({
        method: 'PUT',
        path: '/.cellgate/serving',
        headers: {
          'content-type': 'application/json',
          ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
        },
        body: JSON.stringify(rule),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const said = await body.text();
      if (statusCode === 200) {
        fenced.epochs.set(home, Math.max(epoch, fenced.epochs.get(home) ?? 0));
        return ackIn(said, home);
      }
      this.#log.warn({ cell, home, epoch, status: statusCode }, 'cell refused a rule');
    } catch {
      // A cell that can not be reached is told when it answers its next probe.
      this.#log.debug({ cell, home, epoch }, 'rule not delivered');
    }
    return null;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#cells.values()].map(({ pool }) => pool.destroy()));
    this.#cells.clear();
  }

  #forget(cell: string): void {
    const known = this.#cells.get(cell);
    this.#cells.delete(cell);
    known?.pool.destroy().catch(() => undefined);
  }
}

function ackIn(said: string, home: string): Ack | null {
  try {
    const ack = ackAnswer.safeParse(JSON.parse(said)).data;
    return ack?.home === home ? { epoch: ack.epoch, position: ack.position } : null;
  } catch {
    return null;
  }
}

/** The rule of a record, field by field: what the store holds beside these stays there. */
function ruleOf(record: HealthRecord): Rule {
  const { home, neighbour, state, phase, target, epoch, share, shareBefore } = record;
  const { operation, position, deadline, pins, moved, changing } = record;
  return {
    home,
    neighbour,
    state,
    phase,
    target,
    epoch,
    share,
    shareBefore,
    operation,
    position,
    deadline,
    pins,
    moved,
    changing,
  };
}
