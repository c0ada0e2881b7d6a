//! Payments against the real sandbox PSP over HTTP, on a real database.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test tells by panicking")]

mod behaviour;
mod cases;
mod routing;
mod settlement;
mod support;

use api_payments::{
    Breakdown, DeleteMethodRequest, GetBalanceRequest, GetPaymentOptionsRequest, ListLedgerOfTenantRequest, ListLedgerRequest, ListMethodsRequest,
    ListPaymentsRequest, MovementState, PaymentState, ReceiveWebhookRequest, ResolvePaymentRequest, SubOrderAmount, VoidRequest,
    payments_event::Body,
};
use futures::future::join_all;
use kit_core::TenantId;
use serde_json::json;
use support::{Stand, eur, part, reason};

#[tokio::test(flavor = "multi_thread")]
async fn every_test_card_ends_as_its_documentation_says_and_is_charged_once() {
    let stand = Stand::open().await;
    for (token, at_once, finally, told) in [
        ("tok_visa", PaymentState::Authorised, PaymentState::Authorised, "authorized"),
        ("tok_declined", PaymentState::Failed, PaymentState::Failed, "failed"),
        ("tok_insufficient_funds", PaymentState::Failed, PaymentState::Failed, "failed"),
        ("tok_unheard_of", PaymentState::Failed, PaymentState::Failed, "failed"),
        ("tok_answers_later", PaymentState::Authorising, PaymentState::Authorised, "authorized"),
        ("tok_declines_later", PaymentState::Authorising, PaymentState::Failed, "failed"),
        ("tok_times_out", PaymentState::Unspecified, PaymentState::Authorised, "authorized"),
        ("tok_duplicate_webhooks", PaymentState::Authorised, PaymentState::Authorised, "authorized"),
        ("tok_delayed", PaymentState::Authorised, PaymentState::Authorised, "authorized"),
        ("tok_webhook_first", PaymentState::Unspecified, PaymentState::Authorised, "authorized"),
    ] {
        let request = stand.plain(token);
        let first = stand.authorize(&request).await;
        assert!(at_once == PaymentState::Unspecified || first.state() == at_once, "{token} was {:?} at once", first.state());
        let last = stand.becomes(&first.payment_id, finally).await;
        assert_eq!(stand.authorize(&request).await.state(), finally, "asking again answers how {token} stands");
        stand.has_told(&first.payment_id, &[told]).await;
        assert_eq!(last.failure_code.is_empty(), finally != PaymentState::Failed, "{token}: {last:?}");
        if finally == PaymentState::Authorised {
            assert_eq!(stand.at_psp(&first.payment_id).await["amount_minor"], 10_000, "{token}");
        }
    }
    stand.ledger_balances().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_three_d_secure_challenge_is_approved_rejected_or_voided() {
    let stand = Stand::open().await;
    for (decision, finally, told) in [("approve", PaymentState::Authorised, "authorized"), ("reject", PaymentState::Failed, "failed")] {
        let payment = stand.authorize(&stand.plain("tok_three_d_secure")).await;
        assert_eq!(payment.state(), PaymentState::ActionRequired);
        let answer = stand.http.post(&payment.next_action_url).form(&[("decision", decision)]).send().await.unwrap();
        assert!(answer.headers()["location"].to_str().unwrap().starts_with("http://shop.example/orders/1?payment=pi_"));
        stand.becomes(&payment.payment_id, finally).await;
        stand.has_told(&payment.payment_id, &["action_required", told]).await;
    }
    // The buyer comes back before the webhook does: asking resolves it.
    stand.faults(json!({"drop_webhooks_percent": 100})).await;
    let payment = stand.authorize(&stand.plain("tok_three_d_secure")).await;
    stand.http.post(&payment.next_action_url).form(&[("decision", "approve")]).send().await.unwrap();
    let resolved =
        stand.client().resolve_payment(stand.operator().request(ResolvePaymentRequest { payment_id: payment.payment_id.clone() })).await.unwrap();
    assert_eq!(resolved.into_inner().payment.unwrap().state(), PaymentState::Authorised);
    // Voided while the buyer hesitates.
    let payment = stand.authorize(&stand.plain("tok_three_d_secure")).await;
    let voided = stand.client().void(stand.service().request(VoidRequest { payment_id: payment.payment_id.clone() })).await.unwrap().into_inner();
    assert_eq!(voided.payment.unwrap().state(), PaymentState::Voided);
    assert_eq!(stand.at_psp(&payment.payment_id).await["status"], "cancelled");
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_and_refunds_post_exactly_what_each_is_for_and_sellers_see_only_their_own() {
    let stand = Stand::open().await;
    let (anna, ben): (TenantId, TenantId) = (stand.ids.next(), stand.ids.next());
    let request = stand.asks("tok_visa", &[(anna, 10_000, 500, 500, 1_200), (ben, 2_000, 0, 0, 1_000)]);
    let payment = stand.authorize(&request).await;
    let (of_anna, of_ben) = (payment.splits[0].sub_order_id.clone(), payment.splits[1].sub_order_id.clone());
    let partly = stand.capture(&payment.payment_id, vec![part(&of_anna, 11_000)]).await.unwrap();
    assert_eq!((partly.capture.unwrap().state(), partly.payment.unwrap().state()), (MovementState::Succeeded, PaymentState::PartiallyCaptured));
    let rest = stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    assert_eq!((rest.capture.unwrap().amount, rest.payment.unwrap().state()), (Some(eur(2_000)), PaymentState::Captured));
    let balance =
        async |tenant| stand.client().get_balance(stand.seller(tenant).request(GetBalanceRequest {})).await.unwrap().into_inner().balances[0].clone();
    let of = |balance: &api_payments::TenantBalance| {
        (balance.payable.clone().unwrap().amount_minor, balance.shipping.clone().unwrap().amount_minor, balance.tax.clone().unwrap().amount_minor)
    };
    assert_eq!((of(&balance(anna).await), of(&balance(ben).await)), ((8_800, 500, 500), (1_800, 0, 0)));
    stand.ledger_balances().await;
    // One part is refunded whole, the other in odd pieces.
    stand.refund(&payment.payment_id, vec![part(&of_ben, 2_000)]).await.unwrap();
    for piece in [1, 3_333, 7_000] {
        let refunded = stand.refund(&payment.payment_id, vec![part(&of_anna, piece)]).await.unwrap();
        assert_eq!(refunded.refund.unwrap().state(), MovementState::Succeeded);
        stand.ledger_balances().await;
    }
    let too_much = stand.refund(&payment.payment_id, vec![part(&of_anna, 667)]).await.unwrap_err();
    assert_eq!(reason(&too_much), "REFUND_TOO_LARGE");
    stand.refund(&payment.payment_id, Vec::new()).await.unwrap();
    assert_eq!(stand.get(&payment.payment_id).await.state(), PaymentState::Refunded);
    assert_eq!((of(&balance(anna).await), of(&balance(ben).await)), ((0, 0, 0), (0, 0, 0)));
    stand.has_told(&payment.payment_id, &["authorized", "captured", "captured", "refunded", "refunded", "refunded", "refunded", "refunded"]).await;
    let events = stand.events(&payment.payment_id).await;
    let Some(Body::RefundSucceeded(refund)) = events.get(3) else { panic!("{events:?}") };
    let breakdown = Breakdown { goods: Some(eur(2_000)), shipping: Some(eur(0)), tax: Some(eur(0)), commission: Some(eur(200)) };
    assert_eq!(
        (refund.parts.clone(), refund.reason.as_str(), &refund.order_id),
        (vec![SubOrderAmount { breakdown: Some(breakdown), ..part(&of_ben, 2_000) }], "cancelled by the seller", &request.order_id)
    );
    sees_only_its_own(&stand, ben, &of_ben).await;
    stand.close().await;
}

async fn sees_only_its_own(stand: &Stand, tenant: TenantId, sub_order_id: &str) {
    let request = stand.seller(tenant).request(ListLedgerOfTenantRequest::default());
    let entries = stand.client().list_ledger_of_tenant(request).await.unwrap().into_inner().entries;
    let postings: Vec<_> = entries.iter().flat_map(|entry| &entry.postings).collect();
    assert_eq!(postings.len(), 2, "a capture and a refund, one posting each");
    assert!(postings.iter().all(|posting| posting.tenant_id == tenant.to_string() && posting.sub_order_id == sub_order_id));
    let mut whole = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = stand
            .client()
            .list_ledger(stand.operator().request(ListLedgerRequest { limit: 2, cursor, ..Default::default() }))
            .await
            .unwrap()
            .into_inner();
        whole.extend(page.entries);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(whole.len(), 7, "two captures and five refunds");
    assert!(whole.iter().all(|entry| entry.postings.iter().map(|posting| posting.amount.as_ref().unwrap().amount_minor).sum::<i64>() == 0));
    let denied = stand.client().list_ledger(stand.seller(tenant).request(ListLedgerRequest::default())).await.unwrap_err();
    assert_eq!(denied.code(), tonic::Code::PermissionDenied);
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_and_captures_at_the_same_time_never_move_more_than_there_is() {
    let stand = Stand::open().await;
    let payment = stand.authorize(&stand.plain("tok_visa")).await;
    let sub_order = payment.splits[0].sub_order_id.clone();
    let captures = join_all((0..20).map(|_| stand.capture(&payment.payment_id, vec![part(&sub_order, 900)]))).await;
    assert_eq!(captures.iter().filter(|capture| capture.is_ok()).count(), 11, "eleven times 900 fit into 10000");
    let refunds = join_all((0..20).map(|_| stand.refund(&payment.payment_id, vec![part(&sub_order, 990)]))).await;
    assert_eq!(refunds.iter().filter(|refund| refund.is_ok()).count(), 10, "ten times 990 fit into 9900");
    let last = stand.becomes(&payment.payment_id, PaymentState::PartiallyRefunded).await;
    assert_eq!((last.captured, last.refunded), (Some(eur(9_900)), Some(eur(9_900))));
    let at_psp = stand.at_psp(&payment.payment_id).await;
    assert_eq!((at_psp["captured_minor"].as_i64(), at_psp["refunded_minor"].as_i64()), (Some(9_900), Some(9_900)));
    // One payment id asked for by many at once is charged once.
    let request = stand.plain("tok_visa");
    let answers = join_all((0..20).map(|_| stand.authorize(&request))).await;
    assert!(answers.iter().all(|answer| answer.psp_reference == answers[0].psp_reference));
    stand.ledger_balances().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn captures_and_refunds_that_fail_or_answer_late_end_as_the_psp_says() {
    let stand = Stand::open().await;
    let payment = stand.authorize(&stand.plain("tok_capture_fails")).await;
    let failed = stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    assert_eq!((failed.capture.unwrap().state(), failed.payment.unwrap().state()), (MovementState::Failed, PaymentState::Authorised));
    stand.has_told(&payment.payment_id, &["authorized", "capture_failed"]).await;

    let payment = stand.authorize(&stand.plain("tok_refund_fails")).await;
    stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    let failed = stand.refund(&payment.payment_id, Vec::new()).await.unwrap();
    assert_eq!((failed.refund.unwrap().state(), failed.payment.unwrap().state()), (MovementState::Failed, PaymentState::Captured));

    let payment = stand.authorize(&stand.plain("tok_refunds_later")).await;
    stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    let pending = stand.refund(&payment.payment_id, Vec::new()).await.unwrap();
    assert_eq!(pending.refund.unwrap().state(), MovementState::Pending);
    stand.becomes(&payment.payment_id, PaymentState::Refunded).await;

    let payment = stand.authorize(&stand.plain("tok_reordered_webhooks")).await;
    stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert_eq!(stand.get(&payment.payment_id).await.state(), PaymentState::Captured, "the late webhook of the authorisation changes nothing");
    stand.has_told(&payment.payment_id, &["authorized", "captured"]).await;
    stand.ledger_balances().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_psp_does_money_moves_once() {
    let stand = Stand::open().await;
    // Everything is carried out, no answer arrives, no webhook comes: asking finds out.
    let payment = stand.authorize(&stand.plain("tok_visa")).await;
    stand.faults(json!({"timeout_after_success_percent": 100, "drop_webhooks_percent": 100})).await;
    let pending = stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    assert_eq!(pending.capture.unwrap().state(), MovementState::Pending);
    stand.becomes(&payment.payment_id, PaymentState::Captured).await;
    let lost = stand.authorize(&stand.plain("tok_visa")).await;
    assert_eq!(lost.state(), PaymentState::Unknown);
    stand.becomes(&lost.payment_id, PaymentState::Authorised).await;
    stand.has_told(&lost.payment_id, &["authorized"]).await;
    // A payment that is voided while nobody knows how it stands.
    let lost = stand.authorize(&stand.plain("tok_visa")).await;
    stand.client().void(stand.service().request(VoidRequest { payment_id: lost.payment_id.clone() })).await.unwrap();
    stand.becomes(&lost.payment_id, PaymentState::Voided).await;
    assert_eq!(stand.at_psp(&lost.payment_id).await["status"], "cancelled");
    // The PSP is down: nothing is promised, nothing is charged twice when it comes back.
    stand.faults(json!({"down": true})).await;
    let waiting = stand.authorize(&stand.plain("tok_visa")).await;
    assert_eq!(waiting.state(), PaymentState::Unknown, "an error of the PSP may hide a success");
    stand.faults(json!({"duplicate_webhooks_percent": 100, "reorder_webhooks_percent": 50})).await;
    stand.becomes(&waiting.payment_id, PaymentState::Authorised).await;
    stand.capture(&waiting.payment_id, Vec::new()).await.unwrap();
    stand.refund(&waiting.payment_id, Vec::new()).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    stand.has_told(&waiting.payment_id, &["authorized", "captured", "refunded"]).await;
    stand.ledger_balances().await;
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_refused_with_their_field_and_forged_webhooks_are_not_stored() {
    let stand = Stand::open().await;
    let good = stand.asks("tok_visa", &[(stand.ids.next(), 1_000, 100, 50, 1_000)]);
    let payment = stand.authorize(&good).await;
    let mut wrong = Vec::new();
    wrong.push(("SPLITS_DO_NOT_ADD_UP", {
        let mut r = good.clone();
        r.amount = Some(eur(1_151));
        r
    }));
    wrong.push(("PAYMENT_ID_REUSED", {
        let mut r = good.clone();
        r.order_id = stand.plain("x").order_id;
        r
    }));
    wrong.push(("UNKNOWN_PSP", {
        let mut r = good.clone();
        r.psp = "stripe".into();
        r
    }));
    wrong.push(("METHOD_NOT_FOUND", {
        let mut r = stand.plain("x");
        r.method_token = stand.ids.next::<api_payments::MethodKind>().to_string();
        r
    }));
    wrong.push(("INVALID_REQUEST", {
        let mut r = good.clone();
        r.return_url = "javascript:alert(1)".into();
        r
    }));
    wrong.push(("INVALID_REQUEST", {
        let mut r = good.clone();
        r.splits[0].goods.as_mut().unwrap().currency = "USD".into();
        r
    }));
    wrong.push(("INVALID_REQUEST", {
        let mut r = good.clone();
        r.splits[0].goods.as_mut().unwrap().amount_minor = i64::MIN;
        r
    }));
    wrong.push(("INVALID_REQUEST", {
        let mut r = good.clone();
        let again = r.splits[0].clone();
        r.splits.push(again);
        r
    }));
    wrong.push(("INVALID_REQUEST", {
        let mut r = good.clone();
        r.amount = Some(eur(0));
        r
    }));
    for (expected, request) in wrong {
        assert_eq!(reason(&stand.try_authorize(&request).await.unwrap_err()), expected, "{request:?}");
    }
    let foreign = stand.plain("x").splits[0].sub_order_id.clone();
    assert_eq!(reason(&stand.capture(&payment.payment_id, vec![part(&foreign, 1)]).await.unwrap_err()), "UNKNOWN_SUB_ORDER");
    assert_eq!(reason(&stand.refund(&payment.payment_id, Vec::new()).await.unwrap_err()), "PAYMENT_NOT_REFUNDABLE");
    let unknown = stand.plain("x").payment_id;
    assert_eq!(reason(&stand.capture(&unknown, Vec::new()).await.unwrap_err()), "PAYMENT_NOT_FOUND");

    let body = br#"{"events":[]}"#;
    let now = stand.now();
    for (signature, expected) in [
        (None, "WEBHOOK_SIGNATURE_INVALID"),
        (Some("t=1,v1=00".to_owned()), "WEBHOOK_SIGNATURE_INVALID"),
        (Some(sandbox::sign("whsec_other", now, body)), "WEBHOOK_SIGNATURE_INVALID"),
        (Some(sandbox::sign("whsec_sandbox", now - 3_600, body)), "WEBHOOK_SIGNATURE_INVALID"),
        (Some(sandbox::sign("whsec_sandbox", now, b"not json")), "WEBHOOK_UNREADABLE"),
    ] {
        let content = if expected == "WEBHOOK_UNREADABLE" { b"not json".to_vec() } else { body.to_vec() };
        let headers = signature.into_iter().map(|signature| ("sandbox-signature".to_owned(), signature)).collect();
        let request = ReceiveWebhookRequest { psp: "sandbox".into(), content: content.into(), content_type: String::new(), headers };
        let refused = stand.client().receive_webhook(kit_rpc::Ctx::anonymous("hook").request(request)).await.unwrap_err();
        assert_eq!(reason(&refused), expected);
    }
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_keeps_a_card_pays_with_it_again_and_forgets_it() {
    let stand = Stand::open().await;
    let options = stand
        .client()
        .get_payment_options(kit_rpc::Ctx::anonymous("page").request(GetPaymentOptionsRequest::default()))
        .await
        .unwrap()
        .into_inner()
        .options;
    let form =
        [("key", options[0].publishable_key.as_str()), ("number", options[0].test_cards[0].number.as_str()), ("expiry", "12/39"), ("cvc", "123")];
    let token: serde_json::Value = stand.http.post(&options[0].tokenisation_url).form(&form).send().await.unwrap().json().await.unwrap();
    let mut request = stand.plain(token["token"].as_str().unwrap());
    request.save_method = true;
    assert_eq!(stand.authorize(&request).await.state(), PaymentState::Authorised);
    let buyer = stand.buyer(request.buyer_id.parse().unwrap());
    let methods = stand.client().list_methods(buyer.request(ListMethodsRequest {})).await.unwrap().into_inner().methods;
    assert_eq!((methods.len(), methods[0].summary.as_ref().unwrap().last4.as_str()), (1, "4242"));
    let mut again = stand.plain(&methods[0].method_id);
    assert_eq!(reason(&stand.try_authorize(&again).await.unwrap_err()), "METHOD_NOT_FOUND", "somebody else's method does not exist");
    again.buyer_id.clone_from(&request.buyer_id);
    assert_eq!(stand.authorize(&again).await.state(), PaymentState::Authorised);
    stand.client().delete_method(buyer.request(DeleteMethodRequest { method_id: methods[0].method_id.clone() })).await.unwrap();
    assert!(stand.client().list_methods(buyer.request(ListMethodsRequest {})).await.unwrap().into_inner().methods.is_empty());
    let listed =
        stand.client().list_payments(stand.operator().request(ListPaymentsRequest { limit: 1, ..Default::default() })).await.unwrap().into_inner();
    assert_eq!((listed.payments.len(), listed.payments[0].payment_id.as_str()), (1, again.payment_id.as_str()));
    assert!(!listed.next_cursor.is_empty());
    stand.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_itself_refuses_an_entry_that_does_not_balance_and_any_change_of_the_past() {
    let stand = Stand::open().await;
    let payment = stand.authorize(&stand.plain("tok_visa")).await;
    stand.capture(&payment.payment_id, Vec::new()).await.unwrap();
    let mut owner = stand.owner().await;
    // As the application's role, with everything in sight: row-level security is not what refuses.
    sqlx::raw_sql("set search_path = payments, kit; set mh.scope = 'platform'; set role mh_app").execute(&mut owner).await.unwrap();
    let add = "insert into ledger_posting (entry_id, line, account_id, amount_minor, currency)
        select entry_id, line + 100, account_id, case when line = 1 then $1 else -1 end, currency from ledger_posting where line <= 2";
    let unbalanced = sqlx::query(add).bind(2_i64).execute(&mut owner).await.unwrap_err();
    assert_eq!(unbalanced.as_database_error().unwrap().constraint(), Some("ledger_balances"));
    assert_eq!(sqlx::query(add).bind(1_i64).execute(&mut owner).await.unwrap().rows_affected(), 2, "a balanced pair is accepted");
    for past in [
        "update ledger_posting set amount_minor = 1",
        "delete from ledger_posting",
        "update ledger_entry set kind = 'refund'",
        "truncate ledger_posting",
    ] {
        let refused = sqlx::query(past).execute(&mut owner).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{past}: the application may not");
    }
    for beyond in ["update payment set captured_minor = amount_minor + 1", "update payment set refunded_minor = captured_minor + 1"] {
        assert!(sqlx::query(beyond).execute(&mut owner).await.unwrap_err().as_database_error().unwrap().is_check_violation(), "{beyond}");
    }
    stand.close().await;
}
