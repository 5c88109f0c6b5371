// The JSON schemas of orders, of what asks for them and of what answers.

const item = {
  type: 'string',
  minLength: 1,
  maxLength: 200,
  // PostgreSQL holds no NUL in a text, and half a surrogate pair is no character.
  pattern: '^[^\\u0000\\ud800-\\udfff]*$',
} as const;
const quantity = { type: 'integer', minimum: 1, maximum: 1_000_000 } as const;

export const newOrder = {
  type: 'object',
  required: ['item', 'quantity'],
  additionalProperties: false,
  properties: { item, quantity },
} as const;

export const changedOrder = {
  type: 'object',
  minProperties: 1,
  additionalProperties: false,
  properties: { item, quantity },
} as const;

const time = { type: 'string', description: 'ISO 8601, UTC' } as const;

const order = {
  type: 'object',
  required: ['id', 'item', 'quantity', 'status', 'createdAt', 'updatedAt'],
  properties: {
    id: { type: 'string' },
    item: { type: 'string' },
    quantity: { type: 'integer' },
    status: { type: 'string', enum: ['placed', 'confirmed', 'cancelled'] },
    createdAt: time,
    updatedAt: time,
  },
} as const;

const etag = { type: 'string', description: 'The state of the order, for If-Match' } as const;

/** One order, with its ETag. */
export const oneOrder = {
  description: 'The order as it is now',
  headers: { etag },
  ...order,
} as const;

export const placedOrder = {
  ...oneOrder,
  description:
    'The order as it is now. The same Idempotency-Key and body again are answered like this, too, with idempotency-replayed: true',
  headers: {
    etag,
    location: { type: 'string' },
    'idempotency-replayed': { type: 'string', enum: ['true'] },
  },
} as const;

export const orderPage = {
  description: 'Newest first',
  type: 'object',
  required: ['orders', 'next'],
  properties: {
    orders: { type: 'array', items: order },
    next: { type: ['string', 'null'], description: 'The cursor of what follows; null at the end' },
  },
} as const;

export const pageQuery = {
  type: 'object',
  properties: {
    limit: { type: 'string', pattern: '^([1-9][0-9]?|100)$', description: '1 to 100; default 100' },
    cursor: { type: 'string', maxLength: 200, description: '`next` of the page before' },
  },
} as const;

export const orderParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string' } },
} as const;
