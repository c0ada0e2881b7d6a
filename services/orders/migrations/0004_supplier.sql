-- The seller's business as it was when the order was placed, for the invoice; null in parts placed before it was kept.
alter table sub_order add column supplier jsonb;
