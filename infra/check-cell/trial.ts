// One rule brought to a cell, and whether it goes by it.
import { z } from 'zod';
import type { Rule } from '../../router/health/record.ts';
import { isRefused, type CellUnderTest } from './cell.ts';
import { TENANTS, type ProbeRules } from './probe-rules.ts';

/** More of one is read by no router. */
const POSITION_BYTES = 1_024;

const ack = z.object({
  home: z.string(),
  epoch: z.int().min(1),
  position: z.string().max(POSITION_BYTES).nullish(),
});

/** What was answered to a rule: the fault, or the position that came with it. */
export type Taken = { fault: string } | { fault: null; position: string | null };

export class Trial {
  readonly #cell: CellUnderTest;
  readonly #rules: ProbeRules;

  constructor(cell: CellUnderTest, rules: ProbeRules) {
    this.#cell = cell;
    this.#rules = rules;
  }

  /** `knows`: the epoch of another rule that the cell has instead. */
  async bring(rule: Rule): Promise<Taken & { knows?: number }> {
    const { status, body } = await this.#cell.bring(rule);
    if (status === 401 && !this.#cell.hasToken) return { fault: 'answered 401: CELL_TOKEN is not set' };
    if (status !== 200) return { fault: `answered ${status}` };
    const { data } = ack.safeParse(body);
    if (data?.home !== rule.home) return { fault: 'answered 200, but not {home, epoch}' };
    const { epoch, position = null } = data;
    if (epoch === rule.epoch) return { fault: null, position };
    return { fault: `it says that it has epoch ${epoch}, and not ${rule.epoch}`, knows: epoch };
  }

  /** What is wrong with whom it serves, and whom it refuses; null: it goes by the rule. */
  async goesBy(rule: Rule, tenants: readonly string[] = TENANTS): Promise<string | null> {
    const { home, epoch } = rule;
    const fates = await Promise.all(
      tenants.map(async (tenant) => ({ tenant, fate: await this.#cell.ask({ home, tenant, epoch }) })),
    );
    for (const { tenant, fate } of fates) {
      const own = this.#rules.isOwn(rule, tenant);
      if (own === isRefused(fate)) return `${tenant} is ${own ? 'refused' : `answered ${fate.status}`}`;
      if (!own && fate.epoch !== epoch) return `421 says epoch ${fate.epoch ?? 'nothing'}, not ${epoch}`;
    }
    return null;
  }
}
