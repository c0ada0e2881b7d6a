-- A checkout is a draft: one document, private to its buyer, that becomes at most one order.
create table checkout (
    checkout_id uuid primary key,
    buyer_id    uuid not null,               -- identity's id; no foreign key crosses a schema
    order_id    uuid not null unique,        -- made with the checkout, so that placing it twice is placing it once
    draft       jsonb not null,
    version     integer not null default 1,
    created_at  timestamptz not null,
    expires_at  timestamptz not null
);
create index checkout_expires on checkout (expires_at);
alter table checkout enable row level security;
alter table checkout force row level security;
create policy buyer on checkout using (kit_tenant_visible(null::uuid) or kit_buyer_visible(buyer_id));

create table buyer_order (
    order_id         uuid primary key,
    number           text not null,
    buyer_id         uuid not null,
    email            text not null,
    access_token     text not null,          -- lets whoever has it read, pay and cancel the order
    state            text not null check (state in ('created', 'reserved', 'payment_pending', 'payment_failed', 'confirmed', 'paid',
                         'processing', 'packed', 'shipped', 'delivered', 'completed', 'cancelled',
                         'return_requested', 'return_approved', 'return_received', 'refunded')),
    currency         char(3) not null,
    items_minor      bigint not null check (items_minor >= 0),
    tax_minor        bigint not null check (tax_minor >= 0),
    shipping_minor   bigint not null check (shipping_minor >= 0),
    discount_minor   bigint not null check (discount_minor >= 0),
    total_minor      bigint not null check (total_minor >= 0),
    refunded_minor   bigint not null default 0 check (refunded_minor >= 0),
    shipping_address jsonb not null,
    billing_address  jsonb not null,
    from_cart        boolean not null,
    reserved_at      timestamptz,            -- when stock was first held for it; an order that never got there is not shown
    cancel_reason    text not null default '',
    cancelled_by     text not null default '' check (cancelled_by in ('', 'buyer', 'seller', 'operator', 'market')),
    saga             jsonb not null,         -- the state of the machine in saga/machine.rs
    look_at          timestamptz,            -- when the recovery job takes it up; null: nothing is left to do
    version          integer not null default 1,
    placed_at        timestamptz not null,
    updated_at       timestamptz not null,
    constraint order_number_taken unique (number),
    constraint order_adds_up check (items_minor + tax_minor + shipping_minor - discount_minor = total_minor),
    constraint refund_within_total check (refunded_minor <= total_minor)
) with (fillfactor = 70);
create index buyer_order_buyer on buyer_order (buyer_id, order_id desc);
create index buyer_order_due on buyer_order (look_at) where look_at is not null;
alter table buyer_order enable row level security;
alter table buyer_order force row level security;
create policy buyer on buyer_order using (kit_tenant_visible(null::uuid) or kit_buyer_visible(buyer_id));

-- One seller's part of an order. Holds what the seller needs, so that a seller never reads the buyer's order itself.
create table sub_order (
    sub_order_id       uuid primary key,
    order_id           uuid not null references buyer_order,
    position           integer not null check (position > 0),
    tenant_id          uuid not null,
    buyer_id           uuid not null,
    number             text not null,
    store_name         text not null,
    email              text not null,
    state              text not null check (state in ('created', 'paid', 'processing', 'packed', 'shipped', 'delivered', 'completed', 'cancelled',
                           'return_requested', 'return_approved', 'return_received', 'refunded')),
    currency           char(3) not null,
    items_minor        bigint not null check (items_minor >= 0),
    tax_minor          bigint not null check (tax_minor >= 0),
    shipping_minor     bigint not null check (shipping_minor >= 0),
    discount_minor     bigint not null check (discount_minor >= 0),
    total_minor        bigint not null check (total_minor >= 0),
    commission_bps     integer not null check (commission_bps between 0 and 10000),
    commission_minor   bigint not null check (commission_minor >= 0),
    refunded_minor     bigint not null default 0 check (refunded_minor >= 0),
    refund_state       text not null default 'none' check (refund_state in ('none', 'pending', 'done', 'failed')),
    shipping_method_id uuid not null,
    shipping_method    text not null,
    min_days           integer not null,
    max_days           integer not null,
    ship_to            jsonb not null,
    shipments          jsonb not null default '[]',
    cancel_reason      text not null default '',
    cancelled_by       text not null default '' check (cancelled_by in ('', 'buyer', 'seller', 'operator', 'market')),
    cancel             jsonb,                -- the state of the machine in saga/cancel.rs; null: never asked for
    cancel_look_at     timestamptz,          -- when the recovery job takes the cancellation up; null: nothing is left to do
    version            integer not null default 1,
    placed_at          timestamptz not null,
    updated_at         timestamptz not null,
    constraint sub_order_adds_up check (items_minor + tax_minor + shipping_minor - discount_minor = total_minor),
    constraint sub_order_refund_within_total check (refunded_minor <= total_minor)
) with (fillfactor = 70);
create index sub_order_order on sub_order (order_id);
create index sub_order_tenant on sub_order (tenant_id, sub_order_id desc);
create index sub_order_cancelling on sub_order (cancel_look_at) where cancel_look_at is not null;
alter table sub_order enable row level security;
alter table sub_order force row level security;
create policy tenant_or_buyer on sub_order using (kit_tenant_visible(tenant_id) or kit_buyer_visible(buyer_id));

-- A line with the product as it was when the order was placed. Never changed.
create table order_item (
    order_id         uuid not null,
    item_id          uuid not null,
    sub_order_id     uuid not null,
    tenant_id        uuid not null,
    buyer_id         uuid not null,
    product_id       uuid not null,
    product_version  integer not null,
    variant_id       uuid not null,
    title            text not null,
    options          text not null,
    sku              text not null,
    brand            text not null,
    category_id      text not null,
    image_url        text not null,
    quantity         integer not null check (quantity between 1 and 999),
    unit_minor       bigint not null check (unit_minor >= 0),
    line_minor       bigint not null check (line_minor = quantity * unit_minor),
    discount_minor   bigint not null default 0 check (discount_minor >= 0),
    tax_minor        bigint not null default 0 check (tax_minor >= 0),
    tax_category     text not null,
    tax_rate_bps     integer not null default 0,
    commission_minor bigint not null check (commission_minor >= 0),
    weight_grams     integer not null,
    primary key (order_id, item_id)
);
alter table order_item enable row level security;
alter table order_item force row level security;
create policy tenant_or_buyer on order_item using (kit_tenant_visible(tenant_id) or kit_buyer_visible(buyer_id));

-- What happened to an order, for people. Only ever appended to.
create table order_timeline (
    order_id     uuid not null,
    entry        bigint generated always as identity,
    sub_order_id uuid,
    tenant_id    uuid,                       -- of the sub-order; null: about the whole order
    buyer_id     uuid not null,
    at           timestamptz not null,
    kind         text not null,
    message      text not null,
    actor        text not null,
    primary key (order_id, entry)
);
alter table order_timeline enable row level security;
alter table order_timeline force row level security;
create policy tenant_or_buyer on order_timeline using (kit_tenant_visible(tenant_id) or kit_buyer_visible(buyer_id));
