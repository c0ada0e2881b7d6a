//! Settlement from the capture to the bank: hold, payouts, debts, statements, disputes, reports and the proof of it all.

use api_payments::{
    AnswerDisputeRequest, DisputeState, ExportStatementRequest, GetBalanceRequest, GetStatementRequest, ListDisputesRequest, ListOpenItemsRequest,
    ListPayoutsOfTenantRequest, OpenItem, OpenItemKind, OpenItemState, Payment, Payout, PayoutState, ProveLedgerRequest, ReconcileRequest,
    ResolveOpenItemRequest, RunSettlementRequest, SetPayoutAccountRequest, Statement, StatementLineKind, TenantBalance,
};
use futures::future::join_all;
use kit_core::TenantId;
use serde_json::json;

use crate::support::{Stand, part, reason};

/// Accounts at the sandbox bank: the last takes money, the others do what their endings say.
const TAKES: &str = "DE89370400440532013000";
/// Any BBAN has check digits that fit it.
fn iban(ending: &str) -> String {
    let bban = format!("37040044053201{ending}");
    let rest = format!("{bban}DE00")
        .chars()
        .filter_map(|c| c.to_digit(36))
        .fold(0_u32, |rest, digit| if digit > 9 { (rest * 100 + digit) % 97 } else { (rest * 10 + digit) % 97 });
    format!("DE{:02}{bban}", 98 - rest)
}

impl Stand {
    async fn balance(&self, tenant: TenantId) -> TenantBalance {
        let answer = self.client().get_balance(self.seller(tenant).request(GetBalanceRequest {})).await.unwrap().into_inner();
        answer.balances.first().cloned().unwrap_or_default()
    }

    async fn available(&self, tenant: TenantId) -> i64 {
        self.balance(tenant).await.available.map_or(0, |money| money.amount_minor)
    }

    async fn banks_with(&self, tenant: TenantId, iban: &str) {
        let request = SetPayoutAccountRequest { holder: "Anna".to_owned(), iban: iban.to_owned() };
        self.client().set_payout_account(self.seller(tenant).request(request)).await.unwrap();
    }

    /// Somebody buys from the tenant for 100.00 at 10 % commission, and gets it.
    async fn sells(&self, tenant: TenantId) -> Payment {
        let payment = self.authorize(&self.asks("tok_visa", &[(tenant, 10_000, 0, 0, 1_000)])).await;
        self.capture(&payment.payment_id, Vec::new()).await.unwrap();
        self.delivers(tenant, &payment, &payment.splits[0].sub_order_id).await;
        payment
    }

    async fn runs_settlement(&self) -> u32 {
        self.client().run_settlement(self.operator().request(RunSettlementRequest {})).await.unwrap().into_inner().begun
    }

    async fn payouts(&self, tenant: TenantId) -> Vec<Payout> {
        let request = self.seller(tenant).request(ListPayoutsOfTenantRequest::default());
        self.client().list_payouts_of_tenant(request).await.unwrap().into_inner().payouts
    }

