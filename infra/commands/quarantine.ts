// `cellgate quarantine` and `unquarantine`: which tenants are refused, and who is to be, or to be no more.
import { Command } from 'commander';
import { EXIT, Failure } from '../failure.ts';
import { table } from '../table.ts';
import { askAdmin, changeAdmin } from './admin.ts';
import { readSeconds } from './operation-options.ts';

type Print = (text: string) => void;
type Options = { reason?: string; owner?: string; expiresIn?: number; json?: boolean };

/** One of `GET /v1/quarantine`. Times are ISO 8601. */
export type QuarantinedTenant = {
  tenant: string;
  home: string;
  since: string;
  until: string;
  actor: string;
  owner: string | null;
  reason: string;
};

/** Both, to be added to the program. Each throws a `Failure`: 1 refused, 2 bad input. */
export function quarantineCommands(print: Print): Command[] {
  const quarantine = new Command('quarantine')
    .argument('[tenant]')
    .description('refuse a tenant, whichever cell serves it; without one: list who is refused')
    .option('--reason <text>', 'why: it stands in the event')
    .option('--owner <name>', 'who answers for it')
    .option('--expires-in <time>', 'when it ends by itself: 45s, 30m, 2h, 7d, or seconds', readSeconds)
    .option('--json', 'as JSON')
    .action(async (tenant: string | undefined, options: Options) =>
      print(tenant === undefined ? await list(options) : await refuse(tenant, options)),
    );
  const unquarantine = new Command('unquarantine')
    .argument('<tenant>')
    .description('let a tenant in again')
    .option('--reason <text>', 'why: it stands in the event')
    .option('--owner <name>', 'who answers for it')
    .option('--json', 'as JSON')
    .action(async (tenant: string, { json, ...words }: Options) => {
      const entry = (await changeAdmin('DELETE', pathOf(tenant), words)) as QuarantinedTenant;
      print(json === true ? JSON.stringify(entry, null, 2) : `${tenant}: let in again`);
    });
  return [quarantine, unquarantine];
}

async function list({ json, ...words }: Options): Promise<string> {
  if (Object.keys(words).length > 0) throw new Failure(EXIT.badInput, 'which tenant?');
  const told = (await askAdmin('/v1/quarantine')) as { quarantine: QuarantinedTenant[] };
  return json === true ? JSON.stringify(told, null, 2) : quarantineText(told.quarantine);
}

async function refuse(tenant: string, { reason, owner, expiresIn, json }: Options): Promise<string> {
  if (reason === undefined || owner === undefined || expiresIn === undefined) {
    throw new Failure(EXIT.badInput, '--reason, --owner and --expires-in are needed');
  }
  const entry = (await changeAdmin('PUT', pathOf(tenant), { reason, owner, expiresIn })) as QuarantinedTenant;
  return json === true ? JSON.stringify(entry, null, 2) : `${tenant}: refused until ${entry.until}`;
}

function quarantineText(tenants: readonly QuarantinedTenant[]): string {
  if (tenants.length === 0) return 'nobody is quarantined';
  const rows = tenants.map(({ tenant, home, until, actor, owner, reason }) => {
    return [tenant, home, until, actor, owner ?? '-', reason];
  });
  return table(['tenant', 'home', 'until', 'by', 'owner', 'reason'], rows);
}

function pathOf(tenant: string): string {
  return `/v1/quarantine/${encodeURIComponent(tenant)}`;
}
