// Thrown where a request or a job meets a rule that is newer than the one by which it was let in.
import type { Contract } from './contract/contract.ts';
import { readRule } from './contract/rule.ts';

/**
 * Nothing was done: the tenant may be another cell's by now. `rule` is the newer one as it came by replication, null
 * where only its existence is known (a row written under it, SQLSTATE `CG421`). Whoever catches it learns the rule and
 * judges again.
 */
export class NewerRule extends Error {
  override name = 'NewerRule';
  readonly rule: unknown;

  constructor(rule: unknown, options?: ErrorOptions) {
    super('the tenant is served by a newer rule', options);
    this.rule = rule;
  }

  /** Has the cell refuse by that rule from now on. */
  tell(contract: Contract): void {
    const rule = readRule(this.rule);
    if (rule !== null) contract.learn(rule);
  }
}
