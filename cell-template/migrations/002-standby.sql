-- What a cell needs so that its neighbour can stand in for it: rows that two databases can merge, and a second lock by tenant.
-- The home's own database and `standby_<home>` next door have the same schema. Logical replication ships the rows both ways;
-- the triggers here merge what both sides wrote. They never raise (the apply worker would try again for ever), and name
-- every table with its schema (its search path is empty).

alter table public.orders
  add column status text not null default 'placed' check (status in ('placed', 'confirmed', 'cancelled')),
  -- Grows by one with each write.
  add column version bigint not null default 1,
  -- That of the rule by which the last write was made, and the database (see `identity`) that made it.
  add column epoch bigint not null default 0,
  add column writer text not null default '',
  -- `<epoch>@<writer>` → the last version that was written there: tells an older state of the same row from another branch of it.
  add column lineage jsonb not null default '{"0@": 1}',
  -- Of the request that a client's Idempotency-Key stands for; null without one.
  add column request_digest text,
  add column updated_at timestamptz not null default clock_timestamp();

create table public.outbox (
  id uuid primary key,
  tenant text not null,
  order_id uuid not null,
  kind text not null,
  payload jsonb not null,
  epoch bigint not null,
  created_at timestamptz not null default clock_timestamp()
);

-- One row for each outbox entry that was carried out, whoever did it.
create table public.effects (
  outbox_id uuid primary key,
  tenant text not null,
  order_id uuid not null,
  kind text not null,
  details jsonb not null,
  cell text not null,
  done_at timestamptz not null default clock_timestamp()
);

-- What lost against a write of a higher (epoch, version): the last state of that branch.
create table public.conflicts (
  tenant text not null,
  order_id uuid not null,
  epoch bigint not null,
  writer text not null,
  version bigint not null,
  lost jsonb not null,
  kept jsonb not null,
  found_at timestamptz not null default clock_timestamp(),
  settled_at timestamptz,
  settlement text,
  primary key (tenant, order_id, epoch, writer)
);
-- Few, among many that were settled: listed and counted.
create index conflicts_open on public.conflicts (found_at) where settled_at is null;

-- The rule in force: of one home, the one whose rows these are.
create table public.rules (
  home text primary key,
  epoch bigint not null,
  rule jsonb not null
);

-- Written by each side to its own row: what was written before it has arrived when it has.
create table public.beats (
  cell text primary key,
  beat bigint not null
);

-- This database's alone: outbox entries that are neither in its queue nor carried out anywhere, as far as it knows.
create table public.pending (
  outbox_id uuid primary key references public.outbox (id),
  tenant text not null
);

-- This database's alone: another one in the place of one that was lost has another, so that what both wrote can be told apart.
-- `holder`: of a standby, the cell that holds it.
create table public.identity (id text not null, holder text);
insert into public.identity (id) values (left(replace(gen_random_uuid()::text, '-', ''), 12));

-- This database's alone: it was found empty. `asked`: its standby was asked, and was not: it is being filled again.
create table public.recovering (
  home text primary key,
  asked boolean not null,
  since timestamptz not null default clock_timestamp()
);

-- This database's alone: who was the neighbour, by the rule that its publisher had, when all was copied last; null: it had none.
create table public.copies (
  subscription text primary key,
  neighbour text
);

-- This database's alone: how it stood when its publisher last answered, and how far behind it was then.
create table public.looks (
  subscription text primary key,
  state text not null,
  lag_bytes bigint not null,
  lag_seconds double precision not null,
  looked_at timestamptz not null default clock_timestamp()
);
create index pending_of_tenant on public.pending (tenant);

-- ---------------------------------------------------------------------------------------------------------------------
-- The app's role: only rows of the tenant that the transaction names.

do $$
begin
  create role cell_app nologin;
exception
  -- A role is the server's, not the database's: a migration next door may make it at the same moment.
  when duplicate_object or unique_violation then null;
end
$$;
do $$
begin
  -- Who makes a role may not take it for that (since PostgreSQL 16); a superuser may anyway.
  if not pg_has_role(current_user, 'cell_app', 'set') then
    execute format('grant cell_app to %I with set true', current_user);
  end if;
end
$$;
grant usage on schema public to cell_app;
grant select, insert, update on public.orders to cell_app;
grant select, insert on public.outbox, public.effects to cell_app;
grant select, update on public.conflicts to cell_app;
grant select on public.rules to cell_app;

alter table public.orders enable row level security;
alter table public.outbox enable row level security;
alter table public.effects enable row level security;
alter table public.conflicts enable row level security;
create policy of_tenant on public.orders to cell_app using (tenant = current_setting('cellgate.tenant', true));
create policy of_tenant on public.outbox to cell_app using (tenant = current_setting('cellgate.tenant', true));
create policy of_tenant on public.effects to cell_app using (tenant = current_setting('cellgate.tenant', true));
create policy of_tenant on public.conflicts to cell_app using (tenant = current_setting('cellgate.tenant', true));

