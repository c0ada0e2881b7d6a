//! The sandbox over HTTP, as a merchant, a browser and a webhook receiver see it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test tells by panicking")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use kit_core::Clock;
use sandbox::{SIGNATURE_HEADER, Settings, Timings, sign, test_cards};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

type Received = Arc<Mutex<Vec<Value>>>;

struct Sandbox {
    url: String,
    received: Received,
    client: reqwest::Client,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// Takes webhooks: refuses a wrong signature, and the first delivery of all, to see that it comes again.
async fn receiver(received: Received) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let refused_once = Arc::new(Mutex::new(false));
    let hook = move |headers: HeaderMap, body: Bytes| async move {
        let signature = headers.get(SIGNATURE_HEADER).unwrap().to_str().unwrap().to_owned();
        let moment: i64 = signature.strip_prefix("t=").unwrap().split_once(',').unwrap().0.parse().unwrap();
        assert_eq!(signature, sign("whsec_test", moment, &body), "the signature is not under our secret");
        if !std::mem::replace(&mut *refused_once.lock().unwrap(), true) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        let events: Value = serde_json::from_slice(&body).unwrap();
        received.lock().unwrap().extend(events["events"].as_array().unwrap().iter().cloned());
        StatusCode::OK
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/hook", post(hook))).await });
    url
}

impl Sandbox {
    async fn start(data_dir: &std::path::Path) -> Self {
        let received = Received::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let quick = Duration::from_millis(60);
        let settings = Settings {
            public_url: url.clone(),
            secret_key: "sk_test".into(),
            publishable_key: "pk_test".into(),
            webhook_url: Some(receiver(received.clone()).await),
            webhook_secret: "whsec_test".into(),
            return_origins: vec!["http://shop.example/".into(), "http://127.0.0.1:8080".into()],
            data_dir: data_dir.to_owned(),
            timings: Timings {
                later: quick,
                hang: Duration::from_secs(2),
                delay: quick,
                webhook_delay: quick * 5,
                retry: quick,
                ..Timings::default()
            },
            clock: Clock::System,
            fees: sandbox::Fees::default(),
            bank: sandbox::BankSettings::default(),
            contracts: sandbox::ContractSettings::default(),
        };
        let stop = CancellationToken::new();
        let served = tokio::spawn(sandbox::serve(settings, listener, stop.clone()));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_secs(1)).build().unwrap();
        Self { url, received, client, stop, served }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth("sk_test").header("idempotency-key", key).json(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.url)).bearer_auth("sk_test").send().await.unwrap().json().await.unwrap()
    }

    async fn charge(&self, key: &str, token: &str) -> Value {
        let body =
            json!({"reference": key, "amount_minor": 1000, "currency": "EUR", "token": token, "return_url": "http://shop.example/back?order=1"});
        self.post("/v1/payments", key, &body).await.1
    }

    /// Posts the card form and answers where the browser is sent.
    async fn card_form(&self, number: &str, return_url: &str) -> Result<String, u16> {
        let form = [("key", "pk_test"), ("number", number), ("expiry", "12/39"), ("cvc", "123"), ("return_url", return_url), ("state", "a b")];
        let answer = self.client.post(format!("{}/v1/tokens", self.url)).form(&form).send().await.unwrap();
        let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        location.ok_or(answer.status().as_u16())
    }

    /// Waits until exactly these events have come, in any order: the first delivery was refused and came again.
    async fn told(&self, kinds: &[&str]) {
        for _ in 0..100 {
            let mut told: Vec<String> = self.received.lock().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
            told.sort();
            if told == kinds {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("expected {kinds:?}, was told {:?}", self.received.lock().unwrap());
    }
}

fn query_of(location: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(location).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_card_form_becomes_a_token_that_is_charged_captured_and_refunded_and_every_step_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path()).await;
    let location = sandbox.card_form("4242 4242 4242 4242", "http://shop.example/checkout?step=pay").await.unwrap();
    assert!(location.starts_with("http://shop.example/checkout?step=pay&state=a+b&"), "{location}");
    let token = query_of(&location, "payment_token").unwrap();
    let paid = sandbox.charge("pay_1", &token).await;
    assert_eq!((paid["status"].as_str(), paid["card"]["last4"].as_str()), (Some("authorised"), Some("4242")));
    assert_eq!(sandbox.charge("pay_1", &token).await, paid, "the same key again charges nothing again");
    let (status, reused) =
        sandbox.post("/v1/payments", "pay_2", &json!({"reference": "x", "amount_minor": 1, "currency": "EUR", "token": token})).await;
    assert_eq!((status, reused["error"]["code"].as_str()), (400, Some("token_unusable")), "a token of the card form works once");
    let path = |action: &str| format!("/v1/payments/{}/{action}", paid["id"].as_str().unwrap());
    sandbox.post(&path("capture"), "c1", &json!({"amount_minor": 400})).await;
    let (_, captured) = sandbox.post(&path("capture"), "c1", &json!({"amount_minor": 400})).await;
    assert_eq!((captured["captured_minor"].as_i64(), captured["status"].as_str()), (Some(400), Some("authorised")));
    assert_eq!(sandbox.post(&path("capture"), "c2", &json!({"amount_minor": 601})).await.0, 409);
    let (_, captured) = sandbox.post(&path("capture"), "c3", &json!({})).await;
    assert_eq!((captured["captured_minor"].as_i64(), captured["status"].as_str()), (Some(1000), Some("captured")));
    let (_, refunded) = sandbox.post(&path("refunds"), "r1", &json!({"amount_minor": 250, "reference": "rfn_1"})).await;
    assert_eq!((refunded["refunded_minor"].as_i64(), refunded["refunds"][0]["status"].as_str()), (Some(250), Some("succeeded")));
    sandbox.told(&["payment.authorised", "payment.captured", "payment.captured", "refund.succeeded"]).await;
    sandbox.stop().await;
}

