// The fleet file, from text to a fleet: everything that is wrong is told at once, nothing is half loaded.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { isAlias, isMap, isScalar, parseDocument, visit, type Document, type Pair } from 'yaml';
import { faultLine, faultsOf, type Fault } from '../faults.ts';
import { buildPlacement, historyFaults, type PlacementInput } from '../placement/placement.ts';
import { isTenantId, TENANT_ID_ALLOWED } from '../tenant-id.ts';
import type { Cell, Fleet, Route, TenantSource } from './fleet.ts';
import { fleetSchema, pinSchema, type FleetFile, type TenantSourceFile } from './schema.ts';

type Pins = Map<string, { cell: string; settled: boolean }>;

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
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new FleetFileError([{ path: '', problem: `${path}: can not be read (${reason})` }]);
  }
  return parseFleet(text, dirname(resolve(path)));
}

/** The same from text; relative paths in it are resolved against `folder`. */
export function parseFleet(text: string, folder: string): Fleet {
  const document = parseDocument(text, { uniqueKeys: false, merge: false });
  const syntax = document.errors.map((error) => ({ path: '', problem: syntaxProblem(error) }));
  if (syntax.length > 0) throw new FleetFileError(syntax);

  const faults = duplicateKeys(document);
  const pins = readPins(document, faults);
  const parsed = fleetSchema.safeParse(withoutPins(document));
  if (!parsed.success) throw new FleetFileError([...faults, ...faultsOf(parsed.error)]);
  const file = parsed.data;
  const input = placementInput(file, pins);
  faults.push(...historyFaults(input), ...originFaults(file), ...routeFaults(file));
  if (faults.length > 0) throw new FleetFileError(faults);
  return {
    digest: digestOf(file, pins),
    sources: file.tenant.map((source) => toSource(source, folder)),
    cells: new Map(Object.entries(file.cells).map(([id, cell]) => [id, toCell(id, cell)])),
    placement: buildPlacement(input),
    routes: toRoutes(file),
  };
}

function syntaxProblem(error: { message: string }): string {
  const [first = 'not YAML'] = error.message.split('\n');
  return first.replace(/:$/, '');
}

/** YAML forbids a key twice; here each such place becomes a fault of its own instead of ending the reading. */
function duplicateKeys(document: Document): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Map(_, map, parents) {
      const seen = new Set<string>();
      for (const { key } of map.items) {
        const name = keyText(key);
        if (seen.has(name)) {
          const path = [...parents.flatMap((parent) => pairName(parent)), name].join('.');
          faults.push({ path, problem: 'declared twice (allowed: once)' });
        }
        seen.add(name);
      }
    },
  });
  return faults;
}

function pairName(parent: unknown): string[] {
  return typeof parent === 'object' && parent !== null && 'key' in parent
    ? [keyText((parent as Pair).key)]
    : [];
}

/** The key as it was written: a tenant `007` is not the number seven. */
function keyText(key: unknown): string {
  if (!isScalar(key)) return String(key);
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

function readPins(document: Document, faults: Fault[]): Pins {
  const pins: Pins = new Map();
  if (!isMap(document.contents)) return pins;
  let value: unknown = document.contents.items.find((pair) => keyText(pair.key) === 'pins')?.value;
  if (isAlias(value)) value = value.resolve(document);
  if (value === undefined || (isScalar(value) && value.value === null)) return pins;
  if (!isMap(value)) {
    faults.push({ path: 'pins', problem: 'not a mapping (allowed: tenant: cell)' });
    return pins;
  }
  for (const pair of value.items) {
    const tenant = keyText(pair.key);
    const path = `pins.${tenant}`;
    if (!isTenantId(tenant))
      faults.push({ path, problem: `not a tenant ID (allowed: ${TENANT_ID_ALLOWED})` });
    const raw = isScalar(pair.value) || isMap(pair.value) ? pair.value.toJS(document) : pair.value;
    const pin = pinSchema.safeParse(raw);
    if (pin.success) pins.set(tenant, pin.data);
    else faults.push(...faultsOf(pin.error).map((fault) => under(path, fault)));
  }
  return pins;
}

function under(path: string, fault: Fault): Fault {
  return { path: fault.path === '' ? path : `${path}.${fault.path}`, problem: fault.problem };
}

function withoutPins(document: Document): unknown {
  const value: unknown = document.toJS();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { pins: _, ...rest } = value as Record<string, unknown>;
  return rest;
}

function placementInput(file: FleetFile, pins: Pins): PlacementInput {
  const cells = Object.entries(file.cells).map(
    ([id, cell]) =>
      [id, { zone: cell.zone ?? null, weight: cell.weight, neighbour: cell.neighbour ?? null }] as const,
  );
  const generations = file.generations.map((generation) => ({
    add: generation.add ?? [],
    remove: generation.remove ?? [],
    reweight: generation.reweight ?? {},
    settled: generation.settled ?? false,
  }));
  return { cells: new Map(cells), generations, pins, allowSharedNeighbour: file.allowSharedNeighbour };
}

/** Two cells behind one address are one cell: a fault in it would touch the tenants of both. */
function originFaults(file: FleetFile): Fault[] {
  const owners = new Map<string, string>();
  const faults: Fault[] = [];
  for (const [id, { origin }] of Object.entries(file.cells)) {
    const owner = owners.get(origin);
    if (owner === undefined) owners.set(origin, id);
    else
      faults.push({ path: `cells.${id}.origin`, problem: `the same as that of ${owner} (allowed: its own)` });
  }
  return faults;
}

function routeFaults(file: FleetFile): Fault[] {
  const seen = new Set<string>();
  return file.routes.flatMap((route, index) => {
    const faults: Fault[] = [];
    if (seen.has(route.path))
      faults.push({ path: `routes.${index}.path`, problem: 'routed twice (allowed: once)' });
    seen.add(route.path);
    const target = route.tenantless;
    if (typeof target === 'string' && !Object.hasOwn(file.cells, target)) {
      const allowed = Object.keys(file.cells).join(', ');
      faults.push({
        path: `routes.${index}.tenantless`,
        problem: `${target} is not a declared cell (allowed: ${allowed})`,
      });
    }
    return faults;
  });
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
  const absolute = /^https?:\/\//.test(jwks) ? jwks : resolve(folder, jwks);
  return { kind: 'jwt', jwt: { ...source.jwt, jwks: absolute } };
}

function toRoutes(file: FleetFile): Route[] {
  return file.routes
    .map((route): Route => {
      const target = route.tenantless ?? null;
      return {
        path: route.path.length > 1 ? route.path.replace(/\/$/, '') : route.path,
        tenantless: typeof target === 'string' ? { cell: target } : target,
        timeoutMs: route.timeoutMs ?? null,
      };
    })
    .sort((a, b) => b.path.length - a.path.length);
}

function digestOf(file: FleetFile, pins: Pins): string {
  const content = JSON.stringify({ ...file, pins: Object.fromEntries(pins) }, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
      : value,
  );
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
