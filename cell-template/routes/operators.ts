// The operators' side of a cell, below /.cellgate/: dead letters, conflicts, metrics. Routers let no client get there.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { openConflicts, settleConflict, type Settlement } from '../conflicts.ts';
import { misdirected } from '../contract/answers.ts';
import { Refusal } from '../errors.ts';
import type { Homes, HomeStore } from '../homes.ts';
import type { CellMetrics } from '../metrics.ts';
import { NewerRule } from '../newer-rule.ts';
import { refusals } from '../openapi.ts';
import type { Contract } from '../contract/contract.ts';
import { mayBringRules } from '../contract/bringer.ts';
import { isUuid } from '../orders/ids.ts';
import { admitHome } from '../standby/admission.ts';
import type { Recovery } from '../standby/recovery.ts';
import { deadLetters, retryDeadLetter } from '../queue/dead-letters.ts';

/** As many of a list as one answer holds. */
const LIMIT = 200;
/** They serve no tenants. */
const config = { contract: false } as const;

export type OperatorsParts = {
  homes: Homes;
  recovery: Pick<Recovery, 'servesNobody'>;
  metrics: CellMetrics;
  /** `CELL_TOKEN`; null: none. */
  token: string | null;
  onWrite: (home: string) => void;
};

export function operatorsRoutes(app: FastifyInstance, parts: OperatorsParts): void {
  app.get('/.cellgate/metrics', { schema: { hide: true }, config }, async (_request, reply) =>
    reply.type(parts.metrics.registry.contentType).send(await parts.metrics.registry.metrics()),
  );
  const onRequest = async ({ raw }: FastifyRequest): Promise<void> => {
    if (!mayBringRules(raw, parts.token))
      throw new Refusal('unauthorized', 'this needs the token of the cell');
  };
  deadLettersRoutes(app, parts, onRequest);
  conflictsRoutes(app, parts, onRequest);
}

type Guard = (request: FastifyRequest) => Promise<void>;

function deadLettersRoutes(app: FastifyInstance, { homes, onWrite }: OperatorsParts, onRequest: Guard): void {
  const list = { response: { 200: listOf('deadLetters'), ...refusals } };
  app.get('/.cellgate/dead-letters', { schema: list, config, onRequest }, async () => {
    const all = await Promise.all(homes.all().map((store) => deadLetters(store, LIMIT)));
    return { deadLetters: all.flat() };
  });

  const retry = {
    params: { type: 'object', properties: { id: { type: 'string' } } },
    response: { 202: { type: 'object', properties: { id: { type: 'string' } } }, ...refusals },
  } as const;
  app.post<{ Params: { id: string } }>(
    '/.cellgate/dead-letters/:id/retry',
    { schema: retry, config, onRequest },
    async (request, reply) => {
      const { id } = request.params;
      for (const store of isUuid(id) ? homes.all() : [])
        if (await retryDeadLetter(store, id)) {
          onWrite(store.home);
          return reply.code(202).send({ id });
        }
      throw new Refusal('not-found', 'there is no such dead letter');
    },
  );
}

type ToSettle = {
  home: string;
  tenant: string;
  orderId: string;
  epoch: number;
  writer: string;
  settlement: Settlement;
};

const toSettle = {
  type: 'object',
  required: ['home', 'tenant', 'orderId', 'epoch', 'writer', 'settlement'],
  additionalProperties: false,
  properties: {
    home: { type: 'string' },
    tenant: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[^\\u0000]*$' },
    orderId: { type: 'string', pattern: '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' },
    epoch: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    writer: { type: 'string', maxLength: 12, pattern: '^[0-9a-f]*$' },
    settlement: { type: 'string', enum: ['kept', 'lost'] },
  },
} as const;

function conflictsRoutes(app: FastifyInstance, parts: OperatorsParts, onRequest: Guard): void {
  const list = {
    querystring: { type: 'object', properties: { home: { type: 'string' } } },
    response: { 200: listOf('conflicts'), ...refusals },
  } as const;
  app.get<{ Querystring: { home?: string } }>(
    '/.cellgate/conflicts',
    { schema: list, config, onRequest },
    async (request) => {
      const { home } = request.query;
      const stores = home === undefined ? parts.homes.all() : [expectStore(parts.homes, home)];
      const all = await Promise.all(stores.map((store) => openConflicts(store, LIMIT)));
      return { conflicts: all.flat() };
    },
  );

  const settle = { body: toSettle, response: { 200: toSettle, ...refusals } };
  app.post<{ Body: ToSettle }>(
    '/.cellgate/conflicts/settle',
    { schema: settle, config, onRequest },
    async ({ body }, reply) => {
      try {
        await settleAsOwn(body, app.contract, parts);
        return body;
      } catch (error) {
        if (!(error instanceof NewerRule)) throw error;
        // The request itself names no tenant; its body does.
        error.tell(app.contract);
        return misdirected(reply, app.contract.epochOf(body.home));
      }
    },
  );
}

/** Only where the tenant is this cell's now: anything else would be one more write on two sides. */
async function settleAsOwn(
  { home, tenant, ...conflict }: ToSettle,
  contract: Contract,
  { homes, recovery, metrics, onWrite }: OperatorsParts,
): Promise<void> {
  const { database, role } = expectStore(homes, home);
  if (role === 'home') admitHome(recovery.servesNobody, null, true);
  const epoch = contract.epochOf(home);
  const done = contract.begin(home, tenant);
  if (done === null) throw new NewerRule(null);
  try {
    const whose = { tenant, home, epoch };
    await database.inTenant(whose, (tx) => settleConflict(tx, whose, conflict));
  } finally {
    done();
  }
  metrics.countWrite(home, 'settle');
  onWrite(home);
}

function expectStore(homes: Homes, home: string): HomeStore {
  const store = homes.of(home);
  if (store === null) throw new Refusal('not-found', 'this cell has no database of that home');
  return store;
}

function listOf(name: string): object {
  return {
    type: 'object',
    properties: { [name]: { type: 'array', items: { type: 'object', additionalProperties: true } } },
  };
}
