//! The payments service on a real database, with the real sandbox PSP beside it, each reaching the other over HTTP only.

pub(crate) mod localstripe;
pub(crate) mod party;
pub(crate) mod relay;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_fulfillment::{FulfillmentEvent, ShipmentDelivered, fulfillment_event};
use api_orders::{OrderId, SubOrderId};
use api_payments::payments_client::PaymentsClient;
use api_payments::{
    AuthorizeRequest, CaptureRequest, GetPaymentRequest, Payment, PaymentId, PaymentState, PaymentsEvent, ReceiveWebhookRequest, RefundRequest,
    ResolvePaymentRequest, Split, SubOrderAmount, TrialBalanceRequest, payments_event,
};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use kit_core::{Clock, Ids, TenantId, UserId};
use kit_db::{Event, Scope, log};
use kit_rpc::proto::event_log_client::EventLogClient;
use kit_rpc::proto::{Money, ReadEventsRequest};
use kit_rpc::{Ctx, Link};
use kit_test::Market;
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::localstripe::Localstripe;
use self::party::Party;
use self::relay::{Faults, Relay};

pub(crate) struct Stand {
    market: Market,
    pub(crate) party: Party,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) localstripe: Option<Localstripe>,
    pub(crate) ids: Ids,
    pub(crate) psp: String,
    pub(crate) http: reqwest::Client,
    stop: CancellationToken,
}

type Client = PaymentsClient<Link>;

/// What a test says of one split: (tenant, goods, shipping, tax, commission in basis points).
pub(crate) type Share = (TenantId, i64, i64, i64, u32);

pub(crate) fn eur(amount_minor: i64) -> Money {
    Money { amount_minor, currency: "EUR".to_owned() }
}

impl Stand {
    pub(crate) async fn open() -> Self {
        Self::open_with("").await
    }

    /// With more lines of configuration for payments.
    pub(crate) async fn open_with(more: &str) -> Self {
        Self::beside(Party::Sandbox, false, more).await
    }

    /// With another PSP than the sandbox, or the sandbox itself, behind a relay that fails on demand.
    pub(crate) async fn of(party: Party, more: &str) -> Self {
        Self::beside(party, true, more).await
    }

    async fn beside(party: Party, relayed: bool, more: &str) -> Self {
        let (hooks, psp) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let psp_url = format!("http://{}", psp.local_addr().unwrap());
        let hooks_url = format!("http://{}", hooks.local_addr().unwrap());
        let faults = Arc::new(Mutex::new(Faults::default()));
        let localstripe = if party == Party::Stripe { Some(Localstripe::start().await) } else { None };
        let upstream = match party {
            Party::Sandbox => psp_url.clone(),
            Party::Stripe => localstripe.as_ref().unwrap().url.clone(),
            Party::Paypal | Party::Razorpay => format!("{psp_url}/{}", party.name()),
        };
        let url = if relayed { Relay::before(upstream, Arc::clone(&faults), party == Party::Stripe).await.url } else { upstream };
        // A breaker of the test's own, or none: many tests fail on purpose.
        let patience = if more.contains("guard.") { "" } else { "guard.failures_to_open = 1000\nguard.pause_ms = 5\n" };
        let (timeout_ms, party_lines) = (if relayed { 3_000 } else { 700 }, party.configuration(&url, &psp_url));
        let sections =
            format!("[payments]\nreconcile_every_ms = 200\nbank.url = \"{psp_url}\"\nguard.timeout_ms = {timeout_ms}\n{patience}{party_lines}{more}");
        let market = kit_test::start_with(&[&service_payments::MODULE, &service_fulfillment::MODULE], &sections).await;
        let clock = market.clock.clone();
        let stop = CancellationToken::new();
        let sandbox = sandbox::Settings {
            public_url: psp_url.clone(),
            secret_key: "sk_sandbox".into(),
            publishable_key: "pk_sandbox".into(),
            webhook_url: Some(format!("{hooks_url}/hook/sandbox")),
            webhook_secret: "whsec_sandbox".into(),
            return_origins: vec!["http://shop.example".into()],
            data_dir: market.data.path().join("sandbox"),
            timings: sandbox::Timings {
                later: Duration::from_millis(400),
                hang: Duration::from_secs(3),
                delay: Duration::from_millis(300),
                webhook_delay: Duration::from_millis(800),
                retry: Duration::from_millis(100),
                // Longer than any test lets pass: a dispute opened early must not be lost meanwhile.
                evidence: Duration::from_secs(90 * 24 * 60 * 60),
                ..sandbox::Timings::default()
            },
            clock: clock.clone(),
            fees: sandbox::Fees::default(),
            bank: sandbox::BankSettings { webhook_url: Some(format!("{hooks_url}/hook/sandbox_bank")), ..sandbox::BankSettings::default() },
            contracts: sandbox::ContractSettings {
                paypal_webhook_url: Some(format!("{hooks_url}/hook/paypal")),
                razorpay_webhook_url: Some(format!("{hooks_url}/hook/razorpay")),
                ..sandbox::ContractSettings::default()
            },
        };
        if let Some(localstripe) = &localstripe {
            let hook = json!({"url": format!("{hooks_url}/hook/stripe"), "secret": "whsec_stripe"});
            reqwest::Client::new().post(format!("{}/_config/webhooks/market", localstripe.url)).json(&hook).send().await.unwrap();
        }
        tokio::spawn(passing(clock.clone(), stop.clone()));
        tokio::spawn(sandbox::serve(sandbox, psp, stop.clone()));
        let hooked = Hooked { client: PaymentsClient::new(market.link("payments")), faults: Arc::clone(&faults), clock };
        let app = axum::Router::new().route("/hook/{from}", axum::routing::post(hook)).with_state(hooked);
        tokio::spawn(async move { axum::serve(hooks, app).await });
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { ids: market.ids.clone(), market, party, faults, localstripe, psp: psp_url, http, stop }
    }

