-- People and guests, how they sign in, what they may do, where they live.

create table person (
    user_id           uuid primary key,
    email             text constraint person_email_taken unique,
    email_verified_at timestamptz,
    password_hash     text,
    name              text not null default '',
    language          text not null default 'en',
    currency          text not null default 'USD',
    guest             boolean not null,
    -- The account a guest signed in to; what was the guest's belongs to it since.
    merged_into       uuid,
    disabled_at       timestamptz,
    disabled_reason   text,
    version           bigint not null default 1,
    created_at        timestamptz not null,
    constraint person_is_guest_or_account check (guest = (email is null) and guest = (password_hash is null))
);
create index person_by_age on person (created_at desc, user_id desc) where not guest;

-- Roles in tenants, and on the platform where there is no tenant.
create table membership (
    user_id    uuid not null references person,
    tenant_id  uuid,
    role       text not null,
    granted_at timestamptz not null,
    granted_by text not null,
    constraint membership_role_fits check (
        (tenant_id is not null and role in ('seller_admin', 'seller_manager', 'inventory_operator'))
        or (tenant_id is null and role in ('support_agent', 'analyst', 'platform_admin')))
);
create unique index membership_one_per_tenant on membership (user_id, tenant_id) where tenant_id is not null;
create unique index membership_one_of_platform on membership (user_id, role) where tenant_id is null;
create index membership_by_tenant on membership (tenant_id);
alter table membership enable row level security;
alter table membership force row level security;
create policy tenant on membership using (kit_tenant_visible(tenant_id));

create table session (
    session_id   uuid primary key,
    user_id      uuid not null references person,
    -- SHA-256 of the opaque session token's secret.
    token_hash   bytea not null,
    device       text not null,
    address      text not null,
    created_at   timestamptz not null,
    last_used_at timestamptz not null,
    expires_at   timestamptz not null,
    ended_at     timestamptz,
    end_cause    text
);
create index session_by_user on session (user_id, created_at desc);
create index session_by_expiry on session (expires_at);

-- All refresh tokens a session ever had: a used one that comes back ends the session.
create table refresh_token (
    token_hash bytea primary key,
    session_id uuid not null references session on delete cascade,
    issued_at  timestamptz not null,
    used_at    timestamptz
);
create index refresh_token_by_session on refresh_token (session_id);

-- Tokens sent by mail; each works once.
create table mailed_token (
    token_hash bytea primary key,
    user_id    uuid not null references person,
    purpose    text not null check (purpose in ('verify_email', 'reset_password')),
    issued_at  timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz
);
create index mailed_token_by_user on mailed_token (user_id, purpose);

-- How often something was tried lately, by account or network address.
create table throttle (
    subject       text primary key,
    strikes       integer not null check (strikes >= 0),
    last_at       timestamptz not null,
    blocked_until timestamptz
);
create index throttle_by_age on throttle (last_at);

create table saved_address (
    address_id  uuid primary key,
    user_id     uuid not null references person,
    is_default  boolean not null,
    name        text not null,
    company     text not null,
    line1       text not null,
    line2       text not null,
    city        text not null,
    subdivision text not null,
    postal_code text not null,
    country     text not null,
    phone       text not null,
    created_at  timestamptz not null
);
create index saved_address_by_user on saved_address (user_id, created_at desc);
create unique index saved_address_one_default on saved_address (user_id) where is_default;

-- Keys that access tokens are signed with (Ed25519). The newest active one signs; all are published.
create table signing_key (
    key_id      text primary key,
    secret      bytea not null check (length(secret) = 32),
    active_from timestamptz not null,
    created_at  timestamptz not null
);