create function public.refuse_delete() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never deleted: a deletion does not merge', tg_table_name;
end
$$;
create trigger never_deleted before delete or truncate on public.orders for each statement execute function public.refuse_delete();
create trigger never_deleted before delete or truncate on public.outbox for each statement execute function public.refuse_delete();
create trigger never_deleted before delete or truncate on public.effects for each statement execute function public.refuse_delete();
create trigger never_deleted before delete or truncate on public.conflicts for each statement execute function public.refuse_delete();
create trigger never_deleted before delete or truncate on public.rules for each statement execute function public.refuse_delete();
create trigger never_deleted before delete or truncate on public.beats for each statement execute function public.refuse_delete();

-- ---------------------------------------------------------------------------------------------------------------------
-- Writes of this side.

create function public.branch_of(written public.orders) returns text language sql immutable as $$
  select written.epoch || '@' || written.writer
$$;

create function public.order_written() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  select id into new.writer from public.identity;
  if tg_op = 'UPDATE' then
    -- A newer rule's write is here: whoever writes by an older one serves a tenant that is not its own any more.
    if new.epoch < old.epoch then
      raise exception 'written by a newer rule' using errcode = 'CG421';
    end if;
    new.version := old.version + 1;
    new.lineage := old.lineage || jsonb_build_object(public.branch_of(new), new.version);
    new.updated_at := clock_timestamp();
  else
    new.version := 1;
    new.lineage := jsonb_build_object(public.branch_of(new), 1);
  end if;
  return new;
end
$$;
create trigger order_written before insert or update on public.orders
  for each row execute function public.order_written();

-- Fires for shipped rows, too: whichever side has the tenant relays them.
create function public.entry_pending() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  insert into public.pending (outbox_id, tenant)
    select new.id, new.tenant
    where not exists (select from public.effects where outbox_id = new.id)
    on conflict do nothing;
  return null;
end
$$;
create trigger entry_pending after insert on public.outbox for each row execute function public.entry_pending();
alter table public.outbox enable always trigger entry_pending;

create function public.entry_done() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  delete from public.pending where outbox_id = new.outbox_id;
  return null;
end
$$;
create trigger entry_done after insert on public.effects for each row execute function public.entry_done();
alter table public.effects enable always trigger entry_done;

-- ---------------------------------------------------------------------------------------------------------------------
-- Rows of the other side: the higher (epoch, version) wins, never the clock. Nothing disappears.

-- Sets every column of the row that has the key of `arrived` to that of `arrived`; what its update trigger makes of that is up to it.
create function public.update_whole(relation regclass, arrived anyelement, key text) returns void language plpgsql as $$
declare
  columns text;
begin
  select string_agg(format('%1$I = ($1).%1$I', attname), ', ') into columns
    from pg_catalog.pg_attribute where attrelid = relation and attnum > 0 and not attisdropped;
  execute format('update %s set %s where (%s) = (%s)', relation, columns, key,
    (select string_agg(format('($1).%I', trim(part)), ', ') from unnest(string_to_array(key, ',')) as part)) using arrived;
end
$$;

create function public.note_conflict(lost public.orders, kept public.orders) returns void language plpgsql as $$
begin
  -- The same order by another way (its key was sent again next door): nothing was lost, nor by what this branch had before.
  -- That it is confirmed is no client's word: each side does that by itself.
  if (lost.item, lost.quantity, lost.status = 'cancelled')
    is not distinct from (kept.item, kept.quantity, kept.status = 'cancelled') then
    update public.conflicts set settled_at = clock_timestamp(), settlement = 'superseded'
      where tenant = lost.tenant and order_id = lost.id and epoch = lost.epoch and writer = lost.writer
        and version < lost.version and settled_at is null;
    return;
  end if;
  -- Of a branch its last state counts, also where an earlier one was settled.
  insert into public.conflicts as known (tenant, order_id, epoch, writer, version, lost, kept)
    values (lost.tenant, lost.id, lost.epoch, lost.writer, lost.version, to_jsonb(lost), to_jsonb(kept))
    on conflict (tenant, order_id, epoch, writer) do update
      set version = excluded.version, lost = excluded.lost, kept = excluded.kept, settled_at = null, settlement = null
      where known.version < excluded.version;
end
$$;

