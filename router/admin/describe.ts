// Records and events in the form operators read them: times in ISO 8601 UTC, absent values null.
import type { Fleet } from '../fleet/fleet.ts';
import type { Monitor } from '../health/monitor.ts';
import type { HealthEvent, HealthRecord } from '../health/record.ts';

/** Every cell that is or may be the home of buckets, or is a member, by name. `buckets`: how many it is the home of. */
export function describeCells(fleet: Fleet, monitor: Monitor) {
  const { buckets } = monitor;
  return fleet.placement.cells.map((id) => {
    const record = monitor.recordOf(id);
    const cell = fleet.cells.get(id);
    return {
      id,
      origin: cell?.origin ?? null,
      zone: cell?.zone ?? null,
      neighbour: record.neighbour,
      state: record.state,
      phase: record.phase,
      target: record.target,
      epoch: record.epoch,
      share: record.share,
      operation: record.operation,
      deadline: isoTime(record.deadline),
      pins: Object.keys(record.pins).length,
      since: isoTime(record.since),
      cause: record.cause,
      /** What its neighbour says of its standby of it, as against what the quorum found. */
      standby: monitor.standbyOf(id),
      buckets: buckets.get(id)?.owned ?? 0,
      /** How many of them are to be cut over, by the cell that they are to go to. */
      moving: buckets.get(id)?.moving ?? {},
      version: monitor.versionOf(id),
      /** This router's own opinion, as against the verdict in `state`. */
      opinion: monitor.opinionOf(id),
      /** `release`: it fails, and has done so since its version changed. */
      suspect: monitor.suspectOf(id),
    };
  });
}

export function describeEvent(event: HealthEvent) {
  return { ...event, at: isoTime(event.at) };
}

/** A whole record, as a change answers with it. */
export function describeRecord(record: HealthRecord) {
  const { since, returned, handover } = record;
  return {
    ...withIsoTimes(record),
    since: isoTime(since),
    returned: isoTime(returned),
    handover: handover && {
      ...handover,
      until: isoTime(handover.until),
      from: withIsoTimes(handover.from),
    },
  };
}

function withIsoTimes<T extends Pick<HealthRecord, 'deadline' | 'pins'>>(record: T) {
  const pins = Object.entries(record.pins).map(([tenant, { cell, until }]) => {
    return [tenant, { cell, until: isoTime(until) }] as const;
  });
  return { ...record, deadline: isoTime(record.deadline), pins: Object.fromEntries(pins) };
}

function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