    /// From now on.
    pub(crate) fn fails(&self, faults: Faults) {
        *self.faults.lock().unwrap() = faults;
    }

    /// Asks the PSP now, as an operator does.
    pub(crate) async fn resolves(&self, payment_id: &str) {
        let request = self.operator().request(ResolvePaymentRequest { payment_id: payment_id.to_owned() });
        self.client().resolve_payment(request).await.unwrap();
    }

    pub(crate) async fn close(self) {
        self.stop.cancel();
        self.market.house.stop().await;
    }

    pub(crate) fn client(&self) -> Client {
        PaymentsClient::new(self.market.link("payments"))
    }

    pub(crate) fn service(&self) -> Ctx {
        self.market.service()
    }

    pub(crate) fn operator(&self) -> Ctx {
        self.market.operator(&["payments.read", "payments.write"])
    }

    pub(crate) fn seller(&self, tenant: TenantId) -> Ctx {
        self.market.seller(tenant, &["payments.read", "payments.write"])
    }

    pub(crate) fn buyer(&self, buyer: UserId) -> Ctx {
        self.market.buyer_as(buyer)
    }

    pub(crate) async fn owner(&self) -> sqlx::PgConnection {
        self.market.owner().await
    }

    pub(crate) fn now(&self) -> i64 {
        self.market.clock.now().timestamp()
    }

    /// A request to pay these shares with a token.
    pub(crate) fn asks(&self, token: &str, shares: &[Share]) -> AuthorizeRequest {
        let split = |(tenant, goods, shipping, tax, commission_bps): &Share| Split {
            sub_order_id: self.ids.next::<api_orders::SubOrderKind>().to_string(),
            tenant_id: tenant.to_string(),
            goods: Some(eur(*goods)),
            shipping: Some(eur(*shipping)),
            tax: Some(eur(*tax)),
            commission_bps: *commission_bps,
            commission_fixed: None,
        };
        AuthorizeRequest {
            payment_id: self.ids.next::<api_payments::PaymentKind>().to_string(),
            order_id: OrderId::from(self.ids.uuid()).to_string(),
            buyer_id: UserId::from(self.ids.uuid()).to_string(),
            amount: Some(eur(shares.iter().map(|share| share.1 + share.2 + share.3).sum())),
            method_token: token.to_owned(),
            return_url: "http://shop.example/orders/1".to_owned(),
            splits: shares.iter().map(split).collect(),
            ..AuthorizeRequest::default()
        }
    }

    /// A plain payment of 100.00 with 10 % commission.
    pub(crate) fn plain(&self, token: &str) -> AuthorizeRequest {
        self.asks(token, &[(self.ids.next(), 10_000, 0, 0, 1_000)])
    }

    pub(crate) async fn authorize(&self, request: &AuthorizeRequest) -> Payment {
        self.try_authorize(request).await.unwrap()
    }

    pub(crate) async fn try_authorize(&self, request: &AuthorizeRequest) -> Result<Payment, tonic::Status> {
        Ok(self.client().authorize(self.service().request(request.clone())).await?.into_inner().payment.unwrap())
    }

    pub(crate) async fn capture(&self, payment_id: &str, parts: Vec<SubOrderAmount>) -> Result<api_payments::CaptureResponse, tonic::Status> {
        let capture_id = self.ids.next::<api_payments::CaptureKind>().to_string();
        let request = CaptureRequest { payment_id: payment_id.to_owned(), capture_id, parts };
        Ok(self.client().capture(self.service().request(request)).await?.into_inner())
    }

