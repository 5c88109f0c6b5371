// What a subscription needs next, from what both ends say of it. Pure.

/** At the subscriber. `relations`: the states of its tables, of which `r` and `s` have been copied (pg_subscription_rel). */
export type Subscribed = {
  /** Up to where it had applied the publisher's commits before the publisher was asked. */
  applied: bigint;
  enabled: boolean;
  slotName: string | null;
  connection: string;
  synchronousCommit: string;
  relations: readonly string[];
  errors: number;
  running: boolean;
};

/** At the publisher. `system`: its system identifier. `walStatus` null: the slot is gone (pg_replication_slots). */
export type Published = {
  system: string;
  lsn: bigint;
  tables: number;
  confirmed: bigint | null;
  walStatus: string | null;
};

/** `subscriber`: the system identifier of the server that it feeds. */
export type Wanted = {
  subscriber: string;
  slot: string;
  connection: string;
  synchronousCommit: string;
};

/**
 * `create`: there is none yet · `recreate`: what it misses can not be had any more (its slot is gone or was given up, it was
 * left half dropped, or it has applied what the publisher has not written): all is copied once more · `configure`: it
 * connects otherwise than it shall · `refresh`: the publisher has more tables · `none`.
 */
export type Step = 'create' | 'recreate' | 'configure' | 'refresh' | 'none';

export function nextStep(here: Subscribed | null, there: Published, wanted: Wanted): Step {
  if (there.tables === 0) return 'none';
  if (here === null) return 'create';
  if (!here.enabled || here.slotName !== wanted.slot) return 'recreate';
  if (there.walStatus === null || there.walStatus === 'lost') return 'recreate';
  // The publisher was set back: all that it writes up to there would be taken for applied.
  if (here.applied > there.lsn) return 'recreate';
  if (here.connection !== wanted.connection || here.synchronousCommit !== wanted.synchronousCommit)
    return 'configure';
  return here.relations.length < there.tables ? 'refresh' : 'none';
}

/** Whether all tables have been copied. `tables`: how many the publisher has, where it was asked. */
export function isCopied(here: Subscribed | null, tables = 1): boolean {
  if (here === null || here.relations.length < tables) return false;
  return here.relations.every((state) => 'rs'.includes(state));
}
