// The statements that make, change and end a subscription (CREATE SUBSCRIPTION and its kin, PostgreSQL 18).
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { Wanted } from './link-step.ts';
import type { Partner } from './partner.ts';

/** A new slot waits for the publisher's transactions under way. */
const SLOT_LIMIT_MS = 20_000;

/**
 * Ships from `there` to `here` from now on, after a copy of all that is there. `origin = none`: what came by replication
 * is not sent on, or every row would go round for ever.
 */
export async function subscribe(here: Partner, there: Partner, name: string, wanted: Wanted): Promise<void> {
  await dropSlots(there, name, wanted);
  // By itself: CREATE SUBSCRIPTION would do it inside a transaction of its own, and two that set up both directions of a pair
  // at once would each wait for the other's to end.
  await there.ask(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [wanted.slot], SLOT_LIMIT_MS);
  await here.ask(
    `create subscription ${escapeIdentifier(name)} connection ${escapeLiteral(wanted.connection)} publication cellgate
     with (origin = none, create_slot = false, slot_name = ${escapeLiteral(wanted.slot)}, copy_data = true,
       synchronous_commit = ${escapeLiteral(wanted.synchronousCommit)})`,
    [],
    SLOT_LIMIT_MS,
  );
}

/** Ends it at this side, whether or not the publisher can be reached; may be called again where it was interrupted. */
export async function unsubscribe(here: Partner, name: string): Promise<void> {
  const subscription = escapeIdentifier(name);
  await here.ask(`alter subscription ${subscription} disable`);
  await here.ask(`alter subscription ${subscription} set (slot_name = none)`);
  // One that still copied asks the publisher, which may be away (`connect_timeout`).
  await here.ask(`drop subscription ${subscription}`, [], SLOT_LIMIT_MS);
}

/** The subscription connects anew, as `wanted`. */
export async function configure(here: Partner, name: string, wanted: Wanted): Promise<void> {
  const subscription = escapeIdentifier(name);
  await here.ask(
    `alter subscription ${subscription} set (synchronous_commit = ${escapeLiteral(wanted.synchronousCommit)})`,
  );
  await here.ask(`alter subscription ${subscription} connection ${escapeLiteral(wanted.connection)}`);
}

export async function refresh(here: Partner, name: string): Promise<void> {
  await here.ask(`alter subscription ${escapeIdentifier(name)} refresh publication`, [], SLOT_LIMIT_MS);
}

/**
 * Its own slot, whoever reads from it, and those of its own copies: they would keep WAL, and the new one needs the name. Those of
 * other servers for the same are left alone, unless nobody has read from them for long: another neighbour may have one.
 */
async function dropSlots(there: Partner, name: string, { slot, subscriber }: Wanted): Promise<void> {
  // Whoever still streams from it does so for a subscription that is gone.
  await there.ask(
    'select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = $1 and active_pid is not null',
    [slot],
  );
  await there.ask(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots
     where database = current_database() and active_pid is null
       and (slot_name = $1 or slot_name ~ ('^pg_[0-9]+_sync_[0-9]+_' || $3 || '$')
         or (starts_with(slot_name, $2) and inactive_since < clock_timestamp() - interval '1 hour'))`,
    [slot, `${name}_`, subscriber],
  );
}
