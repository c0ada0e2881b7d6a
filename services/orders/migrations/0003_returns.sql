-- How sellers take goods back. A row is never changed: an order keeps the policy that was in force when it was placed.
create table return_policy (
    tenant_id       uuid not null,
    valid_from      timestamptz not null,
    window_days     integer not null check (window_days between 0 and 365),
    approve_at_once boolean not null,
    refund_shipping boolean not null,
    send_to         jsonb,                   -- null: the seller says where when approving
    instructions    text not null,
    set_by          text not null,
    primary key (tenant_id, valid_from)
);
alter table return_policy enable row level security;
alter table return_policy force row level security;
create policy tenant on return_policy using (kit_tenant_visible(tenant_id));
revoke update, delete, truncate on return_policy from mh_app;

-- Pieces of a delivered sub-order that come back, and money given back without any. Named so because a return alone is a word of SQL.
create table sub_order_return (
    return_id        uuid primary key,
    order_id         uuid not null,
    sub_order_id     uuid not null references sub_order,
    tenant_id        uuid not null,
    buyer_id         uuid not null,
    position         integer not null check (position > 0),
    state            text not null check (state in ('requested', 'approved', 'sent', 'received', 'refunded', 'refused', 'withdrawn', 'expired')),
    without_goods    boolean not null,
    lines            jsonb not null,          -- item, pieces, reason; after the inspection what was taken back and its share
    note             text not null,
    answer           text not null default '',
    answered_by      text not null default '' check (answered_by in ('', 'seller', 'operator', 'market')),
    send_to          jsonb,
    instructions     text not null default '',
    carrier          text not null default '',
    tracking_number  text not null default '',
    shipping_minor   bigint not null check (shipping_minor >= 0),
    deduction_minor  bigint not null default 0 check (deduction_minor >= 0),
    amount_minor     bigint not null check (amount_minor >= 0),
    commission_minor bigint not null check (commission_minor >= 0),
    refund_id        text not null unique,
    refund_state     text not null default 'none' check (refund_state in ('none', 'pending', 'done', 'failed')),
    saga             jsonb not null,          -- the state of the machine in saga/cancel.rs, with the goods come back
    due_at           timestamptz,             -- by when the next step is due
    look_at          timestamptz,             -- when the job takes it up; null: nothing is left to do, or a person has to
    created_at       timestamptz not null,
    updated_at       timestamptz not null,
    constraint return_position_taken unique (sub_order_id, position)
);
create index sub_order_return_order on sub_order_return (order_id, sub_order_id);
create index sub_order_return_tenant on sub_order_return (tenant_id, return_id desc);
create index sub_order_return_due on sub_order_return (look_at) where look_at is not null;
alter table sub_order_return enable row level security;
alter table sub_order_return force row level security;
create policy tenant_or_buyer on sub_order_return using (kit_tenant_visible(tenant_id) or kit_buyer_visible(buyer_id));

-- Pieces under a return or taken back; together with the cancelled ones never more than were bought, whatever races.
alter table order_item add column returned integer not null default 0,
    add constraint never_more_gone_than_bought check (returned >= 0 and cancelled + returned <= quantity);

-- Until when a return may be asked for; known when the goods have arrived.
alter table sub_order add column returnable_until timestamptz;
set local mh.scope = 'platform';
update sub_order set returnable_until = updated_at + interval '30 days' where state = 'delivered';
