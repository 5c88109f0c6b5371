// The shape of the fleet file: what may stand where, and the sentence a reader gets when it does not.
import { z } from 'zod';
import { isWeight } from '../placement/history.ts';

/** A DNS label: cell names become host names, header values and metric labels. */
const CELL_NAME = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
const CELL_NAME_ALLOWED = 'a lower-case DNS label, 1–63 of a–z 0–9 -, starting with a letter';

/** An object that refuses unknown keys and says which ones there are; `elsewhere`: those that are read apart. */
function strict<T extends z.core.$ZodLooseShape>(shape: T, elsewhere: readonly string[] = []) {
  const keys = [...Object.keys(shape), ...elsewhere].join(', ');
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === 'unrecognized_keys'
        ? `unknown key (allowed: ${keys})`
        : `not a mapping (allowed: a mapping with ${keys})`,
  });
}

const text = (allowed: string) => z.string(`missing or not text (allowed: ${allowed})`);

const filled = (allowed: string) => text(allowed).min(1, `empty (allowed: ${allowed})`);

const cellName = text(CELL_NAME_ALLOWED).regex(CELL_NAME, `not a cell name (allowed: ${CELL_NAME_ALLOWED})`);

const weight = z
  .number('not a number (allowed: above 0, at most 1000, three decimals)')
  .refine(isWeight, 'out of range (allowed: above 0, at most 1000, three decimals)');

function count(max: number) {
  const allowed = `(allowed: a whole number, 1–${max})`;
  return z
    .int(`not a whole number ${allowed}`)
    .min(1, `out of range ${allowed}`)
    .max(max, `out of range ${allowed}`);
}

const ORIGIN_ALLOWED = 'http://host:port or https://host:port';

/** `http://host:port` or `https://host:port`, nothing after it. Normalised to the form `URL.origin` has. */
const origin = text(ORIGIN_ALLOWED).transform((value, context): string => {
  const wrong = (problem: string): never => {
    context.addIssue(`${problem} (allowed: ${ORIGIN_ALLOWED}, port 1–65535)`);
    return z.NEVER;
  };
  const parts = /^https?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,9}))?\/?$/.exec(value);
  if (parts === null) return wrong('not an origin');
  const port = Number(parts[2] ?? 443);
  if (port < 1 || port > 65_535) return wrong(`port ${parts[2]} is out of range`);
  if (!URL.canParse(value)) return wrong('not an origin');
  return new URL(value).origin;
});

const capacity = strict({
  /** Requests inside the cell at once. */
  concurrency: count(1_000_000).default(512),
  rps: count(10_000_000).default(4000),
  tunnels: count(10_000_000).default(10_000),
});

const zone = filled('1–63 characters').max(63, 'too long (allowed: 1–63 characters)');

const cell = strict({
  origin,
  zone: zone.optional(),
  neighbour: cellName.optional(),
  weight: weight.default(1),
  capacity: capacity.prefault({}),
  tags: z
    .record(z.string(), text('text; put numbers in quotes'), 'not a mapping (allowed: name: text)')
    .default(() => ({})),
});

const flag = z.boolean('not a boolean (allowed: true, false)');

const cellNames = z.array(cellName, 'not a list (allowed: a list of cell names)');

const generation = strict({
  add: cellNames.optional(),
  remove: cellNames.optional(),
  reweight: z.record(cellName, weight, 'not a mapping (allowed: cell: weight)').optional(),
  settled: flag.optional(),
});

const pin = z.union(
  [
    cellName.transform((cell) => ({ cell, settled: true })),
    strict({ cell: cellName, settled: flag.default(true) }),
  ],
  'not a pin (allowed: a cell name, or { cell, settled })',
);