-- What was taken for lost turns out to be an older state of what is kept.
create function public.drop_false_conflicts(kept public.orders) returns void language plpgsql as $$
begin
  update public.conflicts set settled_at = clock_timestamp(), settlement = 'superseded'
    where tenant = kept.tenant and order_id = kept.id and settled_at is null
      and coalesce((kept.lineage ->> (epoch || '@' || writer))::bigint, 0) >= version;
end
$$;

create function public.merge_order() returns trigger language plpgsql as $$
begin
  -- What is here is an older state of what arrives: the usual case.
  if coalesce((new.lineage ->> public.branch_of(old))::bigint, 0) >= old.version then
    perform public.drop_false_conflicts(new);
    return new;
  end if;
  -- What arrives is an older state of what is here: it comes a second time, with a copy.
  if coalesce((old.lineage ->> public.branch_of(new))::bigint, 0) >= new.version then
    return null;
  end if;
  if (new.epoch, new.version, new.lineage::text) > (old.epoch, old.version, old.lineage::text) then
    perform public.note_conflict(old, new);
    perform public.drop_false_conflicts(new);
    return new;
  end if;
  perform public.note_conflict(new, old);
  return null;
end
$$;
create function public.merge_new_order() returns trigger language plpgsql as $$
declare
  here public.orders;
begin
  select * into here from public.orders where tenant = new.tenant and id = new.id;
  if not found then
    return new;
  end if;
  -- Without a lock: most rows of a copy made anew are here already, and a copy is one long transaction.
  if coalesce((here.lineage ->> public.branch_of(new))::bigint, 0) >= new.version then
    return null;
  end if;
  perform public.update_whole('public.orders', new, 'tenant, id');
  return null;
end
$$;
create trigger merge before update on public.orders for each row execute function public.merge_order();
create trigger merge_new before insert on public.orders for each row execute function public.merge_new_order();

create function public.merge_new_entry() returns trigger language plpgsql as $$
begin
  perform from public.outbox where id = new.id;
  if found then
    return null;
  end if;
  return new;
end
$$;
create trigger merge_new before insert on public.outbox for each row execute function public.merge_new_entry();

-- Carried out on both sides: the same one is kept on both.
create function public.merge_new_effect() returns trigger language plpgsql as $$
declare
  here public.effects;
begin
  select * into here from public.effects where outbox_id = new.outbox_id for update;
  if not found then
    return new;
  end if;
  if (new.done_at, new.cell) < (here.done_at, here.cell) then
    perform public.update_whole('public.effects', new, 'outbox_id');
  end if;
  return null;
end
$$;
create trigger merge_new before insert on public.effects for each row execute function public.merge_new_effect();

create function public.merge_rule() returns trigger language plpgsql as $$
begin
  if new.epoch > old.epoch then
    return new;
  end if;
  return null;
end
$$;
-- For tables with few rows. Argument: the columns of the key.
create function public.merge_new_row() returns trigger language plpgsql as $$
declare
  key text := tg_argv[0];
  given text;
  known boolean;
begin
  select string_agg(format('($1).%I', trim(part)), ', ') into given from unnest(string_to_array(key, ',')) as part;
  execute format('select true from %s where (%s) = (%s) for update', tg_relid::regclass, key, given) into known using new;
  if known is null then
    return new;
  end if;
  perform public.update_whole(tg_relid, new, key);
  return null;
end
$$;
create trigger merge before update on public.rules for each row execute function public.merge_rule();
create trigger merge_new before insert on public.rules for each row execute function public.merge_new_row('home');

create function public.merge_beat() returns trigger language plpgsql as $$
begin
  if new.beat > old.beat then
    return new;
  end if;
  return null;
end
$$;
create trigger merge before update on public.beats for each row execute function public.merge_beat();
create trigger merge_new before insert on public.beats for each row execute function public.merge_new_row('cell');

-- A settled one stays settled; of two branches' states the later one is kept.
create function public.merge_conflict() returns trigger language plpgsql as $$
begin
  if new.version > old.version or (new.version = old.version and old.settled_at is null) then
    return new;
  end if;
  return null;
end
$$;
create trigger merge before update on public.conflicts for each row execute function public.merge_conflict();
create trigger merge_new before insert on public.conflicts for each row execute function public.merge_new_row('tenant, order_id, epoch, writer');

do $$
declare
  of_table text;
  of_trigger text;
begin
  for of_table, of_trigger in
    select tgrelid::regclass::text, tgname from pg_catalog.pg_trigger
      where tgname in ('merge', 'merge_new') and not tgisinternal
  loop
    execute format('alter table %s enable replica trigger %I', of_table, of_trigger);
  end loop;
end
$$;

-- Neither deletions nor truncations travel: there are none.
create publication cellgate for table
  public.orders, public.outbox, public.effects, public.conflicts, public.rules, public.beats
  with (publish = 'insert, update');
