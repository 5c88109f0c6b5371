-- Orders, each of one tenant; the key begins with the tenant, so that no look-up is possible without one.
create table orders (
  tenant text not null,
  id uuid not null,
  item text not null,
  quantity integer not null check (quantity > 0),
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant, id)
);

create index orders_newest_first on orders (tenant, created_at desc, id desc);
