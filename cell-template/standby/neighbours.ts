// Whose copy it is: which cell was the neighbour of the home, by the home's own rule, when its standby was copied.
import type { Partner } from './partner.ts';

/** Null: the home has no rule yet. */
export async function ruledNeighbour(home: Partner, cell: string): Promise<string | null> {
  const [row] = await home.ask<{ neighbour: string | null }>(
    `select rule ->> 'neighbour' as neighbour from public.rules where home = $1`,
    [cell],
  );
  return row?.neighbour ?? null;
}

/** The cell that holds this standby, by its own word; null: it has not said yet. */
export async function holderOf(standby: Partner): Promise<string | null> {
  const [row] = await standby.ask<{ holder: string | null }>('select holder from public.identity');
  return row?.holder ?? null;
}

export async function copiedFor(standby: Partner, subscription: string): Promise<string | null> {
  const [row] = await standby.ask<{ neighbour: string | null }>(
    'select neighbour from public.copies where subscription = $1',
    [subscription],
  );
  return row?.neighbour ?? null;
}

export async function noteCopied(
  standby: Partner,
  subscription: string,
  neighbour: string | null,
): Promise<void> {
  await standby.ask(
    `insert into public.copies (subscription, neighbour) values ($1, $2)
     on conflict (subscription) do update set neighbour = excluded.neighbour`,
    [subscription, neighbour],
  );
}
