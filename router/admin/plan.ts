// `/v1/plan`: whether the fleet bears the loss of each cell now, and what a new fleet file would change.
import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Fleet } from '../fleet/fleet.ts';
import type { Load } from '../health/load.ts';
import type { Monitor } from '../health/monitor.ts';
import { StoreUnavailable, type Store } from '../health/store.ts';
import { loadsOver } from '../plan/loads.ts';
import { planRows, type Standing } from '../plan/n-minus-one.ts';
import { unknownLoad } from '../plan/violations.ts';
import type { FleetHolder } from '../fleet/holder.ts';
import { DryRunner, type DryRunAnswer } from './dry-runner.ts';
import { problem } from './problem.ts';

export type PlanParts = { fleets: FleetHolder; monitor: Monitor; store: Store };

const FILE_TYPES = ['application/yaml', 'text/plain'];
/** Ten times a thousand cells with their tags and 10,000 pins. */
const FILE_BYTES_MOST = 8_388_608;

/** Fastify's own refusals of a body, in words. */
const BODY_REFUSALS: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: `A fleet file has at most ${FILE_BYTES_MOST} bytes here.`,
  FST_ERR_CTP_INVALID_MEDIA_TYPE: `Content-Type: allowed are ${FILE_TYPES.join(' and ')}.`,
};

type Measured = { loads: ReadonlyMap<string, Load> | null; routers: { told: number; live: number } };

/** Adds the plan to the admin server. Both requests only read: neither needs a token. */
export function routePlan(server: FastifyInstance, parts: PlanParts): void {
  const runner = new DryRunner();
  server.addHook('onClose', async () => runner.close());
  server.get('/v1/plan', async (_, reply) =>
    withLoads(reply, parts, (measured) => send(reply, planNow(parts, measured))),
  );
  server.register(async (scope) => {
    scope.addContentTypeParser(FILE_TYPES, { parseAs: 'buffer' }, (_, body, done) => done(null, body));
    scope.setErrorHandler<{ code?: string; message: string }>((error, _, reply) =>
      problem(reply, 'admin-invalid', BODY_REFUSALS[error.code ?? ''] ?? 'The request is malformed.'),
    );
    scope.post('/v1/plan', { bodyLimit: FILE_BYTES_MOST }, async ({ body }, reply) => {
      if (!Buffer.isBuffer(body)) return problem(reply, 'admin-invalid', 'The body is to be a fleet file.');
      if (!isUtf8(body)) return problem(reply, 'admin-invalid', 'The fleet file is not UTF-8.');
      return await withLoads(reply, parts, async (measured) => {
        const answer = await runner.run(questionOf(body.toString('utf8'), parts, measured));
        return answerDryRun(reply, answer, measured);
      });
    });
  });
}

async function withLoads(
  reply: FastifyReply,
  { monitor, store }: PlanParts,
  answer: (measured: Measured) => FastifyReply | Promise<FastifyReply>,
): Promise<FastifyReply> {
  const live = monitor.machines;
  try {
    const told = await store.loads(live);
    return await answer({
      loads: loadsOver(told.values()),
      routers: { told: told.size, live: live.length },
    });
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return problem(reply, 'store-unavailable', 'The store of the loads does not answer.');
  }
}

function planNow({ fleets, monitor }: PlanParts, { loads, routers }: Measured) {
  const { placement, cells: declared } = fleets.active;
  const standings = standingsOf(fleets.active, monitor);
  const { buckets } = monitor;
  const cells = planRows({
    cells: placement.cells,
    declared,
    bucketsOf: (cell) => buckets.get(cell)?.owned ?? 0,
    standingOf: (cell) =>
      standings.get(cell) ?? { neighbour: null, target: cell, share: 0, down: false, lacksStandby: false },
    loads,
  });
  return {
    routers,
    cells,
    violations: [...unknownLoad(routers), ...cells.flatMap(({ violations }) => violations)],
  };
}

function standingsOf({ placement }: Fleet, monitor: Monitor): Map<string, Standing> {
  return new Map(
    placement.cells.map((cell) => {
      const { neighbour, target, share } = monitor.recordOf(cell);
      const down = monitor.opinionOf(cell) === 'down';
      return [cell, { neighbour, target, share, down, lacksStandby: monitor.lacksStandby(cell) }];
    }),
  );
}

function questionOf(text: string, { fleets, monitor }: PlanParts, { loads }: Measured) {
  const { digest, cells, history } = fleets.active;
  return {
    text,
    active: { digest, cells, history },
    standings: standingsOf(fleets.active, monitor),
    loads,
    records: monitor.movedFrom,
  };
}

function answerDryRun(reply: FastifyReply, answer: DryRunAnswer, { routers }: Measured): FastifyReply {
  if ('faults' in answer) {
    const { faults } = answer;
    return problem(reply, 'admin-invalid', `The fleet file has ${faults.length} faults.`, { faults });
  }
  if ('refused' in answer) {
    return answer.refused === 'busy'
      ? problem(reply, 'plan-busy', 'Another fleet file is being planned: ask again.')
      : problem(reply, 'admin-invalid', 'The fleet file can not be planned within 20 s and 512 MB.');
  }
  const { violations, ...plan } = answer.plan;
  return send(reply, { routers, ...plan, violations: [...unknownLoad(routers), ...violations] });
}

/** Every number to hundredths: what is measured is no more exact than that. */
function send(reply: FastifyReply, plan: unknown): FastifyReply {
  const rounded = JSON.stringify(plan, (_, value: unknown) =>
    typeof value === 'number' ? Math.round(value * 100) / 100 : value,
  );
  return reply.type('application/json; charset=utf-8').send(rounded);
}