const headerName = text('an HTTP field name')
  .regex(/^[A-Za-z0-9!#$%&'*+.^`|~-]{1,64}$/, 'not a header name (allowed: an HTTP field name without _)')
  .transform((name) => name.toLowerCase())
  .refine((name) => !name.startsWith('x-cell-'), 'reserved (allowed: any name but x-cell-…)');

/** `RS256` and its kin: asymmetric signatures only, so that a public key can never be taken for a shared secret. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

const JWKS_ALLOWED = 'an http(s) URL, or the path of a file';

/** Whether keys come from a URL, as against a file. */
export const isUrl = (jwks: string): boolean => /^https?:\/\/./i.test(jwks);

const jwt = strict({
  claim: filled('the name of a claim'),
  issuer: filled('the expected iss'),
  audience: filled('the expected aud'),
  jwks: filled(JWKS_ALLOWED).refine(
    (value) => !/^https?:/i.test(value) || (isUrl(value) && URL.canParse(value)),
    `not a URL (allowed: ${JWKS_ALLOWED})`,
  ),
  algorithms: z
    .array(
      z.enum(ALGORITHMS, `not an algorithm for this (allowed: ${ALGORITHMS.join(', ')})`),
      'not a list (allowed: [RS256, …])',
    )
    .min(1, 'empty (allowed: at least one)'),
});

const source = z.union(
  [
    strict({ header: headerName, trusted: flag.default(false) }),
    strict({
      subdomain: text('example.com')
        .toLowerCase()
        .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/, 'not a domain (allowed: example.com)'),
    }),
    strict({
      path: text('/t/:tenant').regex(
        /^(\/[A-Za-z0-9._~-]+)*\/:tenant(\/[A-Za-z0-9._~-]+)*$/,
        'not a path (allowed: literal segments and one :tenant, /t/:tenant)',
      ),
    }),
    strict({ jwt }),
  ],
  'not a tenant source (allowed: one of header, subdomain, path, jwt)',
);

const routePath = text('/path')
  .regex(/^\/[!-~]*$/, 'not a path (allowed: / and what follows, without spaces)')
  .refine((path) => !/[?#]/.test(path), 'has a query (allowed: the path alone)');

const tenantless = z.union(
  [cellName, strict({ hash: z.literal('client-address', 'unknown hash (allowed: client-address)') })],
  'not a target (allowed: a cell name, or { hash: client-address })',
);

const route = strict({
  path: routePath,
  tenantless: tenantless.optional(),
  timeoutMs: count(86_400_000).optional(),
});

const RATE_MOST = 10_000_000;

/** `burst` where it is not declared: as much as a second brings. */
export const rateSchema = strict({ rps: count(RATE_MOST), burst: count(RATE_MOST).optional() });

const rateLimit = strict({ rps: count(RATE_MOST).optional(), burst: count(RATE_MOST).optional() }, [
  'tenants',
]).refine(({ rps, burst }) => burst === undefined || rps !== undefined, {
  path: ['burst'],
  error: 'there is no rps that it belongs to (allowed: beside rps)',
});

/** A route's path as it is compared: without the slash at its end. */
export function routePrefix(path: string): string {
  return path.length > 1 ? path.replace(/\/$/, '') : path;
}

export const fleetSchema = strict(
  {
    tenant: z
      .array(source, 'not a list (allowed: a list of tenant sources)')
      .min(1, 'empty (allowed: at least one source)')
      .default(() => [{ header: 'x-tenant-id', trusted: false }]),
    failover: strict({
      requires: z.enum(['none', 'standby'], 'not a requirement (allowed: none, standby)').default('none'),
    }).prefault({}),
    allowSharedNeighbour: flag.default(false),
    cells: z.record(cellName, cell, 'missing or not a mapping (allowed: name: { origin, … })'),
    generations: z
      .array(generation, 'missing or not a list (allowed: the history, [{ add: [cell-a, …] }, …])')
      .min(1, 'empty (allowed: at least one generation)'),
    routes: z.array(route, 'not a list (allowed: a list of routes)').default(() => []),
    rateLimit: rateLimit.optional(),
  },
  ['pins'],
);

/**
 * What of a wrong file can still be held against the rest of it: each part that is well formed, and nothing in place of
 * one that is not.
 */
export const legibleSchema = z.object({
  allowSharedNeighbour: fleetSchema.shape.allowSharedNeighbour.catch(false),
  cells: z.record(
    z.string(),
    z
      .object({
        origin: origin.optional().catch(undefined),
        zone: zone.optional().catch(undefined),
        neighbour: cellName.optional().catch(undefined),
        weight: weight.default(1).catch(1),
      })
      .catch({ weight: 1 }),
  ),
  generations: z.array(generation.strip()).catch(() => []),
  routes: z
    .array(
      z
        .object({
          path: routePath.optional().catch(undefined),
          tenantless: tenantless.optional().catch(undefined),
        })
        .catch({}),
    )
    .catch(() => []),
});

/** A pin's value, apart from its tenant: tenant IDs are read from the file's own text (see load.ts). */
export const pinSchema = pin;

export type FleetFile = z.infer<typeof fleetSchema>;
export type LegibleFile = z.infer<typeof legibleSchema>;
export type TenantSourceFile = FleetFile['tenant'][number];
