//! The audit log as operators meet it.
#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

use api_admin::admin_client::AdminClient;
use api_admin::{GetHealthRequest, GetOverviewRequest, ListAuditRequest, ListDeadLettersRequest, RetryDeadLetterRequest, VerifyAuditRequest};
use kit_core::Code;
use kit_rpc::problem_of;
use kit_test::Market;

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_chained_and_a_forged_entry_shows() {
    let market = kit_test::start(&[&service_admin::MODULE]).await;
    let mut admin = AdminClient::new(market.link("admin"));
    let operator = market.operator(&["audit.read", "health.read"]);
    // A verification is itself told, so three of them leave three entries.
    for _ in 0..3 {
        admin.verify_audit(operator.request(VerifyAuditRequest::default())).await.unwrap();
    }
    market.settle().await;
    let entries = admin.list_audit(operator.request(ListAuditRequest::default())).await.unwrap().into_inner().entries;
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [3, 2, 1]);
    assert!(entries.iter().all(|entry| entry.actor == operator.actor_text() && entry.kind == "audit_verified"));
    let verdict = admin.verify_audit(operator.request(VerifyAuditRequest::default())).await.unwrap().into_inner();
    assert!(verdict.intact && verdict.checked == 3, "{verdict:?}");
    let counts = admin.get_overview(operator.request(GetOverviewRequest::default())).await.unwrap().into_inner().counts;
    assert_eq!(counts.iter().find(|count| count.kind == "audit_verified").map(|count| count.count >= 3), Some(true));

    market.settle().await;
    forge(&market).await;
    let verdict = admin.verify_audit(operator.request(VerifyAuditRequest::default())).await.unwrap().into_inner();
    assert!(!verdict.intact && verdict.broken_sequence == 2, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_log_is_verified_in_parts_that_add_up() {
    let market = kit_test::start_with(&[&service_admin::MODULE], "[admin]\nverify_page = 2\nverify_millis = 0\n").await;
    let mut admin = AdminClient::new(market.link("admin"));
    let operator = market.operator(&["audit.read"]);
    for _ in 0..5 {
        admin.verify_audit(operator.request(VerifyAuditRequest::default())).await.unwrap();
    }
    market.settle().await;
    let (mut after_sequence, mut checked) = (0, 0);
    loop {
        let part = admin.verify_audit(operator.request(VerifyAuditRequest { after_sequence })).await.unwrap().into_inner();
        assert!(part.intact && part.checked <= 2, "{part:?}");
        (after_sequence, checked) = (part.last_sequence, checked + part.checked);
        if part.complete {
            break;
        }
        // Each part is an entry itself.
        market.settle().await;
    }
    assert!(checked >= 5 && checked == after_sequence, "{checked} checked up to {after_sequence}");
    forge(&market).await;
    let broken = admin.verify_audit(operator.request(VerifyAuditRequest::default())).await.unwrap().into_inner();
    assert!(!broken.intact && broken.complete && broken.broken_sequence == 2 && broken.checked == 1, "{broken:?}");
}

/// What somebody with the owner's password could do: switch the guard off and change the past.
async fn forge(market: &Market) {
    let mut owner = market.owner().await;
    let refused = sqlx::query("update admin.audit_entry set actor = 'usr_nobody' where sequence = 2").execute(&mut owner).await;
    assert!(refused.unwrap_err().to_string().contains("append-only"));
    for statement in [
        "alter table admin.audit_entry disable trigger all",
        "alter table admin.audit_entry no force row level security",
        "update admin.audit_entry set actor = 'usr_nobody' where sequence = 2",
    ] {
        sqlx::query(statement).execute(&mut owner).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_staff_of_the_market_see_it() {
    let market = kit_test::start(&[&service_admin::MODULE]).await;
    let mut admin = AdminClient::new(market.link("admin"));
    let strangers = [market.nobody(), market.buyer(), market.seller(market.ids.next(), &["orders.read"]), market.operator(&["orders.read"])];
    for ctx in strangers {
        let refusals = [
            admin.list_audit(ctx.request(ListAuditRequest::default())).await.map(drop),
            admin.verify_audit(ctx.request(VerifyAuditRequest::default())).await.map(drop),
            admin.get_health(ctx.request(GetHealthRequest {})).await.map(drop),
            admin.list_dead_letters(ctx.request(ListDeadLettersRequest::default())).await.map(drop),
            admin.retry_dead_letter(ctx.request(RetryDeadLetterRequest { service: "orders".to_owned(), number: 1 })).await.map(drop),
            admin.get_overview(ctx.request(GetOverviewRequest::default())).await.map(drop),
        ];
        for refusal in refusals {
            let code = problem_of(&refusal.unwrap_err()).code;
            assert!(matches!(code, Code::Unauthenticated | Code::Forbidden), "{code:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_told_and_not_waited_for() {
    let market = kit_test::start(&[&service_admin::MODULE]).await;
    let mut admin = AdminClient::new(market.link("admin"));
    let operator = market.operator(&["health.read", "jobs.write"]);
    let health = admin.get_health(operator.request(GetHealthRequest {})).await.unwrap().into_inner();
    assert!(!health.healthy && health.services.iter().all(|service| service.reachable == (service.service == "admin")), "{health:?}");
    let unknown = admin.retry_dead_letter(operator.request(RetryDeadLetterRequest { service: "bakery".to_owned(), number: 1 })).await.unwrap_err();
    assert_eq!(problem_of(&unknown).reason, "SERVICE_UNKNOWN");
    let wrong = admin
        .list_audit(market.operator(&["audit.read"]).request(ListAuditRequest { key: "no id".to_owned(), ..Default::default() }))
        .await
        .unwrap_err();
    assert_eq!(problem_of(&wrong).violations[0].field, "key");
}
