// What a cell makes of the rules that it is brought: level 1, and the positions of level 2. It serves by them meanwhile.
import { isDeepStrictEqual } from 'node:util';
import type { Rule } from '../../router/health/record.ts';
import { bucketOf } from '../../router/placement/hash.ts';
import { isRefused, type CellUnderTest } from './cell.ts';
import type { Findings } from './findings.ts';
import { PINNED_AWAY, PINNED_HERE, PROBE_HOME, TENANTS, type ProbeRules } from './probe-rules.ts';
import { Trial, type Taken } from './trial.ts';

const TENANT = 'check-cell';
/** Long over by any clock. */
const PAST = '1000';
const FORWARDED = { headers: { 'x-forwarded-for': '127.0.0.1' } };

type Look = () => Promise<string | null>;
/** One requirement of level 1 or 2. */
type Row = readonly [level: 1 | 2, requirement: string, look: Look];

export class RuleChecks {
  readonly #cell: CellUnderTest;
  readonly #rules: ProbeRules;
  readonly #trial: Trial;
  /** What the cell showed of the home before. */
  readonly #shown: { epoch: number; rule: Rule | null };
  #epoch: number;
  #closing: Taken = { fault: 'no closing rule was brought' };

  constructor(cell: CellUnderTest, rules: ProbeRules, shown: { epoch: number; rule: Rule | null }) {
    this.#cell = cell;
    this.#rules = rules;
    this.#trial = new Trial(cell, rules);
    this.#shown = shown;
    this.#epoch = shown.epoch;
  }

  /** All of them, in their order; the rule that the cell had before is brought again at the end, of a higher epoch. */
  async run(findings: Findings): Promise<void> {
    let taken = true;
    for (const [i, [level, requirement, look]] of this.rows().entries()) {
      if (!taken) findings.skip(level, requirement, 'it takes no rule');
      else taken = (await findings.look(level, requirement, look)) || i > 0;
    }
    if (taken) await this.#putBack(findings);
  }

