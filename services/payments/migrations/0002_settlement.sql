-- Settlement: what becomes available to sellers and when, payouts, disputes, and what PSPs and banks report.

alter table ledger_account
    drop constraint ledger_account_kind_check,
    drop constraint ledger_account_has_its_owner,
    add constraint ledger_account_kind_check check (kind in ('psp_receivable', 'tenant_payable', 'tenant_shipping', 'tax_payable',
        'platform_commission', 'tenant_available', 'payout_clearing', 'bank', 'psp_fees', 'fee_tax', 'dispute_fees', 'suspense')),
    -- The column psp names the PSP, or the bank, that the account is with.
    add constraint ledger_account_has_its_owner check (case
        when kind in ('psp_receivable', 'psp_fees', 'fee_tax', 'dispute_fees', 'payout_clearing', 'bank') then psp is not null and tenant_id is null
        when kind in ('platform_commission', 'suspense') then psp is null and tenant_id is null
        else tenant_id is not null and psp is null end);

alter table ledger_entry
    drop constraint ledger_entry_kind_check,
    alter column payment_id drop not null,
    alter column order_id drop not null,
    add constraint ledger_entry_kind_check check (kind in ('capture', 'refund', 'settlement', 'payout', 'payout_paid', 'payout_failed',
        'payout_returned', 'dispute_opened', 'dispute_won', 'dispute_lost', 'adjustment')),
    add constraint ledger_entry_of_a_payment check (kind not in ('capture', 'refund', 'dispute_opened', 'dispute_won', 'dispute_lost')
        or (payment_id is not null and order_id is not null));

-- Whom money is paid out to. The bank knows the account; we keep its name for it.
create table payee (
    tenant_id      uuid primary key,
    plan           text not null default 'free' check (plan in ('free', 'pro', 'enterprise')),
    active         boolean not null default true,
    bank           text,
    beneficiary    text,
    holder         text not null default '',
    account_last4  text not null default '',
    account_since  timestamptz,
    -- Why nothing is paid out until another account is given: the last payout came back.
    blocked_reason text not null default '',
    constraint payee_account_is_whole check ((bank is null) = (beneficiary is null))
);
alter table payee enable row level security;
alter table payee force row level security;
create policy tenant on payee using (kit_tenant_visible(tenant_id));

-- A sub-order that was delivered, and when its money becomes available.
create table settlement_part (
    sub_order_id uuid primary key,
    tenant_id    uuid not null,
    order_id     uuid not null,
    delivered_at timestamptz not null,
    release_at   timestamptz not null,
    released_at  timestamptz,
    -- Money moved after the release, and has yet to be moved on.
    stale        boolean not null default false
);
create index settlement_part_due on settlement_part (release_at) where released_at is null;
create index settlement_part_stale on settlement_part (sub_order_id) where stale;
alter table settlement_part enable row level security;
alter table settlement_part force row level security;
create policy tenant on settlement_part using (kit_tenant_visible(tenant_id));

-- The seller's account with us in one currency: how many lines its statement has, and what is available. Negative: a debt.
create table seller_balance (
    tenant_id       uuid not null,
    currency        char(3) not null,
    lines           bigint not null default 0,
    available_minor bigint not null default 0,
    last_at         timestamptz,
    primary key (tenant_id, currency)
);
alter table seller_balance enable row level security;
alter table seller_balance force row level security;
create policy tenant on seller_balance using (kit_tenant_visible(tenant_id));

create table payout (
    payout_id       uuid primary key,
    tenant_id       uuid not null,
    currency        char(3) not null,
    period_start    timestamptz not null,
    period_end      timestamptz not null,
    amount_minor    bigint not null,
    -- What was available before it.
    available_minor bigint not null,
    -- The lines of the seller's statement that it settles, its own line last.
    first_line      bigint not null,
    last_line       bigint not null,
    state           text not null check (state in ('created', 'sent', 'paid', 'failed', 'returned')),
    -- The payout as a whole; it is always read and written as one, under the row's lock.
    body            jsonb not null,
    next_ask_at     timestamptz,
    created_at      timestamptz not null,
    constraint payout_once_per_period unique (tenant_id, currency, period_end),
    constraint payout_within_available check (amount_minor > 0 and amount_minor <= available_minor),
    check (first_line <= last_line)
);
create index payout_by_tenant on payout (tenant_id, payout_id);
create index payout_by_next_ask on payout (next_ask_at) where next_ask_at is not null;
alter table payout enable row level security;
alter table payout force row level security;
create policy tenant on payout using (kit_tenant_visible(tenant_id));

