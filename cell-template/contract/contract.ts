// The contract between a cell and its routers as a fastify plugin: levels 0 and 1 by itself, level 2 with the service's own hooks (docs/cell-contract.md).
import type { FastifyInstance } from 'fastify';
import { Fence, type RuleStore } from './fence.ts';
import { Guard, type RouteContract, type Whose } from './guard.ts';
import { healthRoute, type Health } from './health-route.ts';
import { Pulse, type PulseOptions } from './pulse.ts';
import type { Rule } from './rule.ts';
import { mayServeAny } from './served-by.ts';
import { servingRoute, type Handovers } from './serving-route.ts';

export type { Health, Rule, RuleStore };

export type ContractOptions = Handovers &
  PulseOptions & {
    /** Its name in the fleet file. */
    cell: string;
    version: string;
    /** `CELL_TOKEN`, which rules are brought with; null: they are taken from loopback peers alone. */
    token: string | null;
    /** How the service is; answered within the routers' `PROBE_TIMEOUT_MS` (400 ms). Default: ok, nothing looked at. */
    checks?(): Promise<Health>;
    /** What health is to tell beside that: `standbys` and `caughtUp` of level 2. */
    more?(): Record<string, unknown>;
    /** Where rules outlive the process. Default: in memory alone; after a restart routers bring them anyway. */
    rules?: RuleStore;
  };

/** For work beside requests, and for rules that come in another way than from a router. */
export type Contract = {
  /** Whether the tenant is the cell's own now, by the newest rule: never while the rule of its home is not confirmed. */
  isOwn(home: string, tenant: string): boolean;
  /**
   * Begins work for a tenant; answers what is to be called when it is over, which a handover waits for. Null: the tenant is
   * not the cell's own.
   */
  begin(home: string, tenant: string): (() => void) | null;
  /** Whether any tenant of the home may be the cell's own now: whether its later work is worth looking for. */
  mayServe(home: string): boolean;
  /** The newest rule that is known of a home, whether it is served by or not. */
  ruleOf(home: string): Rule | null;
  /** Its epoch; 0: none is known. */
  epochOf(home: string): number;
  /** Whether a router has brought the rule since the last start, and the last sleep. */
  isConfirmed(home: string): boolean;
  /** Hears of a rule that came in another way. A newer one is refused by at once; it confirms no home. */
  learn(rule: Rule): void;
  /** Called with each rule that the cell comes to refuse by, and again once it serves by it. */
  onRule(listener: (rule: Rule) => void): void;
};

declare module 'fastify' {
  interface FastifyInstance {
    contract: Contract;
  }
  interface FastifyRequest {
    /** Throws on a route with `contract: false`. */
    whose: Whose;
  }
  interface FastifyContextConfig {
    contract?: RouteContract;
  }
}

/**
 * To be registered, and awaited, before the routes that it is to fence. It answers `GET /health` and
 * `PUT /.cellgate/serving`; a request of a tenant that is not the cell's own is answered 421 before its body is read, one
 * whose deadline has passed 503. A route says what it needs otherwise as `config: { contract: … }`.
 */
export async function contract(app: FastifyInstance, options: ContractOptions): Promise<void> {
  const { cell, version, token, rules = null, asleepMs, clocks } = options;
  const fence = new Fence(cell, rules);
  const pulse = new Pulse(() => fence.doubt(), { asleepMs, clocks });
  const beat = (): void => pulse.beat();
  const recall = recaller(app, fence);
  app.addHook('onClose', (_app, done) => {
    pulse.stop();
    done();
  });
  const guard = new Guard(cell, fence, beat);
  app.decorate('contract', besideRequests(cell, fence, beat));
  app.decorateRequest('whose', {
    getter() {
      return guard.whose(this);
    },
  });
  guard.install(app);
  healthRoute(app, {
    cell,
    version,
    fence,
    recall,
    checks: async () => (await options.checks?.()) ?? { status: 'ok', checks: {} },
    more: () => options.more?.() ?? {},
  });
  servingRoute(app, { cell, token, fence, beat, handovers: options });
  recall();
}
// Its hooks are for the whole service, as if it had been written there: what `fastify-plugin` does.
Object.assign(contract, { [Symbol.for('skip-override')]: true });

function besideRequests(cell: string, fence: Fence, beat: () => void): Contract {
  const isOwn = (home: string, tenant: string): boolean => {
    beat();
    return fence.judge(home, tenant).own;
  };
  return {
    isOwn,
    begin: (home, tenant) => (isOwn(home, tenant) ? fence.begun.begin(home, tenant) : null),
    mayServe: (home) => {
      const rule = fence.ruleOf(home);
      return rule !== null && fence.isConfirmed(home) && mayServeAny(cell, rule);
    },
    ruleOf: (home) => fence.ruleOf(home),
    epochOf: (home) => fence.epochOf(home),
    isConfirmed: (home) => {
      beat();
      return fence.isConfirmed(home);
    },
    learn: (rule) => fence.learn(rule),
    onRule: (listener) => fence.onRule(listener),
  };
}

/** Reads the stored rules, one reading at a time; where it fails, the next time that somebody asks. */
function recaller(app: FastifyInstance, fence: Fence): () => void {
  let underWay = false;
  return () => {
    if (underWay) return;
    underWay = true;
    fence
      .recall()
      .catch((error: unknown) => app.log.warn({ err: error }, 'stored rules not read'))
      .finally(() => {
        underWay = false;
      });
  };
}
