-- The cancellations that took pieces out of the order, so that each does it once.
alter table fulfillment_order add column cuts jsonb not null default '[]';
