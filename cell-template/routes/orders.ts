// The tenant's orders over HTTP: place one, list them, read, change and cancel one.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from '../errors.ts';
import type { Homes } from '../homes.ts';
import type { CellMetrics, WriteKind } from '../metrics.ts';
import { NewerRule } from '../newer-rule.ts';
import { refusals, tenantHeader } from '../openapi.ts';
import { decodeCursor, type Cursor } from '../orders/cursor.ts';
import { etagOf } from '../orders/etag.ts';
import { isUuid } from '../orders/ids.ts';
import type { Stored, Wish } from '../orders/order.ts';
import { findOrder, listOrders } from '../orders/read.ts';
import { cancelOrder, changeOrder, placeOrder } from '../orders/write.ts';
import type { Transaction } from '../transactions.ts';
import { ifMatch, keyOf } from './preconditions.ts';
import {
  changedOrder,
  newOrder,
  oneOrder,
  orderPage,
  orderParams,
  pageQuery,
  placedOrder,
} from './schemas.ts';

const DEFAULT_LIMIT = 100;

export type OrdersParts = { homes: Homes; metrics: CellMetrics; onWrite: (home: string) => void };

type ById = { Params: { id: string } };

export function ordersRoutes(app: FastifyInstance, parts: OrdersParts): void {
  const inTenant = <T>({ whose }: FastifyRequest, work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const store = parts.homes.of(whose.home);
    if (store === null) throw new NewerRule(null);
    return store.database.inTenant(whose, work);
  };
  /** Tells of a write after its commit. */
  const written = ({ whose }: FastifyRequest, kind: WriteKind): void => {
    parts.metrics.countWrite(whose.home, kind);
    parts.onWrite(whose.home);
  };
  readRoutes(app, inTenant);
  changeRoutes(app, inTenant, written);
  const schema = { headers: tenantHeader, body: newOrder, response: { 201: placedOrder, ...refusals } };
  app.post<{ Body: Wish }>('/orders', { schema }, async (request, reply) => {
    const key = keyOf(request);
    const { replayed, ...stored } = await inTenant(request, (tx) =>
      placeOrder(tx, request.whose, request.body, key),
    );
    if (replayed) reply.header('idempotency-replayed', 'true');
    else written(request, 'create');
    return send(reply.code(201).header('location', `/orders/${stored.order.id}`), stored);
  });
}

type InTenant = <T>(request: FastifyRequest, work: (tx: Transaction) => Promise<T>) => Promise<T>;

function readRoutes(app: FastifyInstance, inTenant: InTenant): void {
  const list = {
    headers: tenantHeader,
    querystring: pageQuery,
    response: { 200: orderPage, ...refusals },
  };
  app.get<{ Querystring: { limit?: string; cursor?: string } }>(
    '/orders',
    { schema: list },
    async (request) => {
      const { limit, cursor } = request.query;
      const after = cursor === undefined ? null : expectCursor(cursor);
      const page = { limit: limit === undefined ? DEFAULT_LIMIT : Number(limit), after };
      return inTenant(request, (tx) => listOrders(tx, request.whose.tenant, page));
    },
  );

  const one = { headers: tenantHeader, params: orderParams, response: { 200: oneOrder, ...refusals } };
  app.get<ById>('/orders/:id', { schema: one }, async (request, reply) => {
    const id = expectId(request);
    const stored = await inTenant(request, (tx) => findOrder(tx, request.whose.tenant, id));
    if (stored === null) throw noSuchOrder();
    return send(reply, stored);
  });
}

function changeRoutes(
  app: FastifyInstance,
  inTenant: InTenant,
  written: (request: FastifyRequest, kind: WriteKind) => void,
): void {
  const schema = { headers: tenantHeader, params: orderParams, response: { 200: oneOrder, ...refusals } };
  app.patch<ById & { Body: Partial<Wish> }>(
    '/orders/:id',
    { schema: { ...schema, body: changedOrder } },
    async (request, reply) => {
      const id = expectId(request);
      const wanted = ifMatch(request);
      if (wanted === null)
        throw new Refusal('precondition-required', 'send the ETag of the order as If-Match');
      const change = { wish: request.body, wanted };
      const stored = await inTenant(request, (tx) => changeOrder(tx, request.whose, id, change));
      written(request, 'update');
      return send(reply, stored);
    },
  );
  app.post<ById>('/orders/:id/cancel', { schema }, async (request, reply) => {
    const id = expectId(request);
    const wanted = ifMatch(request) ?? '*';
    const { changed, ...stored } = await inTenant(request, (tx) =>
      cancelOrder(tx, request.whose, id, wanted),
    );
    if (changed) written(request, 'cancel');
    return send(reply, stored);
  });
}

function send(reply: FastifyReply, { order, state }: Stored): FastifyReply {
  return reply.header('etag', etagOf(state)).send(order);
}

function expectId(request: FastifyRequest<ById>): string {
  const { id } = request.params;
  if (!isUuid(id)) throw noSuchOrder();
  return id.toLowerCase();
}

function expectCursor(text: string): Cursor {
  const cursor = decodeCursor(text);
  if (cursor === null) throw new Refusal('bad-request', 'the cursor is not one that this API gave');
  return cursor;
}

function noSuchOrder(): Refusal {
  return new Refusal('not-found', 'this tenant has no such order');
}
