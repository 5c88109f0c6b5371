// Rules as routers bring them to cells.
import { initialRecord, type Rule } from '../../router/health/record.ts';

/** The rule of a home whose neighbour is `cell-b`: all of its tenants are there, but for what is given. */
export function ruleOf(home: string, given: Partial<Rule> = {}): Rule {
  const {
    since: _s,
    cause: _c,
    returned: _r,
    relapses: _l,
    undone: _u,
    handover: _h,
    ...rule
  } = initialRecord(home, 'cell-b');
  return { ...rule, ...given };
}
