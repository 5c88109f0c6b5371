// What Redis holds is hostile input: anybody may have written it. These schemas let through what is well formed.
import { z } from 'zod';
import type { HomeLoad } from '../load.ts';
import type { QuarantineChange } from '../verdicts/quarantine.ts';
import { readQuarantineChange } from './quarantine-wire.ts';
import type { EventEntry, HealthEvent, HealthRecord } from '../record.ts';
import { routerOf, type SafetyRule } from '../store.ts';

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
/** Epoch milliseconds that are a date: others can be shown to nobody. */
const moment = z.int().min(-8.64e15).max(8.64e15);

const pin = z.object({ cell, until: moment });
const moved = z.union([
  z.object({ buckets: z.tuple([bucket, bucket]), to: cell, generation: z.int().min(0) }),
  z.object({ tenant: z.string(), to: cell }),
]);
const changing = z.object({
  tenants: z.array(z.string()),
  buckets: z.array(z.tuple([bucket, bucket])),
});
/** By tenant. No `z.record`: it loses a tenant that is called `__proto__`. */
const pins = z
  .custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
  .transform((value) => Object.entries(value))
  .pipe(z.array(z.tuple([z.string(), pin])))
  .transform((entries) => Object.fromEntries(entries));
const before = z.object({
  state,
  target: cell,
  operation: z.int().nullable(),
  deadline: moment.nullable(),
  cause: cause.nullable(),
  pins,
  moved: z.array(moved),
});
const handover = z.object({
  until: moment,
  actor: z.string(),
  reason: z.string(),
  to: cell.nullable(),
  from: before,
});

/** Loose: what a newer release keeps in a record is brought back with it. */
const record = z
  .looseObject({
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
    deadline: moment.nullable(),
    since: moment.nullable(),
    cause: cause.nullable(),
    pins,
    moved: z.array(moved),
    // Records of a release before handovers lack these.
    changing: changing.nullable().default(null),
    returned: moment.nullable().default(null),
    relapses: z.int().min(0).default(0),
    undone: z.int().min(0).default(0),
    handover: handover.nullable().default(null),
  })
  .refine(
    ({ home, neighbour, target }) => target === home || target === neighbour,
  ) satisfies z.ZodType<HealthRecord>;

const event = z.object({
  at: moment,
  cell,
  from: state,
  to: state,
  epoch,
  cause,
  actor: z.string(),
  reason: z.string(),
  details: z.record(z.string(), z.unknown()).nullable(),
}) satisfies z.ZodType<EventEntry>;

const change = z.object({
  revision: z.int().min(0),
  records: z.array(z.unknown()),
  quarantine: z.array(z.unknown()).default([]),
});

const storeMs = z.coerce.number().int();

const flag = z.literal([0, 1]).transform((value) => value === 1);
const heldWhy = z.enum(['budget', 'no-target', 'no-standby', 'suspect-release', 'warming-up']);

/** What `scripts/beat.lua` answers; the time alone where the beat came too late to count. */
export const beatAnswer = z.union([
  z.tuple([storeMs]),
  z.tuple([
    storeMs,
    z.coerce.number().int(),
    z.string(),
    flag,
    flag,
    z.array(z.string()).transform((flat) =>
      rowsOf(flat, 4).map(([name = '', fleetDigest = '', ageMs, current]) => {
        return { id: routerOf(name), name, fleetDigest, ageMs: Number(ageMs), current: current === '1' };
      }),
    ),
    z
      .array(z.string())
      .transform((flat) => rowsOf(flat, 2).map(([home, why]) => ({ home, why })))
      .pipe(z.array(z.object({ home: z.string(), why: heldWhy }))),
    z.array(z.string()),
    z.array(z.string()).nullable(),
  ]),
]);

const safetyRule = z.enum([
  'target-up',
  'target-not-drained',
  'standby-synced',
  'caught-up',
]) satisfies z.ZodType<SafetyRule>;

const nothing = z.literal('');

const revision = z.coerce.number().int();

