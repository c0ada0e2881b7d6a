//! What every PSP's adapter must do, tried with each: the sandbox, Stripe (localstripe), PayPal and Razorpay (contract servers).

use api_payments::{ListMethodsRequest, MovementState, PaymentState, ReceiveWebhookRequest, VoidRequest};
use futures::future::join_all;

use crate::support::party::{Party, Recorded};
use crate::support::relay::Faults;
use crate::support::{Stand, part_in, reason};

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_behaves() {
    behaves(Party::Sandbox).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_behaves() {
    behaves(Party::Stripe).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paypal_behaves() {
    behaves(Party::Paypal).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn razorpay_behaves() {
    behaves(Party::Razorpay).await;
}

async fn behaves(party: Party) {
    let stand = Stand::of(party, "").await;
    takes_and_gives_back(&stand).await;
    refuses_what_the_bank_or_the_buyer_refuses(&stand).await;
    gives_up_what_is_held(&stand).await;
    takes_in_parts_or_says_that_it_does_not(&stand).await;
    never_gives_back_more_than_it_took(&stand).await;
    moves_money_once_when_answers_are_lost(&stand).await;
    promises_nothing_while_down(&stand).await;
    needs_no_webhook_and_minds_no_repetition(&stand).await;
    believes_no_forged_webhook(&stand).await;
    keeps_methods(&stand).await;
    stand.ledger_balances().await;
    stand.close().await;
}

async fn takes_and_gives_back(stand: &Stand) {
    let payment = stand.held(&stand.wants(&stand.good().await)).await;
    assert_eq!(stand.recorded(&payment).await, Recorded { holds: 1, captured: 0, refunded: 0 });
    let captured = stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    assert_eq!((captured.capture.unwrap().state(), captured.payment.unwrap().state()), (MovementState::Succeeded, PaymentState::Captured));
    let piece = part_in(stand.party.currency(), &payment.splits[0].sub_order_id, 3_333);
    let refunded = stand.refund(&payment.payment_id, vec![piece]).await.unwrap();
    assert_eq!((refunded.refund.unwrap().state(), refunded.payment.unwrap().state()), (MovementState::Succeeded, PaymentState::PartiallyRefunded));
    stand.refund(&payment.payment_id, Vec::new()).await.unwrap();
    let last = stand.becomes(&payment.payment_id, PaymentState::Refunded).await;
    assert_eq!(stand.recorded(&last).await, Recorded { holds: 1, captured: 10_000, refunded: 10_000 });
    let asked: &[&str] = if stand.party.has_cards() { &[] } else { &["action_required"] };
    stand.has_told(&payment.payment_id, &[asked, &["authorized", "captured", "refunded", "refunded"]].concat()).await;
}

async fn refuses_what_the_bank_or_the_buyer_refuses(stand: &Stand) {
    if stand.party.has_cards() {
        let declined = stand.authorize(&stand.wants(&stand.declined().await)).await;
        assert_eq!(declined.state(), PaymentState::Failed, "{declined:?}");
        assert!(!declined.failure_code.is_empty() && !declined.failure_message.is_empty());
    }
    let asked = stand.authorize(&stand.wants(&stand.challenged().await)).await;
    assert_eq!(asked.state(), PaymentState::ActionRequired, "{asked:?}");
    stand.decides(&asked, false).await;
    let failed = stand.becomes(&asked.payment_id, PaymentState::Failed).await;
    assert!(!failed.failure_message.is_empty());
    stand.has_told(&asked.payment_id, &["action_required", "failed"]).await;
    let approved = stand.held(&stand.wants(&stand.challenged().await)).await;
    stand.has_told(&approved.payment_id, &["action_required", "authorized"]).await;
}

async fn gives_up_what_is_held(stand: &Stand) {
    let void = async |payment_id: &str| {
        stand.client().void(stand.service().request(VoidRequest { payment_id: payment_id.to_owned() })).await.unwrap();
    };
    let held = stand.held(&stand.wants(&stand.good().await)).await;
    void(&held.payment_id).await;
    stand.lapses(&held).await;
    let voided = stand.becomes(&held.payment_id, PaymentState::Voided).await;
    assert_eq!(reason(&stand.capture(&voided.payment_id, Vec::new()).await.unwrap_err()), "PAYMENT_NOT_CAPTURABLE");
    let hesitating = stand.authorize(&stand.wants(&stand.challenged().await)).await;
    assert_eq!(hesitating.state(), PaymentState::ActionRequired);
    void(&hesitating.payment_id).await;
    stand.becomes(&hesitating.payment_id, PaymentState::Voided).await;
    assert_eq!(stand.recorded(&hesitating).await.captured, 0);
}

async fn takes_in_parts_or_says_that_it_does_not(stand: &Stand) {
    let payment = stand.held(&stand.wants(&stand.good().await)).await;
    let some = part_in(stand.party.currency(), &payment.splits[0].sub_order_id, 4_000);
    let partly = stand.capture(&payment.payment_id, vec![some]).await.unwrap();
    let (capture, after) = (partly.capture.unwrap(), partly.payment.unwrap());
    if stand.party.takes_parts() {
        assert_eq!((capture.state(), after.state()), (MovementState::Succeeded, PaymentState::PartiallyCaptured));
        stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
        assert_eq!(stand.becomes(&payment.payment_id, PaymentState::Captured).await.captured, payment.amount);
        // One refund of more than any one capture.
        stand.refund(&payment.payment_id, vec![part_in(stand.party.currency(), &payment.splits[0].sub_order_id, 9_000)]).await.unwrap();
        let refunded = stand.becomes(&payment.payment_id, PaymentState::PartiallyRefunded).await;
        assert_eq!(stand.recorded(&refunded).await, Recorded { holds: 1, captured: 10_000, refunded: 9_000 });
    } else if stand.party == Party::Stripe {
        // Without several captures, Stripe lets go of the rest.
        assert_eq!((capture.state(), after.state()), (MovementState::Succeeded, PaymentState::Captured));
        assert_eq!(after.captured.unwrap().amount_minor, 4_000);
        stand.has_told(&payment.payment_id, &["authorized", "captured", "voided"]).await;
    } else {
        assert_eq!((capture.state(), after.state()), (MovementState::Failed, PaymentState::Authorised));
        stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
        stand.becomes(&payment.payment_id, PaymentState::Captured).await;
    }
}

async fn never_gives_back_more_than_it_took(stand: &Stand) {
    let payment = stand.held(&stand.wants(&stand.good().await)).await;
    stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    let piece = || part_in(stand.party.currency(), &payment.splits[0].sub_order_id, 2_400);
    let refunds = join_all((0..10).map(|_| stand.refund(&payment.payment_id, vec![piece()]))).await;
    assert_eq!(refunds.iter().filter(|refund| refund.is_ok()).count(), 4, "four times 2400 fit into 10000");
    for _ in 0..200 {
        if stand.recorded(&payment).await.refunded == 9_600 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(stand.recorded(&payment).await, Recorded { holds: 1, captured: 10_000, refunded: 9_600 });
}

async fn moves_money_once_when_answers_are_lost(stand: &Stand) {
    let token = stand.good().await;
    stand.fails(Faults { answers_lost: true, webhooks_lost: true, ..Faults::default() });
    let lost = stand.authorize(&stand.wants(&token)).await;
    assert_eq!(lost.state(), PaymentState::Unknown, "{lost:?}");
    stand.fails(Faults { webhooks_lost: true, ..Faults::default() });
    let held = stand.is_held(&lost.payment_id).await;
    assert_eq!(stand.recorded(&held).await.holds, 1);
    stand.fails(Faults { answers_lost: true, webhooks_lost: true, ..Faults::default() });
    let pending = stand.capture(&held.payment_id, Vec::new()).await.unwrap();
    assert_eq!(pending.capture.unwrap().state(), MovementState::Pending);
    stand.fails(Faults::default());
    stand.becomes(&held.payment_id, PaymentState::Captured).await;
    stand.fails(Faults { answers_lost: true, webhooks_lost: true, ..Faults::default() });
    stand.refund(&held.payment_id, Vec::new()).await.unwrap();
    stand.fails(Faults::default());
    let refunded = stand.becomes(&held.payment_id, PaymentState::Refunded).await;
    assert_eq!(stand.recorded(&refunded).await, Recorded { holds: 1, captured: 10_000, refunded: 10_000 });
}

async fn promises_nothing_while_down(stand: &Stand) {
    let token = stand.good().await;
    stand.fails(Faults { down: true, ..Faults::default() });
    let waiting = stand.authorize(&stand.wants(&token)).await;
    // PayPal surely has nothing before it has given a token to ask with; an error of the others may hide a success.
    assert!(matches!(waiting.state(), PaymentState::Unknown | PaymentState::Failed), "{waiting:?}");
    stand.fails(Faults::default());
    if waiting.state() == PaymentState::Unknown {
        let held = stand.is_held(&waiting.payment_id).await;
        assert_eq!(stand.recorded(&held).await.holds, 1);
    }
}

async fn needs_no_webhook_and_minds_no_repetition(stand: &Stand) {
    stand.fails(Faults { webhooks_tripled: true, ..Faults::default() });
    let payment = stand.held(&stand.wants(&stand.challenged().await)).await;
    stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    stand.has_told(&payment.payment_id, &["action_required", "authorized", "captured"]).await;
    stand.fails(Faults { webhooks_lost: true, ..Faults::default() });
    let asked = stand.authorize(&stand.wants(&stand.challenged().await)).await;
    stand.decides(&asked, true).await;
    stand.becomes(&asked.payment_id, PaymentState::Authorised).await;
    stand.fails(Faults::default());
}

async fn believes_no_forged_webhook(stand: &Stand) {
    let body = br#"{"id":"evt_1","object":"event","events":[],"resource":{},"payload":{},"data":{"object":{}}}"#;
    let forged = [
        ("sandbox-signature", sandbox::sign("whsec_other", stand.now(), body)),
        ("stripe-signature", sandbox::sign("whsec_other", stand.now(), body)),
        ("x-razorpay-signature", "00".repeat(32)),
        ("paypal-auth-algo", "SHA256withRSA".to_owned()),
        ("paypal-cert-url", "https://api.paypal.com/cert".to_owned()),
        ("paypal-transmission-id", "1".to_owned()),
        ("paypal-transmission-sig", "bm8=".to_owned()),
        ("paypal-transmission-time", "2026-01-01T00:00:00Z".to_owned()),
    ];
    for headers in [forged.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), std::collections::HashMap::new()] {
        let request = ReceiveWebhookRequest { psp: stand.party.name().into(), content: body.to_vec().into(), content_type: String::new(), headers };
        let refused = stand.client().receive_webhook(kit_rpc::Ctx::anonymous("hook").request(request)).await.unwrap_err();
        assert_eq!(reason(&refused), "WEBHOOK_SIGNATURE_INVALID");
    }
}

async fn keeps_methods(stand: &Stand) {
    let mut request = stand.wants(&stand.good().await);
    request.save_method = true;
    stand.held(&request).await;
    let buyer = stand.buyer(request.buyer_id.parse().unwrap());
    let methods = stand.client().list_methods(buyer.request(ListMethodsRequest {})).await.unwrap().into_inner().methods;
    if !stand.party.saves_methods() {
        assert!(methods.is_empty());
        return;
    }
    assert_eq!((methods.len(), methods[0].psp.as_str(), methods[0].summary.as_ref().unwrap().last4.as_str()), (1, stand.party.name(), "4242"));
    let mut again = stand.wants(&methods[0].method_id);
    again.buyer_id.clone_from(&request.buyer_id);
    let held = stand.held(&again).await;
    assert_eq!(held.psp, stand.party.name());
    let forget = api_payments::DeleteMethodRequest { method_id: methods[0].method_id.clone() };
    stand.client().delete_method(buyer.request(forget)).await.unwrap();
    assert!(stand.client().list_methods(buyer.request(ListMethodsRequest {})).await.unwrap().into_inner().methods.is_empty());
}