  /** For what is not tried at all: their names. */
  rows(): Row[] {
    return [
      [1, 'PUT /.cellgate/serving takes a rule, and answers {home, epoch}', () => this.#takesRule()],
      this.#unauthorized(),
      [1, 'what is not a rule is refused', () => this.#refusesNonsense()],
      [1, 'health shows a rule that it took, and its epoch', () => this.#showsRule()],
      [1, 'tenants that are its own are served', () => this.#serves(100)],
      [1, 'a request whose x-cell-deadline has passed is dropped', () => this.#dropsExpired()],
      [1, 'an older rule changes nothing', () => this.#ignoresOlder()],
      [1, 'tenants that are not its own get 421, with the epoch', () => this.#serves(0)],
      [1, 'a share gives it the tenants of its slots alone', () => this.#serves(50)],
      [1, 'a pin beats the share', () => this.#followsPins()],
      [1, 'in closing who changes gets 421, and the others are served', () => this.#closes()],
      [2, 'a closing rule is answered with a position, where it loses tenants', () => this.#tellsPosition()],
      [1, 'an undo has it serve them again', () => this.#serves(50)],
      [1, 'who has moved is refused where it was sent by an older rule', () => this.#refusesMoved()],
      [1, 'a rule as large as they get is taken', () => this.#takesLarge()],
    ];
  }

  async #takesRule(): Promise<string | null> {
    // One above what it shows, and one more: an older rule is tried later, and epochs begin with 1.
    this.#epoch += 1;
    const first = await this.#trial.bring(this.#rules.giving(100, (this.#epoch += 1)));
    if (first.fault === null) return null;
    if (first.knows === undefined) return first.fault + this.#hint();
    // It has stored a newer one than it shows.
    this.#epoch = first.knows + 1;
    return (await this.#trial.bring(this.#rules.giving(100, (this.#epoch += 1)))).fault;
  }

  /** A cell that stores rules with the data of their home has nowhere to put those of a stranger. */
  #hint(): string {
    return this.#rules.home === PROBE_HOME ? ' (try its own name as --home)' : '';
  }

  #unauthorized(): Row {
    const [what, as] = this.#cell.hasToken
      ? ['a rule with another token is refused', { token: 'not-the-token' }]
      : ['without a token, a rule with x-forwarded-for is refused', FORWARDED];
    const look = async (): Promise<string | null> => {
      const { status } = await this.#cell.bring(this.#rules.giving(100, this.#epoch), as);
      return status === 401 || status === 403 ? null : `answered ${status}`;
    };
    return [1, what, look];
  }

  async #refusesNonsense(): Promise<string | null> {
    for (const nonsense of ['{', '[]', JSON.stringify({ home: this.#rules.home })]) {
      const { status } = await this.#cell.bring(nonsense);
      if (status < 400 || status > 499) return `answered ${status} to ${nonsense}`;
    }
    return null;
  }

  async #showsRule(): Promise<string | null> {
    const { home } = this.#rules;
    const { body } = await this.#cell.health();
    const { epochs, rules } = (body ?? {}) as Partial<Record<'epochs' | 'rules', Record<string, unknown>>>;
    if (epochs?.[home] !== this.#epoch)
      return `epochs.${home} is ${JSON.stringify(epochs?.[home])}, not ${this.#epoch}`;
    const shown = rules?.[home] as Record<string, unknown> | undefined;
    const other = Object.entries(this.#rules.giving(100, this.#epoch)).find(
      ([field, value]) => !isDeepStrictEqual(shown?.[field], value),
    );
    return other === undefined ? null : `rules.${home}.${other[0]} is not as it was brought`;
  }

  /** Whether it serves whom an open rule gives it, and nobody else. */
  async #serves(percent: number): Promise<string | null> {
    const rule = this.#rules.giving(percent, (this.#epoch += 1));
    return (await this.#trial.bring(rule)).fault ?? (await this.#trial.goesBy(rule));
  }

  async #dropsExpired(): Promise<string | null> {
    const { home } = this.#rules;
    const headers = { 'x-cell-deadline': PAST };
    const asking = { home, tenant: TENANT, epoch: this.#epoch, headers };
    const { status } = await this.#cell.ask(asking).catch(() => ({ status: 503 }));
    return status >= 500 || status === 408 ? null : `answered ${status}`;
  }

  async #ignoresOlder(): Promise<string | null> {
    await this.#cell.bring(this.#rules.giving(0, this.#epoch - 1));
    return await this.#trial.goesBy(this.#rules.giving(100, this.#epoch));
  }

  async #followsPins(): Promise<string | null> {
    const rule = this.#rules.giving(50, (this.#epoch += 1), { pins: this.#rules.pins() });
    return (
      (await this.#trial.bring(rule)).fault ?? (await this.#trial.goesBy(rule, [PINNED_HERE, PINNED_AWAY]))
    );
  }

  async #closes(): Promise<string | null> {
    const rule = this.#rules.giving(20, (this.#epoch += 1), { before: 50, phase: 'closing' });
    this.#closing = await this.#trial.bring(rule);
    return this.#closing.fault ?? (await this.#trial.goesBy(rule));
  }

  async #tellsPosition(): Promise<string | null> {
    if (this.#closing.fault !== null) return this.#closing.fault;
    return this.#closing.position === null ? 'answered without a position' : null;
  }

  async #refusesMoved(): Promise<string | null> {
    const [one = '', other = ''] = TENANTS;
    const [to, bucket] = [PROBE_HOME, bucketOf(other)];
    const moved: Rule['moved'] = [
      { tenant: one, to },
      { buckets: [bucket, bucket], to, generation: 2 },
    ];
    const rule = this.#rules.giving(100, (this.#epoch += 1), { moved });
    const { fault } = await this.#trial.bring(rule);
    if (fault !== null) return fault;
    const { home, epoch } = rule;
    for (const tenant of [one, other]) {
      const stale = await this.#cell.ask({ home, tenant, epoch: epoch - 1 });
      if (!isRefused(stale))
        return `${tenant} is answered ${stale.status} where it was sent by an older rule`;
    }
    return await this.#trial.goesBy(rule, [one, other]);
  }

  async #takesLarge(): Promise<string | null> {
    const rule = this.#rules.full((this.#epoch += 1));
    return (await this.#trial.bring(rule)).fault ?? (await this.#trial.goesBy(rule, [TENANT]));
  }

  /** What it showed before, else the home has its tenants itself. */
  async #putBack(findings: Findings): Promise<void> {
    const { home } = this.#rules;
    const epoch = (this.#epoch += 1);
    const plain = this.#rules.giving(100, epoch, {
      share: 0,
      shareBefore: 0,
      state: 'serving',
      target: home,
    });
    await findings.look(1, `the rule of ${home} is put back as it was`, async () => {
      return (await this.#trial.bring(this.#shown.rule === null ? plain : { ...this.#shown.rule, epoch }))
        .fault;
    });
  }
}
