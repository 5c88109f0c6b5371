// What a subscription needs next, from what both ends say of it. Pure.

/** At the subscriber. `relations`: the states of its tables, of which `r` and `s` have been copied (pg_subscription_rel). */
export type Subscribed = {
  oid: string;
  enabled: boolean;
  slotName: string | null;
  connection: string;
  synchronousCommit: string;
  relations: readonly string[];
  errors: number;
  running: boolean;
};

/** At the publisher. `walStatus` null: the slot is gone (pg_replication_slots). */
export type Published = {
  lsn: bigint;
  tables: number;
  confirmed: bigint | null;
  walStatus: string | null;
};

export type Wanted = { connection: string; synchronousCommit: string };

/**
 * `create`: there is none yet · `recreate`: what it misses can not be had any more (its slot is gone or was given up, or it
 * was left half dropped): all is copied once more · `configure`: it connects otherwise than it shall · `refresh`: the
 * publisher has more tables · `none`.
 */
export type Step = 'create' | 'recreate' | 'configure' | 'refresh' | 'none';

export function nextStep(here: Subscribed | null, there: Published, wanted: Wanted): Step {
  if (there.tables === 0) return 'none';
  if (here === null) return 'create';
  if (!here.enabled || here.slotName === null) return 'recreate';
  if (there.walStatus === null || there.walStatus === 'lost') return 'recreate';
  if (here.connection !== wanted.connection || here.synchronousCommit !== wanted.synchronousCommit)
    return 'configure';
  return here.relations.length < there.tables ? 'refresh' : 'none';
}

/** Whether all tables have been copied. */
export function isCopied(here: Subscribed | null): boolean {
  return here !== null && here.relations.length > 0 && here.relations.every((state) => 'rs'.includes(state));
}
