-- Which person a subject is. The only place that says so; without the row, what was recorded is nobody's.
create table subject (
    user_id    uuid primary key,          -- identity's id of a user or guest; no foreign key crosses a schema
    subject_id uuid not null,
    consented  boolean not null,
    changed_at timestamptz not null
);
alter table subject enable row level security;
alter table subject force row level security;
create policy buyer on subject using (kit_tenant_visible(null::uuid) or kit_buyer_visible(user_id));

-- The secret under which visitor ids and orders become subjects, the same in every process; it never leaves this schema.
create table pepper (
    alone  boolean primary key default true check (alone),
    secret bytea not null check (octet_length(secret) = 32)
);
insert into pepper (secret) values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));

-- How many events came in. `kind` is markethub.analytics.v1.BehaviourKind.
create table intake (
    minute timestamptz not null,
    kind   smallint not null,
    events bigint not null check (events > 0),
    primary key (minute, kind)
);
