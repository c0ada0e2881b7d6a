-- Since when a job is known: one that has never succeeded is overdue from then on.
alter table job_run add column known_since timestamptz not null default now();
