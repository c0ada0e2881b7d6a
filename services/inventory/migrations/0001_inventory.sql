-- Stock, its holds and its journal. All of it is tenant-owned and lives in the tenant's cell.

create table warehouse (
    warehouse_id uuid primary key,
    tenant_id    uuid not null,
    code         text not null check (char_length(code) between 1 and 32),
    name         text not null check (char_length(name) between 1 and 100),
    country      text not null default '' check (country = '' or country ~ '^[A-Z]{2}$'),
    postal_code  text not null default '',
    is_default   boolean not null,
    version      integer not null default 1,
    created_at   timestamptz not null
);
create unique index warehouse_code on warehouse (tenant_id, code);
create unique index warehouse_default on warehouse (tenant_id) where is_default;
alter table warehouse enable row level security;
alter table warehouse force row level security;
create policy tenant on warehouse using (kit_tenant_visible(tenant_id));

-- What the catalog calls a variant, and when its seller wants to be told that it runs low.
create table stock_item (
    tenant_id       uuid not null,
    variant_id      uuid not null,
    product_id      uuid,
    sku             text not null,
    title           text not null,
    product_version integer not null,          -- the catalog's; an older snapshot changes nothing
    removed         boolean not null default false,
    low_at          bigint not null default 0 check (low_at >= 0),
    primary key (tenant_id, variant_id)
);
create index stock_item_sku on stock_item (tenant_id, sku);
create index stock_item_product on stock_item (tenant_id, product_id);
alter table stock_item enable row level security;
alter table stock_item force row level security;
create policy tenant on stock_item using (kit_tenant_visible(tenant_id));

-- The row whose lock guards everything about a variant in a warehouse, its holds included.
create table stock (
    tenant_id    uuid not null,
    variant_id   uuid not null,
    warehouse_id uuid not null references warehouse,
    available    bigint not null default 0 constraint stock_never_below_zero check (available >= 0),
    reserved     bigint not null default 0 constraint reserved_never_below_zero check (reserved >= 0),
    incoming     bigint not null default 0 constraint incoming_never_below_zero check (incoming >= 0),
    step         bigint not null default 0,    -- of the newest journal entry
    primary key (tenant_id, variant_id, warehouse_id)
) with (fillfactor = 80);
alter table stock enable row level security;
alter table stock force row level security;
create policy tenant on stock using (kit_tenant_visible(tenant_id));

create table stock_hold (
    reservation_id uuid not null,              -- the order's id
    tenant_id      uuid not null,
    variant_id     uuid not null,
    warehouse_id   uuid not null,
    quantity       bigint not null check (quantity > 0),
    returned       bigint not null default 0 constraint never_more_returned_than_sold check (returned between 0 and quantity),
    state          text not null check (state in ('held', 'sold', 'released', 'expired')),
    expires_at     timestamptz not null,
    primary key (reservation_id, tenant_id, variant_id, warehouse_id)
);
create index stock_hold_due on stock_hold (expires_at) where state = 'held';
alter table stock_hold enable row level security;
alter table stock_hold force row level security;
create policy tenant on stock_hold using (kit_tenant_visible(tenant_id));

-- Each act of taking sold pieces back, so that it happens once.
create table stock_restock (
    tenant_id      uuid not null,
    restock_id     text not null,
    reservation_id uuid not null,
    at             timestamptz not null,
    primary key (tenant_id, restock_id)
);
alter table stock_restock enable row level security;
alter table stock_restock force row level security;
create policy tenant on stock_restock using (kit_tenant_visible(tenant_id));

-- Every movement. One row of stock has entries 1, 2, 3 …, each beginning where the one before ended.
create table stock_journal (
    journal_id       uuid not null,
    tenant_id        uuid not null,
    variant_id       uuid not null,
    warehouse_id     uuid not null,
    step             bigint not null check (step > 0),
    kind             text not null check (kind in ('receipt', 'reservation', 'sale', 'release', 'expiry', 'return', 'adjustment', 'transfer', 'damage', 'incoming')),
    available_before bigint not null,
    available_after  bigint not null check (available_after >= 0),
    reserved_before  bigint not null,
    reserved_after   bigint not null check (reserved_after >= 0),
    incoming_before  bigint not null,
    incoming_after   bigint not null check (incoming_after >= 0),
    reference        text not null default '',
    note             text not null default '',
    actor            text not null,
    at               timestamptz not null,
    primary key (tenant_id, variant_id, warehouse_id, step)
);
create index stock_journal_by_time on stock_journal (tenant_id, journal_id);
alter table stock_journal enable row level security;
alter table stock_journal force row level security;
create policy tenant on stock_journal using (kit_tenant_visible(tenant_id));
-- An entry is written once and stays.
revoke update, delete, truncate on stock_journal from mh_app;
