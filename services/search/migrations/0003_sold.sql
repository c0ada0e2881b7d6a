-- How many pieces were sold, as the orders told: what is popular stands before what is as like the words.
alter table listing add column sold bigint not null default 0;

-- The parts of orders that are counted in it, so that none is counted twice.
create table counted_sale (sub_order_id uuid primary key);
