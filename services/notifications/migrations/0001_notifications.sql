-- The local inbox, and what is known of those who get messages.

create table message (
    message_id uuid primary key,
    -- The event it was made from: one message of a template to one address for each.
    cause      text not null,
    template   text not null,
    topic      text not null check (topic in ('security', 'orders', 'tenant', 'sales', 'stock')),
    recipient  text not null,
    user_id    uuid,
    tenant_id  uuid,
    subject    text not null,
    body       text not null,
    html       text not null,
    sent_at    timestamptz not null,
    constraint message_once unique (cause, template, recipient)
);
create index message_by_age on message (sent_at desc, message_id desc);
create index message_by_user on message (user_id, sent_at desc, message_id desc) where user_id is not null;
create index message_by_recipient on message (recipient, sent_at desc, message_id desc);
alter table message enable row level security;
alter table message force row level security;
create policy tenant_or_person on message using (kit_tenant_visible(tenant_id) or kit_buyer_visible(user_id));

-- People as identity's events tell of them.
create table correspondent (
    user_id uuid primary key,
    email   text not null,
    name    text not null
);

-- Who works where; without a tenant, for the platform.
create table works_for (
    user_id   uuid not null,
    tenant_id uuid,
    role      text not null
);
create unique index works_for_one_per_tenant on works_for (user_id, tenant_id) where tenant_id is not null;
create unique index works_for_one_of_platform on works_for (user_id, role) where tenant_id is null;
create index works_for_by_tenant on works_for (tenant_id);
alter table works_for enable row level security;
alter table works_for force row level security;
create policy tenant on works_for using (kit_tenant_visible(tenant_id));

-- What people do not want to be told; without a row they want everything.
create table message_preference (
    user_id uuid primary key,
    sales   boolean not null,
    stock   boolean not null
);
