//! Which PSP a payment goes to, what happens when it is away, and that money goes back the way it came.

use api_payments::{
    CircuitState, GetPaymentOptionsRequest, ListPspsRequest, MovementState, PaymentMethodKind, PaymentOption, PaymentState, PspStatus,
    ResolvePaymentRequest,
};
use kit_rpc::proto::Money;

use crate::support::party::{Party, Recorded};
use crate::support::relay::Faults;
use crate::support::{Stand, part_in, reason};

/// An address where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";
const BREAKER: &str = "guard.failures_to_open = 2\nguard.open_ms = 60000\nguard.tries = 1\n";

async fn options(stand: &Stand, currency: &str, amount_minor: i64) -> Vec<PaymentOption> {
    let amount = Some(Money { amount_minor, currency: currency.to_owned() });
    let request = GetPaymentOptionsRequest { amount, tenant_ids: Vec::new() };
    stand.client().get_payment_options(kit_rpc::Ctx::anonymous("page").request(request)).await.unwrap().into_inner().options
}

fn psp_of(options: &[PaymentOption], method: PaymentMethodKind) -> Option<&str> {
    options.iter().find(|option| option.method() == method).map(|option| option.psp.as_str())
}

async fn status(stand: &Stand, psp: &str) -> PspStatus {
    let psps = stand.client().list_psps(stand.operator().request(ListPspsRequest {})).await.unwrap().into_inner().psps;
    psps.into_iter().find(|status| status.psp == psp).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_choose_by_method_currency_and_amount() {
    let rules = "routes = [
        { methods = [\"net_banking\"], from_minor = 500000, psps = [\"sandbox\"] },
        { currencies = [\"INR\"], psps = [\"razorpay\", \"sandbox\"] },
    ]\n";
    let stand = Stand::of(Party::Razorpay, rules).await;
    let rupees = options(&stand, "INR", 10_000).await;
    assert_eq!(psp_of(&rupees, PaymentMethodKind::NetBanking), Some("razorpay"));
    assert_eq!(psp_of(&rupees, PaymentMethodKind::Card), Some("sandbox"), "Razorpay takes no cards here");
    assert_eq!(psp_of(&options(&stand, "INR", 500_000).await, PaymentMethodKind::NetBanking), Some("sandbox"), "by the first rule");
    // No rule is about euros; the default PSP does not take them.
    assert_eq!(psp_of(&options(&stand, "EUR", 10_000).await, PaymentMethodKind::Upi), Some("sandbox"));
    let payment = stand.authorize(&stand.wants("net_banking:HDFC")).await;
    assert_eq!(payment.psp, "razorpay");
    let mut dear = stand.wants("net_banking:first");
    dear.splits[0].goods.as_mut().unwrap().amount_minor = 500_000;
    dear.amount.as_mut().unwrap().amount_minor = 500_000;
    assert_eq!(stand.authorize(&dear).await.psp, "sandbox");
    let unheard_of = stand.try_authorize(&stand.wants("paypal")).await.unwrap_err();
    assert_eq!(reason(&unheard_of), "METHOD_NOT_OFFERED");
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_psp_is_used_when_the_first_surely_was_not_reached() {
    let away = format!(
        "razorpay = {{ enabled = true, url = \"{NOBODY}\", key_id = \"k\", key_secret = \"s\", webhook_secret = \"w\" }}\n\
         routes = [{{ currencies = [\"INR\"], psps = [\"razorpay\", \"sandbox\"] }}]\n{BREAKER}"
    );
    let stand = Stand::open_with(&away).await;
    let rupees = |token: &str| crate::support::with_money_in("INR", stand.plain(token));
    for _ in 0..2 {
        let payment = stand.authorize(&rupees("upi")).await;
        assert_eq!((payment.psp.as_str(), payment.state()), ("sandbox", PaymentState::ActionRequired));
    }
    let status = status(&stand, "razorpay").await;
    assert_eq!((status.circuit(), status.requests, status.failed), (CircuitState::Open, 2, 2));
    assert!(!status.last_failure.is_empty());
    // From now on nobody is even sent there.
    assert_eq!(psp_of(&options(&stand, "INR", 100).await, PaymentMethodKind::Upi), Some("sandbox"));
    let payment = stand.authorize(&rupees("upi")).await;
    assert_eq!(payment.psp, "sandbox");
    stand.http.post(&payment.next_action_url).form(&[("decision", "approve")]).send().await.unwrap();
    assert_eq!(stand.becomes(&payment.payment_id, PaymentState::Authorised).await.method.unwrap().brand, "upi");
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_uses_the_psp_that_took_the_money() {
    let stand = Stand::of(Party::Paypal, "routes = [{ methods = [\"card\"], psps = [\"sandbox\"] }]\n").await;
    let by_paypal = stand.held(&stand.wants("paypal")).await;
    stand.capture(&by_paypal.payment_id, Vec::new()).await.unwrap();
    let by_card = stand.authorize(&stand.wants("sandbox/tok_visa")).await;
    assert_eq!((by_paypal.psp.as_str(), by_card.psp.as_str()), ("paypal", "sandbox"));
    stand.capture(&by_card.payment_id, Vec::new()).await.unwrap();
    // PayPal is down when its money is to go back: nobody else gives it.
    stand.fails(Faults { down: true, ..Faults::default() });
    let half = part_in("EUR", &by_paypal.splits[0].sub_order_id, 5_000);
    let waiting = stand.refund(&by_paypal.payment_id, vec![half]).await.unwrap();
    assert_eq!(waiting.refund.unwrap().state(), MovementState::Pending);
    let other = stand.refund(&by_card.payment_id, Vec::new()).await.unwrap();
    assert_eq!(other.refund.unwrap().state(), MovementState::Succeeded, "the sandbox goes on");
    assert_eq!(stand.at_psp(&by_paypal.payment_id).await["id"], serde_json::Value::Null, "the sandbox knows nothing of it");
    stand.fails(Faults::default());
    let request = stand.operator().request(ResolvePaymentRequest { payment_id: by_paypal.payment_id.clone() });
    stand.client().resolve_payment(request).await.unwrap();
    let refunded = stand.becomes(&by_paypal.payment_id, PaymentState::PartiallyRefunded).await;
    assert_eq!(stand.recorded(&refunded).await, Recorded { holds: 1, captured: 10_000, refunded: 5_000 });
    stand.ledger_balances().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_reports_what_the_ledger_says() {
    let stand = Stand::of(Party::Stripe, "settlement.report_grace_minutes = 0\n").await;
    let payment = stand.held(&stand.wants(&stand.good().await)).await;
    stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    stand.refund(&payment.payment_id, vec![part_in("EUR", &payment.splits[0].sub_order_id, 2_500)]).await.unwrap();
    stand.becomes(&payment.payment_id, PaymentState::PartiallyRefunded).await;
    let reconciled = stand.client().reconcile(stand.operator().request(api_payments::ReconcileRequest {})).await.unwrap().into_inner();
    assert_eq!(reconciled.open, 0, "{reconciled:?}");
    let read = reconciled.reports.iter().find(|report| report.source == "stripe").unwrap();
    assert!(read.lines == 2, "{read:?}");
    stand.close().await;
}
