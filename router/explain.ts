// Why a tenant is served where it is: the same decisions as a request meets, without a request.
import { chooseCell, type Choice, type Role } from './choose-cell.ts';
import { findHome } from './find-home.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { Monitor } from './health/monitor.ts';
import type { QuarantineEntry } from './health/verdicts/quarantine.ts';
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
  const found = findHome(location, monitor);
  const { home } = found;
  const record = monitor.recordOf(home);
  const choice: Choice =
    'refusal' in found ? { ...found, epoch: record.epoch } : chooseCell(home, tenant, monitor, false);
  const quarantined = monitor.quarantine.of(tenant);
  const served = quarantined === null && 'cell' in choice ? choice : null;
  const movingTo = 'refusal' in found ? null : found.movingTo;
  return {
    tenant,
    bucket: location.bucket,
    home,
    neighbour: record.neighbour,
    pin: runtimePin(record, tenant) ?? location.pin,
    cell: served?.cell ?? null,
    role: served?.role ?? null,
    epoch: choice.epoch,
    reason: [
      ...(quarantined === null ? [] : [quarantineText(quarantined)]),
      choice.reason,
      ...(movingTo === null ? [] : [`to be moved to ${movingTo}`]),
    ].join('; '),
  };
}

function quarantineText({ until, actor, reason }: QuarantineEntry): string {
  return `quarantined by ${actor} until ${new Date(until).toISOString()}: ${reason}`;
}

function runtimePin({ pins }: HealthRecord, tenant: string): string | null {
  return Object.hasOwn(pins, tenant) ? (pins[tenant]?.cell ?? null) : null;
}
