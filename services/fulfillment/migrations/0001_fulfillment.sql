-- How a seller ships and what it costs. Withdrawn methods stay, so that what was once offered is not seeded again.
create table shipping_method (
    shipping_method_id uuid primary key,
    tenant_id          uuid not null,
    currency           char(3) not null,
    terms              jsonb not null,
    withdrawn_at       timestamptz,
    version            integer not null default 1,
    created_at         timestamptz not null
);
create index shipping_method_tenant on shipping_method (tenant_id, shipping_method_id);
alter table shipping_method enable row level security;
alter table shipping_method force row level security;
create policy tenant on shipping_method using (kit_tenant_visible(tenant_id));

-- One sub-order on its way from the shelf to the buyer. A row that was stopped before its order arrived has no lines; it keeps the
-- order from ever being shipped.
create table fulfillment_order (
    sub_order_id    uuid primary key,
    tenant_id       uuid not null,
    order_id        uuid not null,
    number          text not null,
    state           text not null check (state in ('open', 'accepted', 'packed', 'partly_shipped', 'shipped', 'delivered', 'stopped')),
    lines           jsonb not null,
    ship_to         jsonb not null,
    shipping_method text not null,
    version         integer not null default 1,
    created_at      timestamptz not null,
    due_at          timestamptz not null,
    updated_at      timestamptz not null
);
create index fulfillment_order_tenant on fulfillment_order (tenant_id, sub_order_id desc);
alter table fulfillment_order enable row level security;
alter table fulfillment_order force row level security;
create policy tenant on fulfillment_order using (kit_tenant_visible(tenant_id));

-- What left at one time with one carrier.
create table shipment (
    shipment_id     uuid primary key,
    tenant_id       uuid not null,
    sub_order_id    uuid not null references fulfillment_order,
    carrier         text not null,
    tracking_number text not null,
    tracking_url    text not null,
    state           text not null check (state in ('shipped', 'in_transit', 'out_for_delivery', 'delivery_failed', 'delivered')),
    lines           jsonb not null,
    events          jsonb not null,
    shipped_at      timestamptz not null,
    delivered_at    timestamptz check ((state = 'delivered') = (delivered_at is not null)),
    constraint tracking_number_used unique (sub_order_id, tracking_number)
);
alter table shipment enable row level security;
alter table shipment force row level security;
create policy tenant on shipment using (kit_tenant_visible(tenant_id));
