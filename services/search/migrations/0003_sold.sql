-- How many pieces were sold, as the orders told: what is popular stands before what is as like the words.
alter table listing add column sold bigint not null default 0;