-- The seller's statement: every movement of what is available, with the balance after it. Only ever added to.
create table statement_line (
    tenant_id     uuid not null,
    currency      char(3) not null,
    number        bigint not null check (number > 0),
    kind          text not null check (kind in ('sale', 'reversal', 'payout', 'payout_failed', 'payout_returned', 'adjustment')),
    entry_id      uuid not null references ledger_entry,
    order_id      uuid,
    sub_order_id  uuid,
    payout_id     uuid references payout,
    amount_minor  bigint not null check (amount_minor <> 0),
    balance_minor bigint not null,
    at            timestamptz not null,
    primary key (tenant_id, currency, number),
    unique (entry_id, tenant_id, currency),
    constraint statement_line_names_its_cause check (case when kind in ('sale', 'reversal') then sub_order_id is not null and order_id is not null
        when kind = 'adjustment' then true else payout_id is not null end)
);
create index statement_line_by_time on statement_line (tenant_id, currency, at);
alter table statement_line enable row level security;
alter table statement_line force row level security;
create policy tenant on statement_line using (kit_tenant_visible(tenant_id));

-- Each line begins where the one before it ended: opening + movements = closing, whoever writes.
create function statement_must_chain() returns trigger language plpgsql as $$
begin
    if exists (
        select 1 from added
            left join statement_line before on before.tenant_id = added.tenant_id and before.currency = added.currency and before.number = added.number - 1
        where added.balance_minor <> coalesce(before.balance_minor, 0) + added.amount_minor or (added.number > 1 and before.number is null)
    ) then
        raise exception 'a line of a statement does not begin where the one before it ended'
            using errcode = 'check_violation', constraint = 'statement_chains', table = 'statement_line';
    end if;
    return null;
end $$;
create trigger statement_chains after insert on statement_line
    referencing new table as added for each statement execute function statement_must_chain();

-- Disputes, for lists; the payment has all of them.
create table dispute (
    dispute_id      uuid primary key,
    payment_id      uuid not null references payment,
    order_id        uuid not null,
    psp             text not null,
    psp_reference   text not null,
    state           text not null check (state in ('needs_response', 'under_review', 'won', 'lost')),
    reason          text not null,
    amount_minor    bigint not null check (amount_minor > 0),
    fee_minor       bigint not null check (fee_minor >= 0),
    currency        char(3) not null,
    evidence_due_at timestamptz,
    opened_at       timestamptz not null,
    closed_at       timestamptz
);
create index dispute_by_payment on dispute (payment_id);
create index dispute_by_age on dispute (opened_at, dispute_id);

-- What a PSP or a bank reports of our account with it, as it came, and which entry of ours says the same.
create table report_line (
    source       text not null,
    number       bigint not null,
    kind         text not null,
    -- Ours where the source knows it, else the source's own.
    reference    text not null,
    payment_id   uuid,
    amount_minor bigint not null,
    -- What the source kept of it, its tax included.
    fee_minor    bigint not null,
    currency     char(3) not null,
    booked_at    timestamptz not null,
    entry_id     uuid references ledger_entry,
    primary key (source, number)
);
create index report_line_unmatched on report_line (source, number) where entry_id is null;
create unique index report_line_by_entry on report_line (entry_id) where entry_id is not null;

create table report_cursor (
    source     text primary key,
    number     bigint not null,
    fetched_at timestamptz not null
);

-- Where the books of others and ours differ, until somebody has dealt with it.
create table open_item (
    item_id         uuid primary key,
    source          text not null,
    -- not_in_ledger: reported, not booked by us; not_reported: booked by us, not reported; amount_differs.
    kind            text not null check (kind in ('not_in_ledger', 'not_reported', 'amount_differs')),
    reference       text not null,
    about           text not null,
    payment_id      uuid,
    reported_minor  bigint not null,
    booked_minor    bigint not null,
    currency        char(3) not null,
    state           text not null check (state in ('open', 'resolved', 'cleared')),
    note            text not null default '',
    worked_by       text not null default '',
    opened_at       timestamptz not null,
    closed_at       timestamptz,
    constraint open_item_once unique (source, kind, reference),
    constraint open_item_resolved_says_why check (state <> 'resolved' or note <> '')
);
create index open_item_by_state on open_item (state, item_id);

revoke update, delete, truncate on statement_line from mh_app;