/** What `scripts/operate.lua` answers: what, the safety rule to overrule, the record, and the store's revision with it. */
export const operateAnswer = z.union([
  z.tuple([z.literal('done'), nothing, z.string(), revision]),
  z.tuple([
    z.enum(['not-found', 'no-neighbour', 'target-away', 'behind', 'passive']),
    nothing.transform(() => null),
    nothing,
  ]),
  z.tuple([z.enum(['target-down', 'target-drained', 'no-standby']), safetyRule, nothing]),
]);

/** What `scripts/change.lua` answers: the same. */
export const changeAnswer = z.union([
  z.tuple([z.literal('done'), nothing, z.string(), revision]),
  z.tuple([
    z.enum([
      'not-found',
      'no-neighbour',
      'target-away',
      'handover-under-way',
      'already-away',
      'old-routers',
      'warming-up',
      'not-at-home',
      'third-cell',
      'too-many-pins',
      'too-many-moves',
      'behind',
      'passive',
    ]),
    nothing.transform(() => null),
    nothing,
  ]),
  z.tuple([z.enum(['target-down', 'target-drained', 'no-standby', 'not-caught-up']), safetyRule, nothing]),
]);

function rowsOf(flat: readonly string[], width: number): string[][] {
  return Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
}

/** One record from its JSON, or null when it is malformed. */
export function readRecord(json: string): HealthRecord | null {
  return record.safeParse(parsed(json)).data ?? null;
}

/**
 * More than any home ever changes. The highest wins, so that one cell could show one that no change can go beyond.
 */
const SHOWN_EPOCH_MAX = 2 ** 52 - 1;

/**
 * A rule as a cell shows it: a record without `since`, `cause` and `returned`, which are the store's to say. Null when it is
 * malformed.
 */
export function readRule(value: unknown): HealthRecord | null {
  if (typeof value !== 'object' || value === null) return null;
  const rule = record.safeParse({ ...value, since: null, cause: null, returned: null }).data ?? null;
  return rule !== null && rule.epoch <= SHOWN_EPOCH_MAX ? rule : null;
}

/** One event from its JSON, or null when it is malformed. What was refused meanwhile is kept elsewhere. */
export function readEvent(id: string, json: string): Omit<HealthEvent, 'tenantSecondsRefused'> | null {
  const { data } = event.safeParse(parsed(json));
  return data === undefined ? null : { id, ...data };
}

/** What was published. `malformed` counts what was left out of it. */
type Published = {
  revision: number;
  records: HealthRecord[];
  quarantine: QuarantineChange[];
  malformed: number;
};

/** A published change; null: the message itself is malformed. */
export function readChange(json: string): Published | null {
  const { data } = change.safeParse(parsed(json));
  if (data === undefined) return null;
  const records = data.records.flatMap((one) => record.safeParse(one).data ?? []);
  const quarantine = data.quarantine.flatMap((one) => readQuarantineChange(one) ?? []);
  const all = data.records.length + data.quarantine.length;
  return {
    revision: data.revision,
    records,
    quarantine,
    malformed: all - records.length - quarantine.length,
  };
}

const homes = z.array(cell).max(20_000);
const amounts = z.array(z.number().min(0).max(1e12)).max(20_000);

/** Loose: a newer release may tell more in columns of its own. */
const load = z
  .looseObject({ version: z.literal(1), homes, rps: amounts, concurrency: amounts, tunnels: amounts })
  .refine(({ homes, ...told }) =>
    [told.rps, told.concurrency, told.tunnels].every(({ length }) => length === homes.length),
  )
  .transform(({ homes, rps, concurrency, tunnels }): HomeLoad[] =>
    homes.map((home, i) => ({
      home,
      rps: rps[i] ?? 0,
      concurrency: concurrency[i] ?? 0,
      tunnels: tunnels[i] ?? 0,
    })),
  );

/** What one machine told of its load, or null when it is malformed or of a version that is not known here. */
export function readLoad(json: string): HomeLoad[] | null {
  return load.safeParse(parsed(json)).data ?? null;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
