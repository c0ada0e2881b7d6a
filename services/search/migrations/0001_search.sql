-- What buyers see of the catalog: products, their variants' stock and their stores, as the logs of others told. `changed_in` is the
-- transaction that changed a row last: readers take what lies below the oldest running transaction, so they miss nothing.

create table listing (
    product_id uuid primary key,
    tenant_id  uuid not null,
    version    integer not null,               -- the catalog's; an older snapshot changes nothing
    shown      boolean not null,               -- the product is active; its store may still be closed
    snapshot   bytea not null,                 -- markethub.catalog.v1.ProductSnapshot
    listed_at  timestamptz,                    -- when buyers could first see it
    changed_at timestamptz not null,
    changed_in xid8 not null default pg_current_xact_id()
);
create index listing_changed on listing (changed_in, product_id);
create index listing_tenant on listing (tenant_id);
alter table listing enable row level security;
alter table listing force row level security;
create policy tenant on listing using (kit_tenant_visible(tenant_id));

create table listing_variant (
    tenant_id      uuid not null,
    variant_id     uuid not null,
    product_id     uuid,                       -- null until the catalog has told of the variant
    available      bigint not null default 0,
    low_at         bigint not null default 0,
    stock_revision bigint not null default -1, -- the inventory's; an older state changes nothing
    changed_in     xid8 not null default pg_current_xact_id(),
    primary key (tenant_id, variant_id)
);
create index listing_variant_product on listing_variant (product_id);
create index listing_variant_changed on listing_variant (changed_in);
alter table listing_variant enable row level security;
alter table listing_variant force row level security;
create policy tenant on listing_variant using (kit_tenant_visible(tenant_id));

create table listing_store (
    tenant_id uuid primary key,
    version   bigint not null,
    name      text not null,
    slug      text not null,
    open      boolean not null
);
alter table listing_store enable row level security;
alter table listing_store force row level security;
create policy tenant on listing_store using (kit_tenant_visible(tenant_id));

-- Words that mean the same, as the operator says.
create table search_synonym (
    term       text primary key check (char_length(term) between 1 and 60),
    synonyms   text[] not null check (cardinality(synonyms) between 1 and 20),
    changed_at timestamptz not null
);

-- What has been searched for and found something, to suggest it to others.
create table search_query (
    query    text primary key check (char_length(query) between 2 and 60),
    searches bigint not null check (searches > 0),
    found    bigint not null,
    last_at  timestamptz not null
);
create index search_query_popular on search_query (searches desc);
