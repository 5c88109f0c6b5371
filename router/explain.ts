// Why a tenant is served where it is: the same decisions as a request meets, without a request.
import { chooseCell, type Choice, type Role } from './choose-cell.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { Monitor } from './health/monitor.ts';
import type { HealthRecord } from './health/record.ts';

export type Explanation = {
  tenant: string;
  bucket: number;
  home: string;
  neighbour: string | null;
  /** Of the fleet file, or one of run time, which beats it. */
  pin: string | null;
  /** The cell that serves the tenant now; null: it would be refused, and `reason` says why. */
  cell: string | null;
  role: Role | null;
  epoch: number;
  reason: string;
};

/** What would happen to a request of `tenant` right now, and why. */
export function explain(tenant: string, fleet: Fleet, monitor: Monitor): Explanation {
  const location = fleet.placement.locate(tenant);
  const choice: Choice = chooseCell(location.home, tenant, monitor, false);
  const record = monitor.recordOf(location.home);
  const served = 'cell' in choice ? choice : null;
  return {
    tenant,
    bucket: location.bucket,
    home: location.home,
    neighbour: record.neighbour,
    pin: runtimePin(record, tenant) ?? location.pin,
    cell: served?.cell ?? null,
    role: served?.role ?? null,
    epoch: choice.epoch,
    reason:
      location.movingTo === null ? choice.reason : `${choice.reason}; to be moved to ${location.movingTo}`,
  };
}

function runtimePin({ pins }: HealthRecord, tenant: string): string | null {
  return Object.hasOwn(pins, tenant) ? (pins[tenant]?.cell ?? null) : null;
}
