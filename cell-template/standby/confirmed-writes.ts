// DURABILITY: whether a write is confirmed once this cell's own disk has it, or only once the standby's has it as well.
import { escapeLiteral } from 'pg';
import type { Durability } from '../config.ts';
import { standbySubscription } from './names.ts';
import { withPartner, type Partner } from './partner.ts';

/**
 * Sets the server of `url` up for it. `sync`: transactions that ask for it (`synchronous_commit = on`) wait for the standby;
 * all others, and what arrives by replication, wait for this disk alone: two cells that wait for each other would stop.
 * Needs a superuser, or the right to alter these two settings.
 */
export async function confirmWrites(url: string, cell: string, durability: Durability): Promise<void> {
  const names = standbySubscription(cell);
  await withPartner(url, async (server) => {
    if (durability === 'sync') {
      await set(server, 'synchronous_commit', 'local');
      await set(server, 'synchronous_standby_names', names);
    } else {
      const [row] = await server.ask<{ names: string }>(
        `select current_setting('synchronous_standby_names') as names`,
      );
      if (row?.names !== names) return;
      await server.ask('alter system reset synchronous_standby_names');
      await server.ask('alter system reset synchronous_commit');
    }
    await server.ask('select pg_reload_conf()');
  });
}

async function set(server: Partner, setting: string, value: string): Promise<void> {
  await server.ask(`alter system set ${setting} = ${escapeLiteral(value)}`);
}
