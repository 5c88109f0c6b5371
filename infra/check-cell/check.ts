// Tries which level of the contract a cell speaks (docs/cell-contract.md).
import { randomUUID } from 'node:crypto';
import { readRule } from '../../router/health/redis/wire.ts';
import type { Rule } from '../../router/health/record.ts';
import { CellUnderTest, isRefused, type Access } from './cell.ts';
import { Findings } from './findings.ts';
import { checkHealth, type Health } from './health-checks.ts';
import { ProbeRules, PROBE_HOME } from './probe-rules.ts';
import { RuleChecks } from './rule-checks.ts';

export type CheckOptions = Access & {
  /** Whether rules may be brought: the cell serves by them. */
  bringRules: boolean;
  /** Whose tenants they are about. Default: a home of no fleet. */
  home?: string | undefined;
};

export async function checkCell({ bringRules, home, ...access }: CheckOptions): Promise<Findings> {
  const findings = new Findings();
  const cell = new CellUnderTest(access);
  const health = await checkHealth(cell, findings);
  await findings.look(1, 'a tenant of a home that it knows no rule of gets 421', async () => {
    const fate = await cell.ask({ home: `${PROBE_HOME}-${randomUUID()}`, tenant: PROBE_HOME, epoch: 1 });
    return isRefused(fate) ? null : `answered ${fate.status}`;
  });
  const about = home ?? PROBE_HOME;
  const rules = new RuleChecks(cell, new ProbeRules(health?.cell ?? '', about), shownBy(health, about));
  const why = whyNot(health, bringRules);
  if (why === null) await rules.run(findings);
  else for (const [level, requirement] of rules.rows()) findings.skip(level, requirement, why);
  return findings;
}

/** Why no rules are brought; null: they are. */
function whyNot(health: Health | null, bringRules: boolean): string | null {
  if (health === null) return 'its health does not say which cell it is';
  if (!bringRules) return 'needs --bring-rules';
  return null;
}

function shownBy(health: Health | null, home: string): { epoch: number; rule: Rule | null } {
  const rule = readRule((health?.['rules'] as Record<string, unknown> | undefined)?.[home]);
  const told = (health?.['epochs'] as Record<string, unknown> | undefined)?.[home];
  const epoch = Math.max(rule?.epoch ?? 0, typeof told === 'number' ? told : 0);
  if (rule === null) return { epoch, rule };
  const { since: _s, cause: _c, returned: _r, relapses: _l, undone: _u, handover: _h, ...brought } = rule;
  return { epoch, rule: brought };
}
