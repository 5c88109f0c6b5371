// Which cells may serve a tenant, by the fleet file, while one kind of change or another is played. Pure.
import type { Fleet } from '../../router/fleet/fleet.ts';

/** The cells that may serve this tenant. */
export type MayServe = (tenant: string) => readonly string[];

type Placed = Pick<Fleet, 'placement'>;

export function atHomeOrNeighbour({ placement }: Placed): MayServe {
  return (tenant) => {
    const { home } = placement.locate(tenant);
    return [home, placement.neighbourOf(home) ?? home];
  };
}

/** Nobody is away. */
export function atHomeAlone({ placement }: Placed): MayServe {
  return (tenant) => [placement.locate(tenant).home];
}

/** Buckets are cut over, and nobody is away. */
export function atBothHomes({ placement }: Placed): MayServe {
  return (tenant) => {
    const { home, movingTo } = placement.locate(tenant);
    return [home, movingTo ?? home];
  };
}
