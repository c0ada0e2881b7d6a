-- Payments, what PSPs told us about them, buyers' saved methods, and the ledger.

create table payment (
    payment_id     uuid primary key,
    order_id       uuid not null,
    buyer_id       uuid not null,
    psp            text not null,
    psp_reference  text,
    -- The version of the PSP's own record that we have seen; older tidings are ignored.
    psp_version    bigint not null default 0,
    state          text not null check (state in ('created', 'authorising', 'action_required', 'authorised', 'failed', 'unknown',
                       'partially_captured', 'captured', 'partially_refunded', 'refunded', 'voided')),
    amount_minor   bigint not null check (amount_minor > 0),
    captured_minor bigint not null default 0,
    refunded_minor bigint not null default 0,
    currency       char(3) not null,
    -- The whole payment: frozen splits, captures, refunds. It is always read and written as a whole, under the row's lock.
    body           jsonb not null,
    -- When the PSP must be asked how it stands; null while nothing is open.
    next_ask_at    timestamptz,
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    constraint payment_captures_within_amount check (captured_minor between 0 and amount_minor),
    constraint payment_refunds_within_captures check (refunded_minor between 0 and captured_minor)
);
create index payment_by_order on payment (order_id);
create index payment_by_next_ask on payment (next_ask_at) where next_ask_at is not null;

create table payment_method (
    method_id  uuid primary key,
    buyer_id   uuid not null,
    psp        text not null,
    token      text not null,
    brand      text not null,
    last4      text not null,
    exp_month  integer not null check (exp_month between 0 and 12),
    exp_year   integer not null,
    created_at timestamptz not null,
    unique (psp, token)
);
create index payment_method_by_buyer on payment_method (buyer_id, method_id);

-- What PSPs sent, as it came, stored before anything is made of it.
create table webhook_delivery (
    number       bigint generated always as identity primary key,
    psp          text not null,
    body         bytea not null,
    received_at  timestamptz not null,
    processed_at timestamptz
);
create index webhook_delivery_open on webhook_delivery (number) where processed_at is null;
create index webhook_delivery_by_age on webhook_delivery (received_at);

-- Which of a PSP's events have come, whatever delivery brought them first.
create table webhook_event (
    psp      text not null,
    event_id text not null,
    number   bigint not null references webhook_delivery on delete cascade,
    primary key (psp, event_id)
);
create index webhook_event_by_delivery on webhook_event (number);

-- The ledger. An account is one kind of claim or debt, of one owner, in one currency; its id follows from these.
create table ledger_account (
    account_id uuid primary key,
    kind       text not null check (kind in ('psp_receivable', 'tenant_payable', 'tenant_shipping', 'tax_payable', 'platform_commission')),
    tenant_id  uuid,
    psp        text,
    currency   char(3) not null,
    unique nulls not distinct (kind, tenant_id, psp, currency),
    constraint ledger_account_has_its_owner check (case kind
        when 'psp_receivable' then psp is not null and tenant_id is null
        when 'platform_commission' then psp is null and tenant_id is null
        else tenant_id is not null and psp is null end),
    unique (account_id, currency)
);
alter table ledger_account enable row level security;
alter table ledger_account force row level security;
create policy tenant on ledger_account using (kit_tenant_visible(tenant_id));

create table ledger_entry (
    entry_id   uuid primary key,
    kind       text not null check (kind in ('capture', 'refund')),
    payment_id uuid not null references payment,
    order_id   uuid not null,
    -- The capture or refund that it records; each is recorded once.
    reference  uuid not null,
    posted_at  timestamptz not null,
    constraint ledger_entry_once unique (kind, reference)
);
create index ledger_entry_by_order on ledger_entry (order_id);

create table ledger_posting (
    entry_id     uuid not null references ledger_entry,
    line         integer not null,
    account_id   uuid not null,
    tenant_id    uuid,
    sub_order_id uuid,
    -- Debit positive, credit negative.
    amount_minor bigint not null check (amount_minor <> 0),
    currency     char(3) not null,
    primary key (entry_id, line),
    foreign key (account_id, currency) references ledger_account (account_id, currency)
);
create index ledger_posting_by_tenant on ledger_posting (tenant_id, entry_id) where tenant_id is not null;
alter table ledger_posting enable row level security;
alter table ledger_posting force row level security;
create policy tenant on ledger_posting using (kit_tenant_visible(tenant_id));

-- Postings are only ever added, and every statement that adds some must add balanced entries: so each entry, each account's
-- history and the whole ledger balance in every currency at every moment, whoever writes.
create function ledger_must_balance() returns trigger language plpgsql as $$
begin
    if exists (select 1 from added group by entry_id, currency having sum(amount_minor) <> 0) then
        raise exception 'the postings of an entry do not sum to zero'
            using errcode = 'check_violation', constraint = 'ledger_balances', table = 'ledger_posting';
    end if;
    return null;
end $$;
create trigger ledger_balances after insert on ledger_posting
    referencing new table as added for each statement execute function ledger_must_balance();

revoke update, delete, truncate on ledger_account, ledger_entry, ledger_posting from mh_app;
