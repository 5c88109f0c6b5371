// The fleet file, from text to a fleet: everything that is wrong is told at once, nothing is half loaded.
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { faultLine, faultsOf, type Fault } from '../faults.ts';
import { buildPlacement } from '../placement/placement.ts';
import { toRates, validPins, validRates } from './by-tenant.ts';
import { crossFaults, legibleCrossFaults, placementInput } from './check.ts';
import type { Cell, Fleet, Route, TenantSource } from './fleet.ts';
import { readYaml } from './read-yaml.ts';
import { fleetSchema, isUrl, routePrefix, type FleetFile, type TenantSourceFile } from './schema.ts';

/** The fleet file is wrong; `faults` names every place. */
export class FleetFileError extends Error {
  override name = 'FleetFileError';
  readonly faults: Fault[];
  constructor(faults: Fault[]) {
    super(faults.map(faultLine).join('\n'));
    this.faults = faults;
  }
}

/** Reads and validates the fleet file at `path`. Throws `FleetFileError` with every fault, unreadable included. */
export function loadFleet(path: string): Fleet {
  const unreadable = (reason: string): FleetFileError =>
    new FleetFileError([{ path: '', problem: `${path}: can not be read (${reason})` }]);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw unreadable((error as NodeJS.ErrnoException).code ?? 'unknown error');
  }
  // Bytes that are no UTF-8 would become other tenants in silence.
  if (!isUtf8(bytes)) throw unreadable('not UTF-8');
  return parseFleet(bytes.toString('utf8'), dirname(resolve(path)));
}

/** The same from text; relative paths in it are resolved against `folder`. */
export function parseFleet(text: string, folder: string): Fleet {
  const { data, faults, ...written } = readYaml(text);
  if (data === undefined) throw new FleetFileError(faults);
  const pins = validPins(written.pins, faults);
  const rates = validRates(written.rates, faults);
  const parsed = fleetSchema.safeParse(data);
  if (!parsed.success) {
    const places = new Set(faults.map(({ path }) => path));
    faults.push(...faultsOf(parsed.error).filter(({ path }) => !places.has(path)));
    faults.push(...legibleCrossFaults(data, pins, parsed.error, faults));
    throw new FleetFileError(faults);
  }
  const file = parsed.data;
  faults.push(...crossFaults(file, pins));
  if (faults.length > 0) throw new FleetFileError(faults);
  const history = placementInput(file, pins);
  return {
    digest: digestOf(file, { pins, rates }),
    sources: file.tenant.map((source) => toSource(source, folder)),
    cells: new Map(Object.entries(file.cells).map(([id, cell]) => [id, toCell(id, cell)])),
    history,
    placement: buildPlacement(history),
    routes: toRoutes(file),
    rates: toRates(file.rateLimit, rates),
    requiresStandby: file.failover.requires === 'standby',
  };
}

function toCell(id: string, cell: FleetFile['cells'][string]): Cell {
  return { id, origin: cell.origin, zone: cell.zone ?? null, capacity: cell.capacity, tags: cell.tags };
}

function toSource(source: TenantSourceFile, folder: string): TenantSource {
  if ('header' in source) return { kind: 'header', name: source.header, trusted: source.trusted };
  if ('subdomain' in source) return { kind: 'subdomain', base: source.subdomain };
  if ('path' in source) {
    const segments = source.path.slice(1).split('/');
    return { kind: 'path', segments, tenantAt: segments.indexOf(':tenant') };
  }
  const { jwks } = source.jwt;
  const absolute = isUrl(jwks) ? jwks : resolve(folder, jwks);
  return { kind: 'jwt', jwt: { ...source.jwt, jwks: absolute } };
}

function toRoutes(file: FleetFile): Route[] {
  return file.routes
    .map((route): Route => {
      const target = route.tenantless ?? null;
      return {
        path: routePrefix(route.path),
        tenantless: typeof target === 'string' ? { cell: target } : target,
        timeoutMs: route.timeoutMs ?? null,
      };
    })
    .sort((a, b) => b.path.length - a.path.length);
}

function digestOf(file: FleetFile, byTenant: Record<string, ReadonlyMap<string, unknown>>): string {
  const parts = Object.entries(byTenant).map(([name, map]) => [name, Object.fromEntries(map)]);
  const content = JSON.stringify({ ...file, ...Object.fromEntries(parts) }, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
      : value,
  );
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
