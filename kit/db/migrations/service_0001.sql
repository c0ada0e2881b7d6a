-- What every service has in each of its schemas: its log, how far it has read the logs of others, what it could not apply,
-- when its jobs ran, and the answers it gave to idempotent writes.

create table event_log (
    transaction  xid8 not null default pg_current_xact_id(),
    number       bigint generated always as identity,
    key          uuid not null,
    tenant       uuid,
    kind         text not null,
    payload      bytea not null,
    change       jsonb,
    at           timestamptz not null,
    request_id   text not null,
    actor        text not null,
    on_behalf_of text,
    address      inet,
    primary key (transaction, number)
);
create index event_log_by_key on event_log (key, transaction, number);
create index event_log_by_time on event_log using brin (at);

create table event_cursor (
    source      text not null,
    cell        text not null,
    transaction xid8 not null,
    number      bigint not null,
    moved_at    timestamptz not null default now(),
    primary key (source, cell)
);

create table dead_letter (
    number    bigint generated always as identity primary key,
    source    text not null,
    cell      text not null,
    kind      text not null,
    -- The event as it was read, a kit.v1.LoggedEvent.
    event     bytea not null,
    error     text not null,
    attempts  integer not null check (attempts > 0),
    failed_at timestamptz not null default now()
);
create index dead_letter_by_source on dead_letter (source, cell, number);

create table job_run (
    job            text primary key,
    every_ms       bigint not null check (every_ms > 0),
    last_started   timestamptz,
    last_succeeded timestamptz,
    last_failed    timestamptz,
    last_error     text,
    runs           bigint not null default 0,
    failures       bigint not null default 0
);

create table idempotency (
    caller       text not null,
    key          text not null,
    request_hash bytea not null,
    -- Null while the first request is still being served.
    answer       bytea,
    started_at   timestamptz not null,
    primary key (caller, key)
);
create index idempotency_by_age on idempotency (started_at);

-- The log is only ever appended to.
revoke update, delete, truncate on event_log from mh_app;
