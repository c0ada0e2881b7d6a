-- What the catalog says of products, as far as likeness needs it.
create table recommendable (
    product_id uuid primary key,
    tenant_id  uuid not null,
    version    integer not null,              -- the catalog's; an older snapshot changes nothing
    shown      boolean not null,
    title      text not null,
    brand      text not null,
    categories text[] not null,               -- names from the root
    changed_in xid8 not null default pg_current_xact_id()
);
alter table recommendable enable row level security;
alter table recommendable force row level security;
create policy tenant on recommendable using (kit_tenant_visible(tenant_id));

-- What subjects did, as it came in: one row holds what came in together. Subjects are pseudonyms; only analytics knows of whom.
create table trail (
    number     bigint generated always as identity primary key,
    subject_id uuid not null,
    at         timestamptz not null,          -- of the last event of the row
    kinds      smallint[] not null,           -- markethub.analytics.v1.BehaviourKind
    products   uuid[] not null,
    check (cardinality(kinds) = cardinality(products))
);
create index trail_by_subject on trail (subject_id, number);
create index trail_by_time on trail using brin (at);

create table model (
    model_id         uuid primary key,
    version          integer generated always as identity unique,
    state            text not null check (state in ('training', 'ready', 'published', 'failed')),
    started_at       timestamptz not null,
    trained_at       timestamptz,
    published_at     timestamptz,
    stage            text not null,
    progress_percent integer not null check (progress_percent between 0 and 100),
    -- The last row of `trail` it has learnt from.
    last_trail       bigint not null default 0,
    events           bigint not null default 0,
    subjects         bigint not null default 0,
    products         bigint not null default 0,
    bytes            bigint not null default 0,
    measures         jsonb,
    popularity       jsonb,
    trouble          text
);
create unique index model_published on model (state) where state = 'published';
create unique index model_training on model (state) where state = 'training';

create table experiment (
    experiment_id     uuid primary key,
    name              text not null,
    placement         smallint not null,      -- markethub.recommendations.v1.Placement
    control           smallint not null,      -- markethub.recommendations.v1.Strategy
    treatment         smallint not null check (treatment <> control),
    treatment_percent integer not null check (treatment_percent between 1 and 99),
    started_at        timestamptz not null,
    stopped_at        timestamptz
);
create unique index experiment_running on experiment (placement) where stopped_at is null;

-- Who saw the shelves of an experiment, in which arm, and what came of it.
create table exposure (
    experiment_id uuid not null references experiment,
    subject_id    uuid not null,
    treated       boolean not null,
    exposed_at    timestamptz not null,
    clicked       uuid[] not null default '{}',  -- products opened from the shelves
    bought_at     timestamptz,
    primary key (experiment_id, subject_id)
);
create index exposure_by_subject on exposure (subject_id);
