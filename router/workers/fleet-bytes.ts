// A fleet on its way to the workers: written once for all of them, because one of a million pins takes seconds to write.
import { deserialize, serialize } from 'node:v8';
import type { Fleet } from '../fleet/fleet.ts';
import { buildPlacement } from '../placement/placement.ts';

/** A fleet without what is computed from it: each process builds the same placement of the same history. */
type FleetData = Omit<Fleet, 'placement'>;

const written = new WeakMap<Fleet, Uint8Array>();

export function bytesOf(fleet: Fleet): Uint8Array {
  const known = written.get(fleet);
  if (known !== undefined) return known;
  const { digest, sources, cells, history, routes, rates, requiresStandby } = fleet;
  const data: FleetData = { digest, sources, cells, history, routes, rates, requiresStandby };
  const bytes = serialize(data);
  written.set(fleet, bytes);
  return bytes;
}

/** The fleet that `bytesOf` has written, by another process of this machine. */
export function fleetOf(bytes: Uint8Array): Fleet {
  const data = deserialize(bytes) as FleetData;
  return { ...data, placement: buildPlacement(data.history) };
}
