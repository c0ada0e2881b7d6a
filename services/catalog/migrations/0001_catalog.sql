-- The category tree is the operator's, the same for all tenants: it lives in the home cell.
create table category (
    category_id  uuid primary key,
    code         text not null constraint category_code unique check (code <> ''),
    -- The parent's code; a parent may come with a later file, so nothing is enforced here.
    parent_code  text not null,
    name         text not null check (name <> ''),
    tax_category text not null,
    -- [{"key", "required", "facet"}]
    attributes   jsonb not null
);

create table attribute (
    key         text primary key,
    name        text not null,
    type        text not null check (type in ('text', 'number', 'boolean', 'choice', 'choices', 'date')),
    unit        text not null,
    values_from text not null,
    value_keys  text[] not null
);

create table attribute_value (
    key  text primary key,
    name text not null
);

-- One row; counted up by every change of the tree, so that processes see when theirs is old.
create table taxonomy_state (
    only_one boolean primary key default true check (only_one),
    version  bigint not null
);
insert into taxonomy_state (version) values (0);

create table product (
    product_id     uuid primary key,
    tenant_id      uuid not null,
    status         text not null check (status in ('draft', 'in_review', 'active', 'inactive', 'archived')),
    approved       boolean not null,
    decline_reason text not null,
    -- Rows of a feed with one group are variants of one product.
    group_key      text,
    -- What the seller wrote, whole; the columns beside it are for finding.
    content        jsonb not null,
    title          text not null,
    brand          text not null,
    category_id    uuid,
    version        integer not null check (version > 0),  -- optimistic lock, bumped by every change
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    deleted_at     timestamptz
);
create index product_of_tenant on product (tenant_id, product_id desc) where deleted_at is null;
create unique index product_group on product (tenant_id, group_key) where deleted_at is null and group_key is not null;
create index product_in_review on product (product_id) where status = 'in_review' and deleted_at is null;

-- The variants of products that are not deleted.
create table variant (
    variant_id  uuid primary key,
    tenant_id   uuid not null,
    product_id  uuid not null references product,
    sku         text not null,
    position    smallint not null check (position >= 0),
    price_minor bigint not null check (price_minor >= 0),
    currency    char(3) not null,
    -- The rest of it, as in the product's content.
    content     jsonb not null,
    -- The import that made it: a constant stock is set for new variants only, also when the import was cut off in between.
    import_id   uuid,
    constraint variant_sku unique (tenant_id, sku) deferrable initially immediate
);
create index variant_of_product on variant (product_id);

create table product_version (
    product_id uuid not null references product,
    version    integer not null check (version > 0),
    tenant_id  uuid not null,
    at         timestamptz not null,
    actor      text not null,
    action     text not null,
    status     text not null,
    content    jsonb not null,
    primary key (product_id, version)
);

create table catalog_policy (
    tenant_id         uuid primary key,
    approval_required boolean not null,
    set_at            timestamptz not null
);

create table media (
    media_id     uuid primary key,
    tenant_id    uuid not null,
    hash         text not null check (length(hash) = 64),
    content_type text not null,
    width        integer not null check (width >= 0),
    height       integer not null check (height >= 0),
    bytes        bigint not null check (bytes > 0),
    alt          text not null,
    uploaded_at  timestamptz not null,
    constraint media_hash unique (tenant_id, hash)
);

create table upload (
    upload_id   uuid primary key,
    tenant_id   uuid not null,
    hash        text not null check (length(hash) = 64),
    file_name   text not null,
    bytes       bigint not null check (bytes > 0),
    -- {"format", "delimiter", "encoding", "columns"}
    shape       jsonb not null,
    rows        integer not null check (rows >= 0),
    -- [{"line", "cells"}]
    sample      jsonb not null,
    uploaded_at timestamptz not null,
    constraint upload_file unique (tenant_id, hash, file_name)
);

create table import_preset (
    tenant_id uuid not null,
    name      text not null,
    mapping   jsonb not null,
    saved_at  timestamptz not null,
    primary key (tenant_id, name)
);

create table import (
    import_id   uuid primary key,
    tenant_id   uuid not null,
    upload_id   uuid not null references upload,
    mapping     jsonb not null,
    state       text not null check (state in ('queued', 'running', 'finished', 'cancelled', 'failed')),
    rows        integer not null,
    -- Rows saved with their effects, in file order; and those whose stock has been told to inventory as well.
    rows_done   integer not null default 0,
    rows_stocked integer not null default 0,
    created     integer not null default 0,
    updated     integer not null default 0,
    unchanged   integer not null default 0,
    rejected    integer not null default 0,
    warnings    integer not null default 0,
    trouble     text not null default '',
    started_by  text not null,
    queued_at   timestamptz not null,
    started_at  timestamptz,
    finished_at timestamptz,
    check (rows_done = created + updated + unchanged + rejected),
    check (rows_stocked <= rows_done and rows_done <= rows),
    check (state <> 'finished' or rows_done = rows)
);
create index import_of_tenant on import (tenant_id, import_id desc);
create index import_to_do on import (queued_at) where state in ('queued', 'running');

create table import_error (
    import_id   uuid not null references import,
    line        integer not null,
    number      smallint not null,
    tenant_id   uuid not null,
    column_name text not null,
    value       text not null,
    reason      text not null,
    message     text not null,
    warning     boolean not null,
    primary key (import_id, line, number)
);

alter table product enable row level security;
alter table product force row level security;
create policy tenant on product using (kit_tenant_visible(tenant_id));
alter table variant enable row level security;
alter table variant force row level security;
create policy tenant on variant using (kit_tenant_visible(tenant_id));
alter table product_version enable row level security;
alter table product_version force row level security;
create policy tenant on product_version using (kit_tenant_visible(tenant_id));
alter table catalog_policy enable row level security;
alter table catalog_policy force row level security;
create policy tenant on catalog_policy using (kit_tenant_visible(tenant_id));
alter table media enable row level security;
alter table media force row level security;
create policy tenant on media using (kit_tenant_visible(tenant_id));
alter table upload enable row level security;
alter table upload force row level security;
create policy tenant on upload using (kit_tenant_visible(tenant_id));
alter table import_preset enable row level security;
alter table import_preset force row level security;
create policy tenant on import_preset using (kit_tenant_visible(tenant_id));
alter table import enable row level security;
alter table import force row level security;
create policy tenant on import using (kit_tenant_visible(tenant_id));
alter table import_error enable row level security;
alter table import_error force row level security;
create policy tenant on import_error using (kit_tenant_visible(tenant_id));
