//! Cases that markets get wrong, each under its name. The list of all of them is docs/cases.md.

use api_payments::{MovementState, PaymentState, VoidRequest};
use kit_core::TenantId;

use crate::support::{Stand, eur, part, reason};

fn minor(money: &Option<kit_rpc::proto::Money>) -> i64 {
    money.as_ref().unwrap().amount_minor
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_one_sub_order_leaves_its_siblings_authorisation_alive() {
    let stand = Stand::open().await;
    let (anna, ben, cleo): (TenantId, TenantId, TenantId) = (stand.ids.next(), stand.ids.next(), stand.ids.next());
    let shares = [(anna, 3_334, 0, 0, 1_000), (ben, 3_333, 0, 0, 1_000), (cleo, 3_333, 0, 0, 1_000)];
    let payment = stand.authorize(&stand.asks("tok_visa", &shares)).await;
    let of = |number: usize| payment.splits[number].sub_order_id.clone();
    // Ben's part is cancelled before anything is captured: his share is never taken, the others are, one after the other.
    for (number, sum) in [(0, 3_334), (2, 6_667)] {
        let amount = minor(&payment.splits[number].goods);
        let captured = stand.capture(&payment.payment_id, vec![part(&of(number), amount)]).await.unwrap();
        assert_eq!(captured.capture.unwrap().state(), MovementState::Succeeded);
        assert_eq!(minor(&stand.get(&payment.payment_id).await.captured), sum);
    }
    let rest = VoidRequest { payment_id: payment.payment_id.clone() };
    stand.client().void(stand.service().request(rest)).await.unwrap();
    let last = stand.becomes(&payment.payment_id, PaymentState::Captured).await;
    assert_eq!((minor(&last.captured), minor(&last.refunded), minor(&last.splits[1].captured)), (6_667, 0, 0));
    assert_eq!(stand.at_psp(&payment.payment_id).await["captured_minor"].as_i64(), Some(6_667));
    stand.ledger_balances().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_partial_capture_cancel_of_the_rest_and_refunds_no_share_is_negative() {
    let stand = Stand::open().await;
    let (anna, ben): (TenantId, TenantId) = (stand.ids.next(), stand.ids.next());
    let payment = stand.authorize(&stand.asks("tok_visa", &[(anna, 6_667, 499, 101, 1_234), (ben, 3_333, 0, 7, 1_000)])).await;
    let (of_anna, of_ben) = (payment.splits[0].sub_order_id.clone(), payment.splits[1].sub_order_id.clone());
    stand.capture(&payment.payment_id, vec![part(&of_anna, 3_001), part(&of_ben, 999)]).await.unwrap();
    let rest = VoidRequest { payment_id: payment.payment_id.clone() };
    stand.client().void(stand.service().request(rest)).await.unwrap();
    for (sub_order, pieces) in [(&of_anna, [1, 1_499, 1_501]), (&of_ben, [333, 333, 333])] {
        for piece in pieces {
            stand.refund(&payment.payment_id, vec![part(sub_order, piece)]).await.unwrap();
            for split in &stand.get(&payment.payment_id).await.splits {
                assert!(minor(&split.refunded) <= minor(&split.captured) && minor(&split.refunded) >= 0, "{split:?}");
            }
            for tenant in [anna, ben] {
                let request = api_payments::GetBalanceRequest {};
                let balance = stand.client().get_balance(stand.seller(tenant).request(request)).await.unwrap().into_inner().balances.remove(0);
                assert!([&balance.payable, &balance.shipping, &balance.tax].iter().all(|part| minor(part) >= 0), "{balance:?}");
            }
            stand.ledger_balances().await;
        }
        assert_eq!(reason(&stand.refund(&payment.payment_id, vec![part(sub_order, 1)]).await.unwrap_err()), "REFUND_TOO_LARGE");
    }
    let last = stand.get(&payment.payment_id).await;
    assert_eq!((last.captured, last.refunded, last.state), (Some(eur(4_000)), Some(eur(4_000)), PaymentState::Refunded.into()));
    stand.close().await;
}

/// The sandbox's cards answer now, later, by webhook first, by webhook twice, or not at all; the end is the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_repeated_late_reordered_or_before_the_browser_returns_ends_the_same() {
    let stand = Stand::open().await;
    let mut ends = Vec::new();
    for card in ["tok_visa", "tok_answers_later", "tok_webhook_first", "tok_duplicate_webhooks", "tok_delayed", "tok_times_out"] {
        let anna: TenantId = stand.ids.next();
        let payment = stand.authorize(&stand.asks(card, &[(anna, 10_000, 0, 0, 1_000)])).await;
        stand.becomes(&payment.payment_id, PaymentState::Authorised).await;
        let captured = stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
        assert_ne!(captured.capture.unwrap().state(), MovementState::Failed, "{card}");
        let last = stand.becomes(&payment.payment_id, PaymentState::Captured).await;
        ends.push((card, (last.captured, last.refunded, last.captures.len(), last.splits[0].commission.clone())));
        // Whoever comes too late or again changes nothing.
        stand.job("process_webhooks").await;
        stand.has_told(&payment.payment_id, &["authorized", "captured"]).await;
    }
    // The buyer answers the bank and never comes back: the webhook alone moves the payment on.
    let anna: TenantId = stand.ids.next();
    let challenged = stand.authorize(&stand.asks("tok_three_d_secure", &[(anna, 10_000, 0, 0, 1_000)])).await;
    let bank = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for _ in 0..2 {
        let _second_answer_is_refused = bank.post(&challenged.next_action_url).form(&[("decision", "approve")]).send().await.unwrap();
    }
    stand.becomes(&challenged.payment_id, PaymentState::Authorised).await;
    stand.capture(&challenged.payment_id, Vec::new()).await.unwrap();
    let last = stand.becomes(&challenged.payment_id, PaymentState::Captured).await;
    ends.push(("tok_three_d_secure", (last.captured, last.refunded, last.captures.len(), last.splits[0].commission.clone())));
    assert!(ends.iter().all(|(_, end)| *end == ends[0].1 && end.2 == 1), "{ends:?}");
    stand.ledger_balances().await;
    stand.close().await;
}