    pub(crate) async fn refund(&self, payment_id: &str, parts: Vec<SubOrderAmount>) -> Result<api_payments::RefundResponse, tonic::Status> {
        let refund_id = self.ids.next::<api_payments::RefundKind>().to_string();
        let request = RefundRequest { payment_id: payment_id.to_owned(), refund_id, parts, reason: "cancelled by the seller".to_owned() };
        Ok(self.client().refund(self.service().request(request)).await?.into_inner())
    }

    pub(crate) async fn get(&self, payment_id: &str) -> Payment {
        let request = self.service().request(GetPaymentRequest { payment_id: payment_id.to_owned() });
        self.client().get_payment(request).await.unwrap().into_inner().payment.unwrap()
    }

    /// Waits until the payment is in a state.
    pub(crate) async fn becomes(&self, payment_id: &str, state: PaymentState) -> Payment {
        for _ in 0..200 {
            let payment = self.get(payment_id).await;
            if payment.state() == state {
                return payment;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{payment_id} should become {state:?}, it is {:?}", self.get(payment_id).await);
    }

    /// Waits until these events have been told about a payment, in this order, and no others.
    pub(crate) async fn has_told(&self, payment_id: &str, expected: &[&str]) {
        let mut told = Vec::new();
        // A reader of a log stays below the oldest running transaction, so the newest event may show a moment later.
        for _ in 0..500 {
            told = self.events(payment_id).await.iter().map(kind).collect();
            if told == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("{payment_id}: expected {expected:?}, told {told:?}");
    }

    pub(crate) async fn events(&self, payment_id: &str) -> Vec<payments_event::Body> {
        let key = payment_id.parse::<PaymentId>().unwrap().uuid().to_string();
        let mut log = EventLogClient::new(self.market.link("payments"));
        let request = ReadEventsRequest { service: "payments".into(), cell: "home".into(), after: None, limit: 10_000, wait_ms: 0 };
        let events = log.read(self.service().request(request)).await.unwrap().into_inner().events;
        let ours = events.into_iter().filter(|event| event.key == key);
        ours.map(|event| PaymentsEvent::decode(event.payload).unwrap().body.unwrap()).collect()
    }

    /// What the sandbox itself has recorded under a payment's key.
    pub(crate) async fn at_psp(&self, payment_id: &str) -> Value {
        self.psp_request(reqwest::Method::GET, &format!("/v1/payments?idempotency_key={payment_id}"), None).await
    }

    pub(crate) async fn faults(&self, faults: Value) {
        self.psp_request(reqwest::Method::PUT, "/v1/faults", Some(faults)).await;
    }

    /// A parcel with all of a sub-order arrives: fulfillment's log tells it.
    pub(crate) async fn delivers(&self, tenant: TenantId, payment: &Payment, sub_order_id: &str) {
        let db = self.market.house.storage().db(service_fulfillment::MODULE.schema()).await.unwrap();
        let delivered = ShipmentDelivered {
            tenant_id: tenant.to_string(),
            order_id: payment.order_id.clone(),
            sub_order_id: sub_order_id.to_owned(),
            all_delivered: true,
            ..ShipmentDelivered::default()
        };
        let payload = FulfillmentEvent { body: Some(fulfillment_event::Body::ShipmentDelivered(delivered)) }.encode_to_vec();
        let key = sub_order_id.parse::<SubOrderId>().unwrap().uuid();
        let event = Event { key, tenant: Some(tenant), kind: "shipment_delivered", payload, change: None };
        let mut tx = db.begin(&Scope::Platform).await.unwrap();
        log::append(&mut tx, &self.service(), self.market.clock.now(), event).await.unwrap();
        tx.commit().await.unwrap();
        self.market.settle().await;
    }

    pub(crate) fn days_pass(&self, days: i64) {
        self.market.clock.advance(chrono::Duration::days(days));
    }

    /// The jobs of payments that have run by their timers and succeeded, none of them overdue.
    pub(crate) async fn jobs_that_succeeded(&self) -> Vec<&'static str> {
        let upkeep = self.market.house.upkeeps().iter().find(|upkeep| upkeep.service() == "payments").unwrap();
        let states = upkeep.job_states().await.unwrap();
        states.into_iter().filter(|state| state.last_succeeded.is_some() && !state.overdue).map(|state| state.name).collect()
    }

    /// Runs a job of payments now.
    pub(crate) async fn job(&self, name: &str) {
        self.market.run_job("payments", name).await;
    }

    /// A request to the sandbox, the PSP or the bank, with the key that belongs there.
    pub(crate) async fn psp_request(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let key = if path.starts_with("/bank/") { "bk_sandbox" } else { "sk_sandbox" };
        let request = self.http.request(method, format!("{}{path}", self.psp)).bearer_auth(key);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap().json().await.unwrap_or(json!(null))
    }

    /// Everything that must hold at any time.
    pub(crate) async fn ledger_balances(&self) {
        let proof = self.client().trial_balance(self.operator().request(TrialBalanceRequest {})).await.unwrap().into_inner();
        assert!(proof.balanced && proof.sums.iter().all(|sum| sum.amount_minor == 0), "{:?}", proof.differences);
    }
}

pub(crate) fn part(sub_order_id: &str, minor: i64) -> SubOrderAmount {
    part_in("EUR", sub_order_id, minor)
}

pub(crate) fn part_in(currency: &str, sub_order_id: &str, amount_minor: i64) -> SubOrderAmount {
    let _checked: SubOrderId = sub_order_id.parse().unwrap();
    let amount = Money { amount_minor, currency: currency.to_owned() };
    SubOrderAmount { sub_order_id: sub_order_id.to_owned(), amount: Some(amount), breakdown: None }
}

/// The same request in another currency.
pub(crate) fn with_money_in(currency: &str, mut request: AuthorizeRequest) -> AuthorizeRequest {
    let split = |split: &mut Split| {
        [split.goods.take(), split.shipping.take(), split.tax.take()].map(|money| Some(Money { currency: currency.to_owned(), ..money? }))
    };
    for one in &mut request.splits {
        [one.goods, one.shipping, one.tax] = split(one);
    }
    request.amount = request.amount.map(|money| Money { currency: currency.to_owned(), ..money });
    request
}

pub(crate) fn reason(status: &tonic::Status) -> String {
    kit_rpc::problem_of(status).reason
}

fn kind(event: &payments_event::Body) -> &'static str {
    match event {
        payments_event::Body::PaymentAuthorized(_) => "authorized",
        payments_event::Body::PaymentActionRequired(_) => "action_required",
        payments_event::Body::PaymentFailed(_) => "failed",
        payments_event::Body::PaymentCaptured(_) => "captured",
        payments_event::Body::CaptureFailed(_) => "capture_failed",
        payments_event::Body::PaymentVoided(_) => "voided",
        payments_event::Body::RefundSucceeded(_) => "refunded",
        payments_event::Body::RefundFailed(_) => "refund_failed",
        payments_event::Body::DisputeOpened(_) => "dispute_opened",
        payments_event::Body::DisputeAnswered(_) => "dispute_answered",
        payments_event::Body::DisputeClosed(_) => "dispute_closed",
        _ => "not of a payment",
    }
}

/// Lets the market's time pass as ours does.
async fn passing(clock: Clock, stop: CancellationToken) {
    let mut seen = std::time::Instant::now();
    while stop.run_until_cancelled(tokio::time::sleep(Duration::from_millis(10))).await.is_some() {
        let passed = chrono::Duration::from_std(seen.elapsed()).unwrap();
        seen = std::time::Instant::now();
        clock.advance(passed);
    }
}

#[derive(Clone)]
struct Hooked {
    client: Client,
    faults: Arc<Mutex<Faults>>,
    clock: Clock,
}

/// What the REST edge does with a webhook: its body and headers, as they came; unless webhooks are to fail.
async fn hook(State(hooked): State<Hooked>, Path(from): Path<String>, headers: HeaderMap, content: Bytes) -> StatusCode {
    let faults = *hooked.faults.lock().unwrap();
    if faults.webhooks_lost {
        return StatusCode::OK;
    }
    let mut headers: HashMap<String, String> =
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned())).collect();
    if let Some(signature) = headers.get_mut("stripe-signature") {
        // localstripe signs with the time of the day, and the market under test has its own.
        let signed_at = signature.split(['=', ',']).nth(1).unwrap().parse().unwrap();
        assert_eq!(*signature, sandbox::sign("whsec_stripe", signed_at, &content), "localstripe's own signature");
        *signature = sandbox::sign("whsec_stripe", hooked.clock.now().timestamp(), &content);
    }
    let mut told = StatusCode::OK;
    for _ in 0..if faults.webhooks_tripled { 3 } else { 1 } {
        let request =
            ReceiveWebhookRequest { psp: from.clone(), content: content.clone(), content_type: "application/json".into(), headers: headers.clone() };
        let taken = hooked.client.clone().receive_webhook(Ctx::anonymous("hook").request(request)).await;
        told = if taken.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    }
    told
}
