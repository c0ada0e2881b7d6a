-- A cart is its lines: one per variant, with the price its owner saw when it was put there.
create table cart_line (
    buyer_id    uuid not null,               -- a user's or guest's id
    variant_id  uuid not null,
    tenant_id   uuid not null,
    quantity    integer not null,
    price_minor bigint not null check (price_minor >= 0),
    currency    char(3) not null,
    added_at    timestamptz not null,
    primary key (buyer_id, variant_id),
    constraint quantity_limit check (quantity between 1 and 999)
);
-- Sellers do not see carts, so a line is visible to its owner alone.
alter table cart_line enable row level security;
alter table cart_line force row level security;
create policy buyer on cart_line using (kit_tenant_visible(null::uuid) or kit_buyer_visible(buyer_id));