#[tokio::test]
async fn every_test_card_does_what_its_documentation_says() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path()).await;
    for card in test_cards() {
        let body = json!({"reference": card.token, "amount_minor": 1000, "currency": "EUR", "token": card.token});
        let request =
            || sandbox.client.post(format!("{}/v1/payments", sandbox.url)).bearer_auth("sk_test").header("idempotency-key", card.token).json(&body);
        let first = request().send().await;
        assert_eq!(first.is_err(), card.token == "tok_times_out", "{}", card.token);
        let payment: Value = request().send().await.unwrap().json().await.unwrap();
        let expected = match card.token {
            "tok_declined" | "tok_insufficient_funds" | "tok_expired" | "tok_wrong_cvc" => "failed",
            "tok_three_d_secure" => "requires_action",
            "tok_answers_later" | "tok_declines_later" => "processing",
            _ => "authorised",
        };
        assert_eq!(payment["status"], expected, "{}", card.token);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for (token, expected) in [("tok_answers_later", "authorised"), ("tok_declines_later", "failed"), ("tok_times_out", "authorised")] {
        assert_eq!(sandbox.get(&format!("/v1/payments?idempotency_key={token}")).await["status"], expected, "{token}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn the_challenge_page_sends_the_buyer_back_and_can_be_answered_once() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path()).await;
    for (decision, status, redirect) in [("approve", "authorised", "succeeded"), ("reject", "failed", "failed")] {
        let payment = sandbox.charge(decision, "tok_three_d_secure").await;
        let page = payment["next_action_url"].as_str().unwrap();
        let html = sandbox.client.get(page).send().await.unwrap().text().await.unwrap();
        assert!(html.contains("10.00 EUR") && html.contains("ending in 3220"), "{html}");
        let answer = sandbox.client.post(page).form(&[("decision", decision)]).send().await.unwrap();
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!((query_of(&location, "order"), query_of(&location, "redirect_status")), (Some("1".into()), Some(redirect.into())));
        let other = if decision == "approve" { "reject" } else { "approve" };
        sandbox.client.post(page).form(&[("decision", other)]).send().await.unwrap();
        assert_eq!(sandbox.get(&format!("/v1/payments?idempotency_key={decision}")).await["status"], status);
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_wrong_card_comes_back_with_its_field_and_a_foreign_return_url_goes_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path()).await;
    let location = sandbox.card_form("4242 4242 4242 4241", "http://shop.example/").await.unwrap();
    assert_eq!(query_of(&location, "payment_error_field").as_deref(), Some("number"));
    assert!(query_of(&location, "payment_token").is_none());
    for foreign in [
        "http://evil.example/",
        "http://shop.example.evil.example/",
        "javascript:alert(1)",
        "http://u:p@shop.example/",
        "https://shop.example/",
        "http://localhost:8081/",
        "/relative",
    ] {
        assert_eq!(sandbox.card_form("4242424242424242", foreign).await, Err(400), "{foreign}");
    }
    for own in ["http://localhost:8080/a", "http://127.0.0.1:8080/", "http://[::1]:8080/"] {
        assert!(sandbox.card_form("4242424242424242", own).await.is_ok_and(|location| location.starts_with(own)), "{own}");
    }
    let refused = sandbox.client.get(format!("{}/v1/events", sandbox.url)).bearer_auth("pk_test").send().await.unwrap();
    assert_eq!(refused.status(), 401, "the publishable key opens nothing");
    for (body, field) in [
        (json!({"reference": "r", "amount_minor": 0, "currency": "EUR"}), "amount_minor"),
        (json!({"reference": "r", "amount_minor": 1, "currency": "eur"}), "currency"),
        (json!({"reference": "", "amount_minor": 1, "currency": "EUR"}), "reference"),
        (json!({"reference": "r", "amount_minor": 1, "currency": "EUR", "cvv": "1"}), "body"),
        (json!({"reference": "r", "amount_minor": 1, "currency": "EUR", "return_url": "http://evil.example"}), "return_url"),
        (json!({"reference": "r", "amount_minor": 1, "currency": "EUR", "token": "tok_x"}), "token"),
    ] {
        let (status, answer) = sandbox.post("/v1/payments", "wrong", &body).await;
        assert_eq!((status, answer["error"]["field"].as_str()), (400, Some(field)), "{body}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn a_restart_forgets_no_charge_and_delivers_what_was_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path()).await;
    let delayed = sandbox.charge("k1", "tok_delayed").await;
    let later = sandbox.charge("k2", "tok_answers_later").await;
    sandbox.stop().await;
    let sandbox = Sandbox::start(folder.path()).await;
    assert_eq!(sandbox.charge("k1", "tok_delayed").await["id"], delayed["id"], "the key is remembered");
    let first = sandbox.get("/v1/payments?limit=1").await;
    let second = sandbox.get(&format!("/v1/payments?after={}", first["payments"][0]["id"].as_str().unwrap())).await;
    assert_eq!([&first["payments"][0]["id"], &second["payments"][0]["id"]], [&delayed["id"], &later["id"]], "what was charged before is listed");
    assert_eq!(second["payments"].as_array().unwrap().len(), 1);
    let authorised = |payment: &Value| {
        let received = sandbox.received.lock().unwrap();
        received.iter().any(|event| event["type"] == "payment.authorised" && event["payment"]["id"] == payment["id"])
    };
    for _ in 0..100 {
        if authorised(&delayed) && authorised(&later) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(authorised(&delayed) && authorised(&later), "{:?}", sandbox.received.lock().unwrap());
    sandbox.stop().await;
}

#[tokio::test]
async fn faults_come_and_go_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::start(folder.path()).await;
    let set = |faults: Value| sandbox.client.put(format!("{}/v1/faults", sandbox.url)).bearer_auth("sk_test").json(&faults).send();
    assert_eq!(set(json!({"decline_percent": 101})).await.unwrap().status(), 400);
    set(json!({"decline_percent": 50})).await.unwrap();
    let mut declined = 0;
    for number in 0..10 {
        declined += i32::from(sandbox.charge(&format!("d{number}"), "tok_visa").await["status"] == "failed");
    }
    assert_eq!(declined, 5);
    set(json!({"down": true})).await.unwrap();
    let (status, _) = sandbox.post("/v1/payments", "down", &json!({"reference": "r", "amount_minor": 1, "currency": "EUR"})).await;
    assert_eq!(status, 503);
    set(json!({"timeout_after_success_percent": 100})).await.unwrap();
    let body = json!({"reference": "t", "amount_minor": 5, "currency": "EUR", "token": "tok_visa"});
    let timed_out =
        sandbox.client.post(format!("{}/v1/payments", sandbox.url)).bearer_auth("sk_test").header("idempotency-key", "t").json(&body).send().await;
    assert!(timed_out.unwrap_err().is_timeout());
    sandbox.client.delete(format!("{}/v1/faults", sandbox.url)).bearer_auth("sk_test").send().await.unwrap();
    assert_eq!(sandbox.get("/v1/payments?idempotency_key=t").await["status"], "authorised", "it was charged although nobody heard");
    sandbox.stop().await;
}