    /// Waits until the newest payout of the tenant is in a state.
    async fn payout_becomes(&self, tenant: TenantId, state: PayoutState) -> Payout {
        for _ in 0..200 {
            self.job("process_webhooks").await;
            if let Some(payout) = self.payouts(tenant).await.into_iter().next().filter(|payout| payout.state() == state) {
                return payout;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("a payout should become {state:?}: {:?}", self.payouts(tenant).await);
    }

    async fn statement_of(&self, payout: &Payout, tenant: TenantId) -> Statement {
        let request = GetStatementRequest { payout_id: payout.payout_id.clone(), ..GetStatementRequest::default() };
        self.client().get_statement(self.seller(tenant).request(request)).await.unwrap().into_inner().statement.unwrap()
    }

    /// Every invariant of the books.
    async fn books_are_proved(&self) {
        let proof = self.client().prove_ledger(self.operator().request(ProveLedgerRequest {})).await.unwrap().into_inner();
        let broken: Vec<_> = proof.checks.iter().filter(|check| !check.holds).collect();
        assert!(proof.holds && broken.is_empty() && proof.checks.len() > 10, "{broken:?}");
        self.ledger_balances().await;
    }

    async fn reconciles(&self) -> Vec<OpenItem> {
        self.client().reconcile(self.operator().request(ReconcileRequest {})).await.unwrap();
        let request = ListOpenItemsRequest { state: OpenItemState::Open.into(), ..ListOpenItemsRequest::default() };
        self.client().list_open_items(self.operator().request(request)).await.unwrap().into_inner().items
    }
}

fn minor(money: &Option<kit_rpc::proto::Money>) -> i64 {
    money.as_ref().unwrap().amount_minor
}

#[tokio::test(flavor = "multi_thread")]
async fn money_is_available_after_delivery_and_hold_and_paid_out_once_per_tenant_and_period() {
    let stand = Stand::open().await;
    let anna: TenantId = stand.ids.next();
    stand.banks_with(anna, TAKES).await;
    let payment = stand.sells(anna).await;
    stand.job("settle").await;
    assert_eq!((minor(&stand.balance(anna).await.payable), stand.available(anna).await), (9_000, 0), "held");
    stand.days_pass(6);
    stand.job("settle").await;
    assert_eq!(stand.available(anna).await, 0, "still held");
    stand.days_pass(1);
    stand.job("settle").await;
    assert_eq!((minor(&stand.balance(anna).await.payable), stand.available(anna).await), (0, 9_000));
    assert!(stand.payouts(anna).await.is_empty(), "the period has not ended");
    stand.days_pass(7);
    // Everybody at once, and again: one payout.
    join_all((0..8).map(|_| stand.runs_settlement())).await;
    stand.runs_settlement().await;
    let paid = stand.payout_becomes(anna, PayoutState::Paid).await;
    assert_eq!((stand.payouts(anna).await.len(), minor(&paid.amount), stand.available(anna).await), (1, 9_000, 0));
    stand.reconciles().await;
    stand.books_are_proved().await;

    let statement = stand.statement_of(&paid, anna).await;
    let lines: Vec<_> = statement.lines.iter().map(|line| (line.kind(), minor(&line.amount), minor(&line.balance))).collect();
    assert_eq!(lines, [(StatementLineKind::Sale, 9_000, 9_000), (StatementLineKind::Payout, -9_000, 0)]);
    assert_eq!((minor(&statement.opening), minor(&statement.closing)), (0, 0));
    let sale = &statement.lines[0];
    assert_eq!((&sale.order_id, &sale.sub_order_id), (&payment.order_id, &payment.splits[0].sub_order_id));
    assert!(sale.entry_id.starts_with("led_"));
    for (format, beginning) in [("pdf", "%PDF-"), ("csv", "number,at,kind,amount")] {
        let request = ExportStatementRequest { payout_id: paid.payout_id.clone(), format: format.to_owned(), ..ExportStatementRequest::default() };
        let file = stand.client().export_statement(stand.seller(anna).request(request)).await.unwrap().into_inner();
        assert!(file.data.starts_with(beginning.as_bytes()), "{file:?}");
    }
    let stranger: TenantId = stand.ids.next();
    let request = GetStatementRequest { payout_id: paid.payout_id.clone(), ..GetStatementRequest::default() };
    let refused = stand.client().get_statement(stand.seller(stranger).request(request)).await.unwrap_err();
    assert_eq!(reason(&refused), "PAYOUT_NOT_FOUND");
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_is_refused_or_returned_reopens_the_balance_and_is_not_made_again_for_its_period() {
    let stand = Stand::open().await;
    for (ending, finally) in [("0001", PayoutState::Failed), ("0002", PayoutState::Returned)] {
        let tenant: TenantId = stand.ids.next();
        stand.banks_with(tenant, &iban(ending)).await;
        stand.sells(tenant).await;
        stand.days_pass(7);
        stand.job("settle").await;
        stand.days_pass(7);
        stand.runs_settlement().await;
        let ended = stand.payout_becomes(tenant, finally).await;
        assert!(!ended.failure.is_empty());
        assert_eq!(stand.available(tenant).await, 9_000, "{finally:?}");
        // Another account ends the block; the period that was paid is over, the next one pays.
        stand.banks_with(tenant, TAKES).await;
        assert_eq!(stand.runs_settlement().await, 0);
        stand.days_pass(7);
        stand.runs_settlement().await;
        let paid = stand.payout_becomes(tenant, PayoutState::Paid).await;
        assert_eq!((stand.payouts(tenant).await.len(), stand.available(tenant).await), (2, 0));
        let kinds: Vec<_> = stand.statement_of(&paid, tenant).await.lines.iter().map(|line| (line.kind(), minor(&line.balance))).collect();
        let reopened = if finally == PayoutState::Failed { StatementLineKind::PayoutFailed } else { StatementLineKind::PayoutReturned };
        assert_eq!(kinds, [(reopened, 9_000), (StatementLineKind::Payout, 0)]);
    }
    stand.reconciles().await;
    stand.books_are_proved().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_whose_answer_is_lost_is_sent_once_and_one_that_is_returned_on_demand_comes_back() {
    let stand = Stand::open().await;
    let anna: TenantId = stand.ids.next();
    stand.banks_with(anna, &iban("0003")).await;
    stand.sells(anna).await;
    stand.days_pass(7);
    stand.job("settle").await;
    stand.days_pass(7);
    stand.runs_settlement().await;
    let paid = stand.payout_becomes(anna, PayoutState::Paid).await;
    let transfer = stand.psp_request(reqwest::Method::GET, &format!("/bank/v1/transfers?idempotency_key={}", paid.payout_id), None).await;
    let path = format!("/bank/v1/transfers/{}/return", transfer["id"].as_str().unwrap());
    stand.psp_request(reqwest::Method::POST, &path, Some(json!({"reason": "account_dissolved"}))).await;
    let returned = stand.payout_becomes(anna, PayoutState::Returned).await;
    assert_eq!((returned.failure.as_str(), stand.available(anna).await), ("account_dissolved", 9_000));
    let statement = stand.psp_request(reqwest::Method::GET, "/bank/v1/statement", None).await;
    let moved: Vec<i64> = statement["lines"].as_array().unwrap().iter().map(|line| line["amount_minor"].as_i64().unwrap()).collect();
    assert_eq!(moved, [-9_000, 9_000], "sent once");
    stand.reconciles().await;
    stand.books_are_proved().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_after_the_payout_becomes_a_debt_that_the_next_payout_nets() {
    let stand = Stand::open().await;
    let anna: TenantId = stand.ids.next();
    stand.banks_with(anna, TAKES).await;
    let first = stand.sells(anna).await;
    stand.days_pass(7);
    stand.job("settle").await;
    stand.days_pass(7);
    stand.runs_settlement().await;
    stand.payout_becomes(anna, PayoutState::Paid).await;
    stand.refund(&first.payment_id, vec![part(&first.splits[0].sub_order_id, 4_000)]).await.unwrap();
    stand.job("settle").await;
    assert_eq!(stand.available(anna).await, -3_600, "a debt");
    stand.days_pass(7);
    assert_eq!(stand.runs_settlement().await, 0, "debts are carried forward");
    stand.sells(anna).await;
    stand.days_pass(7);
    stand.job("settle").await;
    stand.days_pass(7);
    assert_eq!(stand.runs_settlement().await, 1);
    let paid = stand.payout_becomes(anna, PayoutState::Paid).await;
    assert_eq!((minor(&paid.amount), stand.available(anna).await), (9_000 - 3_600, 0));
    let statement = stand.statement_of(&paid, anna).await;
    let kinds: Vec<_> = statement.lines.iter().map(|line| (line.kind(), minor(&line.amount))).collect();
    assert_eq!(kinds, [(StatementLineKind::Reversal, -3_600), (StatementLineKind::Sale, 9_000), (StatementLineKind::Payout, -5_400)]);
    let moved: i64 = statement.lines.iter().map(|line| minor(&line.amount)).sum();
    assert_eq!(minor(&statement.opening) + moved, minor(&statement.closing));
    stand.reconciles().await;
    stand.books_are_proved().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_takes_the_money_at_once_and_gives_it_back_when_it_is_won_and_costs_the_seller_the_fee_when_lost() {
    let stand = Stand::open().await;
    for (evidence, finally, left) in [("signed delivery note", DisputeState::Won, 9_000), ("losing_evidence", DisputeState::Lost, -1_500)] {
        let tenant: TenantId = stand.ids.next();
        let payment = stand.authorize(&stand.asks("tok_disputed", &[(tenant, 10_000, 0, 0, 1_000)])).await;
        stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
        stand.delivers(tenant, &payment, &payment.splits[0].sub_order_id).await;
        stand.days_pass(8);
        stand.job("settle").await;
        let disputes = async || {
            stand.job("process_webhooks").await;
            let found = stand.client().list_disputes(stand.operator().request(ListDisputesRequest::default())).await.unwrap().into_inner();
            found.disputes.into_iter().find(|dispute| dispute.payment_id == payment.payment_id)
        };
        let becomes = async |state: DisputeState| {
            for _ in 0..200 {
                if let Some(dispute) = disputes().await.filter(|dispute| dispute.state() == state) {
                    return dispute;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            panic!("the dispute should be {state:?}: {:?}", disputes().await);
        };
        let opened = becomes(DisputeState::NeedsResponse).await;
        stand.job("settle").await;
        assert_eq!(stand.available(tenant).await, 0, "what is disputed is not the seller's meanwhile");
        let too_much = stand.refund(&payment.payment_id, Vec::new()).await.unwrap_err();
        assert_eq!(reason(&too_much), "PAYMENT_NOT_REFUNDABLE", "it is gone already");
        let request = AnswerDisputeRequest { dispute_id: opened.dispute_id.clone(), evidence: evidence.to_owned() };
        let answered = stand.client().answer_dispute(stand.operator().request(request.clone())).await.unwrap().into_inner().dispute.unwrap();
        assert_eq!(answered.state(), DisputeState::UnderReview);
        let again = stand.client().answer_dispute(stand.operator().request(request)).await.unwrap_err();
        assert_eq!(reason(&again), "DISPUTE_ANSWERED");
        becomes(finally).await;
        stand.job("settle").await;
        assert_eq!(stand.available(tenant).await, left, "{finally:?}");
        stand.has_told(&payment.payment_id, &["authorized", "captured", "dispute_opened", "dispute_answered", "dispute_closed"]).await;
    }
    assert_eq!(stand.reconciles().await, []);
    stand.books_are_proved().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_psp_reports_and_we_have_not_booked_becomes_an_open_item_that_an_operator_resolves() {
    let stand = Stand::open().await;
    let anna: TenantId = stand.ids.next();
    let payment = stand.sells(anna).await;
    assert_eq!(stand.reconciles().await, [], "the books agree");
    // The PSP refunds something by itself, as from its own console: nobody here asked for it.
    let at_psp = stand.at_psp(&payment.payment_id).await;
    let path = format!("/v1/payments/{}/refunds", at_psp["id"].as_str().unwrap());
    let request = stand.http.post(format!("{}{path}", stand.psp)).bearer_auth("sk_sandbox").header("idempotency-key", "by hand");
    request.json(&json!({"reference": "by hand", "amount_minor": 700})).send().await.unwrap();
    let items = stand.reconciles().await;
    let told: Vec<_> = items.iter().map(|item| (item.kind(), item.about.as_str(), minor(&item.reported), minor(&item.booked))).collect();
    assert_eq!(told, [(OpenItemKind::NotInLedger, "refund", -700, 0)]);
    assert_eq!(stand.reconciles().await.len(), 1, "told once");
    stand.books_are_proved().await;
    let item_id = items[0].item_id.clone();
    let request = ResolveOpenItemRequest { item_id: item_id.clone(), note: "refunded by hand in the PSP's console".to_owned(), post: true };
    let resolved = stand.client().resolve_open_item(stand.operator().request(request.clone())).await.unwrap().into_inner();
    assert!(resolved.entry_id.starts_with("led_"));
    let again = stand.client().resolve_open_item(stand.operator().request(request)).await.unwrap_err();
    assert_eq!(reason(&again), "OPEN_ITEM_CLOSED");
    assert_eq!(stand.reconciles().await, []);
    stand.books_are_proved().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_whose_webhook_never_came_is_found_by_the_report() {
    let stand = Stand::open().await;
    let anna: TenantId = stand.ids.next();
    let payment = stand.sells(anna).await;
    stand.faults(json!({"drop_webhooks_percent": 100})).await;
    let at_psp = stand.at_psp(&payment.payment_id).await;
    let path = format!("/v1/payments/{}/disputes", at_psp["id"].as_str().unwrap());
    stand.psp_request(reqwest::Method::POST, &path, Some(json!({"reason": "fraudulent", "amount_minor": 2_500}))).await;
    assert_eq!(stand.reconciles().await, [], "the report sent us to look again");
    let found = stand.client().list_disputes(stand.operator().request(ListDisputesRequest::default())).await.unwrap().into_inner();
    assert_eq!(found.disputes.iter().map(|dispute| (dispute.reason.as_str(), minor(&dispute.amount))).collect::<Vec<_>>(), [("fraudulent", 2_500)]);
    stand.books_are_proved().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_booked_and_nobody_reports_becomes_an_open_item_after_the_grace() {
    let stand = Stand::open().await;
    let anna: TenantId = stand.ids.next();
    stand.sells(anna).await;
    let mut owner = stand.owner().await;
    // The books are made to say what never happened: a refund nobody reports.
    sqlx::raw_sql(
        "set search_path to payments; set mh.scope = 'platform';
         insert into ledger_entry (entry_id, kind, payment_id, order_id, reference, posted_at)
             select gen_random_uuid(), 'refund', payment_id, order_id, gen_random_uuid(), posted_at from ledger_entry where kind = 'capture';
         insert into ledger_posting (entry_id, line, account_id, tenant_id, sub_order_id, amount_minor, currency)
             select made.entry_id, row_number() over (order by posting.line), posting.account_id, posting.tenant_id, posting.sub_order_id,
                 -posting.amount_minor, posting.currency
             from ledger_entry made, ledger_entry capture join ledger_posting posting on posting.entry_id = capture.entry_id
             where made.kind = 'refund' and capture.kind = 'capture'",
    )
    .execute(&mut owner)
    .await
    .unwrap();
    assert_eq!(stand.reconciles().await, [], "a report may take its time");
    stand.days_pass(1);
    let items = stand.reconciles().await;
    assert_eq!(items.iter().map(OpenItem::kind).collect::<Vec<_>>(), [OpenItemKind::NotReported]);
    let proof = stand.client().prove_ledger(stand.operator().request(ProveLedgerRequest {})).await.unwrap().into_inner();
    assert!(!proof.holds, "the proof finds that payments and ledger differ");
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_above_the_captured_share_are_refused_under_concurrency() {
    let stand = Stand::open().await;
    let (anna, ben): (TenantId, TenantId) = (stand.ids.next(), stand.ids.next());
    let payment = stand.authorize(&stand.asks("tok_visa", &[(anna, 6_000, 0, 0, 1_000), (ben, 4_000, 0, 0, 1_000)])).await;
    let of_anna = payment.splits[0].sub_order_id.clone();
    // Part of a share is captured, the rest of the payment given up.
    stand.capture(&payment.payment_id, vec![part(&of_anna, 5_000)]).await.unwrap();
    let request = api_payments::VoidRequest { payment_id: payment.payment_id.clone() };
    stand.client().void(stand.service().request(request)).await.unwrap();
    let answers = join_all((0..20).map(|_| stand.refund(&payment.payment_id, vec![part(&of_anna, 400)]))).await;
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(done, 12, "12 × 400 fit into 5,000, a thirteenth does not");
    assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).all(|error| reason(error) == "REFUND_TOO_LARGE"));
    stand.refund(&payment.payment_id, Vec::new()).await.unwrap();
    let last = stand.get(&payment.payment_id).await;
    assert_eq!((minor(&last.captured), minor(&last.refunded)), (5_000, 5_000));
    assert!(last.splits.iter().all(|split| minor(&split.refunded) <= minor(&split.captured)));
    assert_eq!(stand.reconciles().await, []);
    stand.books_are_proved().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_periodic_job_of_payments_is_scheduled_and_runs() {
    let every_second = "prove_every_seconds = 1\nsettlement.settle_every_seconds = 1\nsettlement.ask_banks_every_seconds = 1\n\
        settlement.reconcile_every_seconds = 1\nprune_webhooks_every_seconds = 1";
    let stand = Stand::open_with(every_second).await;
    let wanted = ["ask_banks", "ask_psps", "process_webhooks", "prove_ledger", "prune_webhooks", "reconcile_reports", "settle"];
    for _ in 0..100 {
        let ran = stand.jobs_that_succeeded().await;
        if wanted.iter().all(|job| ran.contains(job)) {
            stand.close().await;
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("wanted {wanted:?}, succeeded by themselves: {:?}", stand.jobs_that_succeeded().await);
}
