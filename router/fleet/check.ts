// What one part of the fleet file must not say of another: everything beyond the shape of each part.
import type { z } from 'zod';
import type { Fault } from '../faults.ts';
import { historyFaults, type PlacementInput } from '../placement/placement.ts';
import type { Pins } from './by-tenant.ts';
import { legibleSchema, routePrefix, type FleetFile, type LegibleFile } from './schema.ts';

/** The faults of a file whose parts are well formed each. */
export function crossFaults(file: LegibleFile, pins: Pins): Fault[] {
  return [...historyFaults(placementInput(file, pins)), ...originFaults(file), ...routeFaults(file)];
}

/**
 * The same for a file of which some parts are wrong themselves (`error`): what is legible is held against the rest, so
 * that all faults are told at once, and none that only follows from another one.
 */
export function legibleCrossFaults(
  data: unknown,
  pins: Pins,
  error: z.ZodError,
  known: readonly Fault[],
): Fault[] {
  const legible = legibleSchema.safeParse(data);
  if (!legible.success) return [];
  const file = legible.data;
  // A history that can not be read says nothing: every declared cell counts as a member.
  const torn = error.issues.some(
    ({ path, code }) => path[0] === 'generations' && code !== 'unrecognized_keys',
  );
  if (torn) file.generations = [{ add: Object.keys(file.cells) }];
  return crossFaults(file, pins).filter(({ path }) => !known.some((fault) => related(path, fault.path)));
}

function related(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}.`) || b.startsWith(`${a}.`);
}

export function placementInput(file: Omit<LegibleFile, 'routes'>, pins: Pins): PlacementInput {
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
function originFaults({ cells }: Pick<LegibleFile, 'cells'>): Fault[] {
  const owners = new Map<string, string>();
  return Object.entries(cells).flatMap(([id, { origin }]) => {
    if (origin === undefined) return [];
    const address = addressOf(origin);
    const owner = owners.get(address);
    if (owner === undefined) owners.set(address, id);
    return owner === undefined
      ? []
      : [{ path: `cells.${id}.origin`, problem: `the same as that of ${owner} (allowed: its own)` }];
  });
}

/** Host and port, whatever is spoken there. */
function addressOf(origin: string): string {
  const { protocol, hostname, port } = new URL(origin);
  if (port !== '') return `${hostname}:${port}`;
  return `${hostname}:${protocol === 'https:' ? 443 : 80}`;
}

function routeFaults(file: LegibleFile): Fault[] {
  const seen = new Set<string>();
  const members = membersOf(file.generations);
  return file.routes.flatMap(({ path, tenantless }, index) => {
    const faults: Fault[] = [];
    if (path !== undefined && seen.has(routePrefix(path)))
      faults.push({ path: `routes.${index}.path`, problem: 'routed twice (allowed: once)' });
    if (path !== undefined) seen.add(routePrefix(path));
    if (typeof tenantless !== 'string' || members.has(tenantless)) return faults;
    const problem = Object.hasOwn(file.cells, tenantless) ? 'no member any more' : 'not a declared cell';
    const allowed = [...members].join(', ');
    faults.push({
      path: `routes.${index}.tenantless`,
      problem: `${tenantless} is ${problem} (allowed: ${allowed})`,
    });
    return faults;
  });
}

/** The cells that the history leaves in the fleet. */
function membersOf(generations: FleetFile['generations']): Set<string> {
  const members = new Set<string>();
  for (const { add = [], remove = [] } of generations) {
    for (const cell of add) members.add(cell);
    for (const cell of remove) members.delete(cell);
  }
  return members;
}
