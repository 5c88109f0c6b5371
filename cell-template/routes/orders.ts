// The tenant's orders over HTTP: place one, list them, read one.
import type { FastifyInstance } from 'fastify';
import type { Database } from '../database.ts';
import { Refusal } from '../errors.ts';
import { findOrder, listOrders, placeOrder } from '../orders.ts';
import { tenantOf } from '../contract/tenant.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const newOrder = {
  type: 'object',
  required: ['item', 'quantity'],
  additionalProperties: false,
  properties: {
    // PostgreSQL holds no NUL in a text.
    item: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[^\\u0000]*$' },
    quantity: { type: 'integer', minimum: 1, maximum: 1_000_000 },
  },
} as const;

export function ordersRoutes(app: FastifyInstance, database: Database): void {
  app.post<{ Body: { item: string; quantity: number } }>(
    '/orders',
    { schema: { body: newOrder } },
    async (request, reply) => {
      const order = await placeOrder(tenantOf(request), request.body, database);
      return reply.code(201).header('location', `/orders/${order.id}`).send(order);
    },
  );

  app.get('/orders', async (request) => ({ orders: await listOrders(tenantOf(request), database) }));

  app.get<{ Params: { id: string } }>('/orders/:id', async (request) => {
    const tenant = tenantOf(request);
    const { id } = request.params;
    const order = UUID.test(id) ? await findOrder(tenant, id, database) : null;
    if (order === null) throw new Refusal('not-found', 'this tenant has no such order');
    return order;
  });
}
