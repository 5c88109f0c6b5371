// The fence: brings the rule in force to both cells of a pair, so that neither serves tenants that are not its own.
import type { Logger } from 'pino';
import type { Names } from '../names.ts';
import { OriginPool } from '../origin-pool.ts';
import type { HealthRecord, Rule } from './record.ts';

const DELIVERY_TIMEOUT_MS = 1_000;
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

export class Fence {
  readonly #token: string | null;
  readonly #names: Names;
  readonly #log: Logger;
  readonly #cells = new Map<string, FencedCell>();
  /** Rules on their way: cell, home and epoch. */
  readonly #underWay = new Map<string, Promise<void>>();

  /** `token`: `CELL_TOKEN`; null: cells take rules from loopback peers alone. */
  constructor(token: string | null, names: Names, log: Logger) {
    this.#token = token;
    this.#names = names;
    this.#log = log;
  }

  /** A health answer came: what the cell knows now. A cell that restarted may know less than before. */
  learn(cell: string, origin: string, epochs: KnownEpochs): void {
    const known = this.#cells.get(cell);
    if (epochs === null || (known !== undefined && known.pool.origin !== origin)) this.#forget(cell);
    if (epochs === null) return;
    const fenced = this.#cells.get(cell) ?? {
      pool: new OriginPool(origin, POOL_OPTIONS, this.#names),
      epochs: new Map<string, number>(),
    };
    fenced.epochs = new Map(Object.entries(epochs));
    this.#cells.set(cell, fenced);
  }

  /** Whether the cell takes rules (contract level 1 and above). */
  isFenced(cell: string): boolean {
    return this.#cells.has(cell);
  }

  /** Whether a fenced cell knows an older rule than this one, or none. */
  lacks(cell: string, { home, epoch }: HealthRecord): boolean {
    const fenced = this.#cells.get(cell);
    return fenced !== undefined && (fenced.epochs.get(home) ?? 0) < epoch;
  }

  /** Brings each rule to each cell of its pair that is fenced and knows an older one, or none. */
  bring(records: Iterable<HealthRecord>): void {
    for (const record of records) {
      for (const cell of [record.home, record.neighbour]) {
        if (cell !== null && this.lacks(cell, record)) void this.deliver(record, cell);
      }
    }
  }

  /**
   * Brings one rule to one cell. Resolves when it has it or could not be told; the next health answer shows which. While
   * the same rule is on its way there already, however many ask, it is not sent once more.
   */
  async deliver(record: HealthRecord, cell: string): Promise<void> {
    const key = `${cell} ${record.home} ${record.epoch}`;
    const known = this.#underWay.get(key);
    if (known !== undefined) {
      await known;
      return;
    }
    const sending = this.#send(record, cell).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, sending);
    await sending;
  }

  async #send(record: HealthRecord, cell: string): Promise<void> {
    const fenced = this.#cells.get(cell);
    if (fenced === undefined) return;
    try {
      const { statusCode, body } = await fenced.pool.current.request({
        method: 'PUT',
        path: '/.cellgate/serving',
        headers: {
          'content-type': 'application/json',
          ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
        },
        body: JSON.stringify(ruleOf(record)),
        signal: AbortSignal.timeout(DELIVERY_TIMEOUT_MS),
      });
      await body.dump();
      if (statusCode === 200) this.#delivered(fenced, record);
      else
        this.#log.warn(
          { cell, home: record.home, epoch: record.epoch, status: statusCode },
          'cell refused a rule',
        );
    } catch {
      // A cell that can not be reached is told when it answers its next probe.
      this.#log.debug({ cell, home: record.home, epoch: record.epoch }, 'rule not delivered');
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#cells.values()].map(({ pool }) => pool.destroy()));
    this.#cells.clear();
  }

  #delivered(fenced: FencedCell, { home, epoch }: HealthRecord): void {
    fenced.epochs.set(home, Math.max(epoch, fenced.epochs.get(home) ?? 0));
  }

  #forget(cell: string): void {
    const known = this.#cells.get(cell);
    this.#cells.delete(cell);
    known?.pool.destroy().catch(() => undefined);
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
