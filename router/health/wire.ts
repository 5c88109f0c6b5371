// What Redis holds is hostile input: anybody may have written it. These schemas let through what is well formed.
import { z } from 'zod';
import type { HealthEvent, HealthRecord } from './record.ts';

const state = z.enum(['serving', 'failed-over', 'returning', 'drained']);
const cause = z.enum([
  'unreachable',
  'self-declared',
  'operator',
  'recovered',
  'neighbour-lost',
  'expired',
  'rollout',
  'move',
]);
const cell = z.string().min(1).max(256);
const percent = z.number().min(0).max(100);
const bucket = z.int().min(0).max(65_535);
const epoch = z.int().min(1);

const record = z
  .object({
    home: cell,
    neighbour: cell.nullable(),
    state,
    phase: z.enum(['open', 'closing']),
    target: cell,
    epoch,
    share: percent,
    shareBefore: percent,
    operation: z.int().nullable(),
    position: z.string().nullable(),
    deadline: z.int().nullable(),
    since: z.int().nullable(),
    cause: cause.nullable(),
    pins: z.record(z.string(), cell),
    moved: z.array(z.tuple([bucket, bucket])),
  })
  .refine(
    ({ home, neighbour, target }) => target === home || target === neighbour,
  ) satisfies z.ZodType<HealthRecord>;

const event = z.object({
  at: z.int(),
  cell,
  from: state,
  to: state,
  epoch,
  cause,
  actor: z.string(),
  reason: z.string(),
  details: z.record(z.string(), z.unknown()).nullable(),
}) satisfies z.ZodType<Omit<HealthEvent, 'id'>>;

const change = z.object({ revision: z.int().min(0), records: z.array(z.unknown()) });

const storeMs = z.coerce.number().int();

/** What `scripts/beat.lua` answers; the time alone where the beat came too late to count. */
export const beatAnswer = z.union([
  z.tuple([storeMs]),
  z.tuple([
    storeMs,
    z.coerce.number().int(),
    z.string(),
    z.literal([0, 1]),
    z.array(z.string()),
    z.array(z.string()),
  ]),
]);

/** One record from its JSON, or null when it is malformed. */
export function readRecord(json: string): HealthRecord | null {
  return record.safeParse(parsed(json)).data ?? null;
}

/** A rule as a cell shows it: a record without `since` and `cause`. Null when it is malformed. */
export function readRule(value: unknown): HealthRecord | null {
  if (typeof value !== 'object' || value === null) return null;
  return record.safeParse({ since: null, cause: null, ...value }).data ?? null;
}

/** One event from its JSON, or null when it is malformed. */
export function readEvent(id: string, json: string): HealthEvent | null {
  const { data } = event.safeParse(parsed(json));
  return data === undefined ? null : { id, ...data };
}

/**
 * A published change. `malformed` counts the records that were left out; null: the message itself is malformed.
 */
export function readChange(
  json: string,
): { revision: number; records: HealthRecord[]; malformed: number } | null {
  const { data } = change.safeParse(parsed(json));
  if (data === undefined) return null;
  const records = data.records.flatMap((one) => record.safeParse(one).data ?? []);
  return { revision: data.revision, records, malformed: data.records.length - records.length };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
