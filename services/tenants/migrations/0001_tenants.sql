-- Sellers' businesses: their stores, their lives, their staff.

create table tenant (
    tenant_id           uuid primary key,
    owner_id            uuid not null,               -- the applicant, identity's id
    state               text not null check (state in ('applied', 'verifying', 'active', 'suspended', 'closed', 'rejected')),
    state_reason        text not null default '',
    state_since         timestamptz not null,
    applied_at          timestamptz not null,
    name                text not null,
    slug                text not null constraint tenant_slug_taken unique,
    description         text not null default '',
    logo_hash           text not null default '',
    accent_colour       text not null default '',
    returns_policy      text not null default '',
    shipping_policy     text not null default '',
    country             text not null,
    currency            text not null,
    holiday             boolean not null default false,
    holiday_message     text not null default '',
    legal_name          text not null,
    registration_number text not null default '',
    tax_id              text not null default '',
    contact_email       text not null,
    phone               text not null default '',
    business_address    text not null,
    about               text not null default '',
    plan                text not null check (plan in ('free', 'pro', 'enterprise')),
    -- Where it differs from the plan's.
    commission_bps      integer check (commission_bps between 0 and 5000),
    cell                text not null default 'home',
    version             bigint not null default 1
);
create index tenant_by_age on tenant (applied_at desc, tenant_id desc);
create index tenant_by_name on tenant (lower(name), tenant_id) where state = 'active';
create index tenant_by_owner on tenant (owner_id);
alter table tenant enable row level security;
alter table tenant force row level security;
create policy tenant on tenant using (kit_tenant_visible(tenant_id));

create table tenant_step (
    tenant_id uuid not null,
    number    bigint generated always as identity,
    state     text not null,
    reason    text not null,
    actor     text not null,
    at        timestamptz not null,
    primary key (tenant_id, number)
);
alter table tenant_step enable row level security;
alter table tenant_step force row level security;
create policy tenant on tenant_step using (kit_tenant_visible(tenant_id));

-- Who works for a tenant, as it should be; identity is told, and `told_role` is what it knows.
create table staff (
    tenant_id uuid not null,
    user_id   uuid not null,
    -- Null: no more. The row goes when identity knows.
    role      text check (role in ('seller_admin', 'seller_manager', 'inventory_operator')),
    told_role text,
    joined_at timestamptz not null,
    primary key (tenant_id, user_id)
);
create index staff_by_user on staff (user_id);
create index staff_untold on staff (tenant_id) where role is distinct from told_role;
alter table staff enable row level security;
alter table staff force row level security;
create policy tenant on staff using (kit_tenant_visible(tenant_id));

create table staff_invite (
    tenant_id  uuid not null,
    email      text not null,
    role       text not null check (role in ('seller_admin', 'seller_manager', 'inventory_operator')),
    -- SHA-256 of the token that was mailed.
    token_hash bytea not null unique,
    invited_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (tenant_id, email)
);
alter table staff_invite enable row level security;
alter table staff_invite force row level security;
create policy tenant on staff_invite using (kit_tenant_visible(tenant_id));
