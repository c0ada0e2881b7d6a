-- The audit log: one chain over everything that happened, appended to and never changed.

create table audit_entry (
    sequence     bigint primary key check (sequence > 0),
    audit_id     uuid not null unique,
    at           timestamptz not null,
    actor        text not null,
    on_behalf_of text not null,
    address      text not null,
    service      text not null,
    kind         text not null,
    key          uuid not null,
    tenant_id    uuid,
    -- As text: the hash is over these very bytes.
    change       text not null,
    request_id   text not null,
    prev_hash    bytea not null check (length(prev_hash) = 32),
    hash         bytea not null check (length(hash) = 32)
);
create index audit_entry_by_key on audit_entry (key, sequence desc);
create index audit_entry_by_actor on audit_entry (actor, sequence desc);
create index audit_entry_by_person on audit_entry (on_behalf_of, sequence desc) where on_behalf_of <> '';
create index audit_entry_by_kind on audit_entry (service, kind, sequence desc);
create index audit_entry_by_tenant on audit_entry (tenant_id, sequence desc) where tenant_id is not null;
alter table audit_entry enable row level security;
alter table audit_entry force row level security;
create policy tenant on audit_entry using (kit_tenant_visible(tenant_id));

-- Nobody rewrites the past, not even the owner by mistake; what goes round the trigger breaks the chain.
create function audit_is_append_only() returns trigger language plpgsql as
$$ begin raise exception 'the audit log is append-only'; end $$;
create trigger audit_entry_append_only before update or delete or truncate on audit_entry for each statement execute function audit_is_append_only();

-- The end of the chain, locked by whoever appends.
create table audit_head (
    head     boolean primary key default true check (head),
    sequence bigint not null,
    hash     bytea not null check (length(hash) = 32)
);
insert into audit_head (sequence, hash) values (0, decode(repeat('00', 32), 'hex'));

-- How often each thing happened, by the hour, so that the overview does not count the log.
create table audit_hour (
    hour    timestamptz not null,
    service text not null,
    kind    text not null,
    count   bigint not null,
    primary key (hour, service, kind)
);
