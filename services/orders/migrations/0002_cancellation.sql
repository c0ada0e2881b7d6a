-- What is cancelled of a sub-order after it was paid: some pieces, or all that was left of it with its shipping. Each has its own
-- share of the money, divided when it was asked for, and its own way through fulfillment, stock and refund.
create table cancellation (
    cancellation_id  uuid primary key,
    order_id         uuid not null,
    sub_order_id     uuid not null references sub_order,
    tenant_id        uuid not null,
    buyer_id         uuid not null,
    whole            boolean not null,        -- all that was left of the sub-order: its shipping goes back as well
    lines            jsonb not null,          -- item, pieces, and their share of goods, discount, tax and commission
    shipping_minor   bigint not null check (shipping_minor >= 0),
    amount_minor     bigint not null check (amount_minor >= 0),
    commission_minor bigint not null check (commission_minor >= 0),
    reason           text not null,
    cancelled_by     text not null check (cancelled_by in ('buyer', 'seller', 'operator')),
    state            text not null check (state in ('asked', 'done', 'too_late')),
    refund_id        text not null unique,
    refund_state     text not null check (refund_state in ('none', 'pending', 'done', 'failed')),
    saga             jsonb not null,          -- the state of the machine in saga/cancel.rs
    look_at          timestamptz,             -- when the recovery job takes it up; null: nothing is left to do
    created_at       timestamptz not null,
    updated_at       timestamptz not null
);
create index cancellation_order on cancellation (order_id, sub_order_id);
create index cancellation_due on cancellation (look_at) where look_at is not null;
create unique index cancellation_whole_once on cancellation (sub_order_id) where whole and state <> 'too_late';
alter table cancellation enable row level security;
alter table cancellation force row level security;
create policy tenant_or_buyer on cancellation using (kit_tenant_visible(tenant_id) or kit_buyer_visible(buyer_id));

-- Pieces that were cancelled; never more than were bought, whatever races.
alter table order_item add column cancelled integer not null default 0,
    add constraint never_more_cancelled_than_bought check (cancelled between 0 and quantity);

-- Fulfillment's version of the address, so that news that comes late does not undo newer news.
alter table sub_order add column ship_to_version integer not null default 0;

-- Until now a sub-order was cancelled as a whole, and its own row remembered how.
set local mh.scope = 'platform';
insert into cancellation (cancellation_id, order_id, sub_order_id, tenant_id, buyer_id, whole, lines, shipping_minor, amount_minor, commission_minor,
    reason, cancelled_by, state, refund_id, refund_state, saga, look_at, created_at, updated_at)
select replace(s.cancel ->> 'refund_id', 'rfn_', '')::uuid, s.order_id, s.sub_order_id, s.tenant_id, s.buyer_id, true,
    (select jsonb_agg(jsonb_build_object('item_id', i.item_id, 'quantity', i.quantity, 'share', jsonb_build_object('goods', i.line_minor,
        'discount', i.discount_minor, 'tax', i.tax_minor, 'commission', i.commission_minor)))
     from order_item i where i.order_id = s.order_id and i.sub_order_id = s.sub_order_id),
    s.shipping_minor, s.total_minor, s.commission_minor, s.cancel ->> 'reason', s.cancel ->> 'by',
    case s.cancel ->> 'goods' when 'stopping' then 'asked' when 'stopped' then 'done' else 'too_late' end,
    s.cancel ->> 'refund_id', s.refund_state, s.cancel, s.cancel_look_at, s.updated_at, s.updated_at
from sub_order s where s.cancel is not null;
update order_item i set cancelled = i.quantity
from cancellation c where c.order_id = i.order_id and c.sub_order_id = i.sub_order_id and c.state <> 'too_late';
alter table sub_order drop column cancel, drop column cancel_look_at;
