//! What operators rely on while the market runs: it stops at once with pages open, and a job that does not run is seen.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Caller, Market, eventually, list, text};

/// Longer than it takes to end what is open, shorter than any stream lives by itself.
const DRAINED: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn open_pages_do_not_hold_up_a_stop() {
    let mut market = Market::open().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, 10).await;
    let buyer = market.buyer("ada").await;
    let placed = buyer.buys(&[(&goods, 1)], "tok_visa").await;
    let (order, token) = (text(&placed, "/order/order_id"), text(&placed, "/access_token"));
    let nobody = Caller::default();
    let live = [
        (format!("/p/mug/{}/live?v={}", goods.product, goods.variant), &nobody),
        (format!("/orders/{order}/live?access_token={token}"), &nobody),
        (format!("/v1/orders/{order}/watch"), &buyer.caller),
    ];
    let mut streams = Vec::new();
    for (path, caller) in &live {
        let (status, stream) = market.http.opens(path, caller).await;
        assert_eq!(status, 200, "{path}");
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = Instant::now();
    market.stop().await;
    assert!(asked.elapsed() < DRAINED, "{:?}", asked.elapsed());
    for stream in streams {
        assert!(stream.bytes().await.is_ok(), "the stream was ended, not broken off");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_shows_on_the_health_page() {
    let market = Market::open().await;
    let health = market.http.get("/v1/admin/health", &market.operator).await;
    assert_eq!(health["healthy"], Value::Bool(true), "{health}");
    let jobs_of = |service: &str| {
        let told = list(&health, "/services")
            .into_iter()
            .find(|told| text(told, "/service") == service)
            .unwrap_or_else(|| panic!("{service} is not told of: {health}"));
        let jobs = list(&told, "/jobs");
        assert!(jobs.iter().all(|job| job["overdue"] == Value::Bool(false) && job["every_seconds"].as_i64() > Some(0)), "{told}");
        jobs.iter().map(|job| text(job, "/name")).collect::<Vec<_>>()
    };
    for (service, job) in [
        ("orders", "recover_orders"),
        ("orders", "drive_returns"),
        ("orders", "forget_checkouts"),
        ("inventory", "expire_holds"),
        ("inventory", "forget_closed_holds"),
        ("payments", "ask_psps"),
        ("payments", "prove_ledger"),
        ("payments", "prune_webhooks"),
        ("identity", "rotate_signing_keys"),
        ("identity", "forget_what_is_over"),
        ("tenants", "tell_identity"),
        ("catalog", "run_imports"),
        ("admin", "forget_old_answers"),
    ] {
        let jobs = jobs_of(service);
        assert!(jobs.iter().any(|known| known == job), "{service} does not show {job}: {jobs:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recovery_that_does_not_run_makes_the_market_unhealthy() {
    let mut market = Market::open().await;
    market.stop().await;
    market.restart_with(&[("MARKETHUB__SERVICES__ORDERS__RECOVERY_SECONDS", "1")]).await;
    let overdue = async || {
        let health = market.http.get("/v1/admin/health", &market.operator).await;
        let orders = list(&health, "/services").into_iter().find(|told| text(told, "/service") == "orders").unwrap();
        let job = list(&orders, "/jobs").into_iter().find(|job| text(job, "/name") == "recover_orders").unwrap();
        assert!(health["healthy"] == Value::Bool(false) || job["overdue"] == Value::Bool(false), "{health}");
        job["overdue"] == Value::Bool(true)
    };
    eventually("recovery to run", async || (!overdue().await).then_some(())).await;

    // Somebody else seems to be running it, and never ends.
    let mut database = market.database().await;
    sqlx::query("select pg_advisory_lock(hashtext('orders'), hashtext('recover_orders'))").execute(&mut database).await.unwrap();
    eventually("the missing run to show", async || overdue().await.then_some(())).await;

    drop(database);
    eventually("recovery to run again", async || (!overdue().await).then_some(())).await;
}
