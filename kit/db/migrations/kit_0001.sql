-- What all services share in one database: the functions of the row-level security policies, and which tenant lives in which cell.

-- A policy asks whether the open transaction is for the tenant. A transaction that named nobody sees nothing. The settings are
-- compared as text, so that a row costs no parsing of the list; ids have one length, so a match is a whole id.
create function kit_tenant_visible(tenant uuid) returns boolean
    language sql stable parallel safe
    return coalesce(current_setting('mh.scope', true), '') = 'platform'
        or strpos(coalesce(current_setting('mh.tenants', true), ''), tenant::text) > 0;

create function kit_buyer_visible(buyer uuid) returns boolean
    language sql stable parallel safe
    return coalesce(current_setting('mh.buyer', true), '') = buyer::text;

create table kit_cell (
    cell     text primary key check (cell ~ '^[a-z][a-z0-9_]{0,29}$' and cell <> 'home'),
    -- A cell with an address is opened only by a process that is configured with it; otherwise it is schemas of this database.
    by_address boolean not null,
    made_at  timestamptz not null default now()
);

-- A tenant without a row lives in the home cell.
create table kit_placement (
    tenant    uuid primary key,
    cell      text not null references kit_cell,
    placed_at timestamptz not null default now()
);

grant select, insert on kit_cell, kit_placement to mh_app;
