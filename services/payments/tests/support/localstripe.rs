//! localstripe from PyPI, a stateful imitation of Stripe's API that others have written, and what it lacks of that API:
//!
//! | Stripe | localstripe | supplied here |
//! |---|---|---|
//! | the answer under an idempotency key is repeated | keys are ignored | by the relay |
//! | `return_url`, `description`, `setup_future_usage` on a PaymentIntent | refused as unexpected | taken out; saving is done by attaching |
//! | 3-D Secure by `redirect_to_url` | only inside its script | a page that approves or rejects through localstripe |
//! | `metadata` and `final_capture` on a capture | refused as unexpected | metadata is set by an update afterwards |
//! | `amount_received`, the card on a charge | missing | computed, or read from the payment method |
//! | search | missing | by listing |
//! | `created` on balance transactions | refused as unexpected | taken out |
//!
//! It has no fees, disputes, payouts, several captures of one PaymentIntent, or refunds that fail: those parts of the adapter are not run
//! against it.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::relay::{Answer, Call, Relay};

const VERSION: &str = "1.15.10";
const SERVE: &str =
    "import sys; from aiohttp import web; from localstripe.server import app; web.run_app(app, host='127.0.0.1', port=int(sys.argv[1]), print=None)";
pub(crate) const SECRET_KEY: &str = "sk_test_12345";

/// The running program; it ends with this.
pub(crate) struct Localstripe {
    process: Child,
    pub(crate) url: String,
}

impl Drop for Localstripe {
    fn drop(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Tests run at once; one of them installs.
static INSTALLING: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Installed beside the test's other temporary things when it is not there yet.
fn installed() -> std::path::PathBuf {
    let home = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("localstripe-{VERSION}"));
    let _alone = INSTALLING.lock().unwrap();
    if !home.join("ready").exists() {
        let run = |program: &std::path::Path, arguments: &[&str]| {
            let done = Command::new(program).args(arguments).output();
            let done = done.unwrap_or_else(|error| panic!("{}: {error}; python3 with venv is needed", program.display()));
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        };
        run(std::path::Path::new("python3"), &["-m", "venv", home.to_str().unwrap()]);
        run(&home.join("bin/pip"), &["install", "--quiet", &format!("localstripe=={VERSION}")]);
        std::fs::write(home.join("ready"), "").unwrap();
    }
    home
}

impl Localstripe {
    pub(crate) async fn start() -> Self {
        let home = installed();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(home.join("bin/python"));
        let command = command.args(["-c", SERVE, &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Self { process: command.spawn().unwrap(), url: format!("http://127.0.0.1:{port}") };
        for _ in 0..200 {
            if reqwest::get(&started.url).await.is_ok() {
                return started;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("localstripe does not answer");
    }
}

#[derive(Default)]
struct Known {
    /// By idempotency key.
    answers: HashMap<String, Answer>,
    /// By PaymentIntent: what it was asked for with.
    asked: HashMap<String, HashMap<String, String>>,
}

pub(crate) struct Gaps {
    url: String,
    known: Mutex<Known>,
}

fn fields(body: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(body).into_owned().collect()
}

impl Call {
    fn post(path: &str, form: &[(String, String)]) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {SECRET_KEY}")).unwrap());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Self { method: Method::POST, path: path.to_owned(), headers, body: body.into() }
    }

    fn get(path: String) -> Self {
        Self { method: Method::GET, path, ..Self::post("", &[]) }
    }
}

impl Gaps {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), known: Mutex::default() }
    }

    pub(crate) async fn supplied(&self, relay: &Relay, call: Call) -> Answer {
        let key = call.headers.get("idempotency-key").map(|key| key.to_str().unwrap().to_owned());
        let known = key.as_ref().and_then(|key| self.known.lock().unwrap().answers.get(key).cloned());
        if let Some(answer) = known {
            return answer;
        }
        let answer = self.carried_out(relay, call).await;
        if let Some(key) = key {
            self.known.lock().unwrap().answers.insert(key, answer.clone());
        }
        answer
    }

    async fn carried_out(&self, relay: &Relay, call: Call) -> Answer {
        let (path, query) = call.path.split_once('?').map_or((call.path.as_str(), ""), |(path, query)| (path, query));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (&call.method, parts.as_slice()) {
            (&Method::POST, ["_challenge", id]) => self.decided(relay, id, &fields(&call.body)).await,
            (&Method::POST, ["v1", "payment_intents"]) => self.created(relay, fields(&call.body)).await,
            (_, ["v1", "payment_intents", "search"]) => self.searched(relay, &fields(query.as_bytes())["query"]).await,
            (&Method::POST, ["v1", "payment_intents", id, "capture"]) => self.captured(relay, id, fields(&call.body)).await,
            (_, ["v1", "payment_intents", ..]) => self.completed(relay, relay.forward(&call).await).await,
            (_, ["v1", "balance_transactions"]) => {
                let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !name.starts_with("created"));
                let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish();
                relay.forward(&Call { path: format!("{path}?{query}"), ..call.clone() }).await
            }
            _ => relay.forward(&call).await,
        }
    }

    async fn created(&self, relay: &Relay, asked: HashMap<String, String>) -> Answer {
        let unexpected = ["return_url", "description", "setup_future_usage"];
        let form: Vec<_> = asked.clone().into_iter().filter(|(name, _)| !unexpected.contains(&name.as_str())).collect();
        let (status, body) = relay.forward(&Call::post("/v1/payment_intents", &form)).await;
        if status.is_success() {
            let id = json(&body)["id"].as_str().unwrap().to_owned();
            if let (Some(customer), true) = (asked.get("customer"), asked.contains_key("setup_future_usage")) {
                let attached = [("customer".to_owned(), customer.clone())];
                relay.forward(&Call::post(&format!("/v1/payment_methods/{}/attach", asked["payment_method"]), &attached)).await;
            }
            self.known.lock().unwrap().asked.insert(id, asked);
        }
        self.completed(relay, (status, body)).await
    }

    /// The buyer's bank, at an address of the relay's.
    async fn decided(&self, relay: &Relay, id: &str, decision: &HashMap<String, String>) -> Answer {
        let (_, intent) = relay.forward(&Call::get(format!("/v1/payment_intents/{id}"))).await;
        let secret = json(&intent)["client_secret"].as_str().unwrap().to_owned();
        let approved = decision["decision"] == "approve";
        let form = [("client_secret".to_owned(), secret), ("success".to_owned(), approved.to_string())];
        relay.forward(&Call::post(&format!("/v1/payment_intents/{id}/_authenticate"), &form)).await
    }

    async fn searched(&self, relay: &Relay, query: &str) -> Answer {
        let wanted = query.split('\'').rev().nth(1).unwrap_or_default();
        let (status, body) = relay.forward(&Call::get("/v1/payment_intents?limit=1000".to_owned())).await;
        let all = json(&body)["data"].as_array().cloned().unwrap_or_default();
        let found: Vec<Value> = all.into_iter().filter(|intent| intent["metadata"]["payment_id"] == wanted).collect();
        (status, json!({"object": "search_result", "has_more": false, "data": found}).to_string().into())
    }

    async fn captured(&self, relay: &Relay, id: &str, asked: HashMap<String, String>) -> Answer {
        let of = |prefix: &str| asked.clone().into_iter().filter(|(name, _)| name.starts_with(prefix)).collect::<Vec<_>>();
        let taken = relay.forward(&Call::post(&format!("/v1/payment_intents/{id}/capture"), &of("amount_to_capture"))).await;
        if !taken.0.is_success() {
            return taken;
        }
        let mut update = of("metadata");
        update.extend(of("expand"));
        self.completed(relay, relay.forward(&Call::post(&format!("/v1/payment_intents/{id}"), &update)).await).await
    }

    /// A PaymentIntent with what localstripe leaves out.
    async fn completed(&self, relay: &Relay, (status, body): Answer) -> Answer {
        let mut intent = json(&body);
        if status != StatusCode::OK || intent["object"] != "payment_intent" {
            return (status, body);
        }
        let id = intent["id"].as_str().unwrap().to_owned();
        let asked = self.known.lock().unwrap().asked.get(&id).cloned().unwrap_or_default();
        let captures = intent["metadata"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with("cap_"));
        let received: i64 = captures.map(|(_, amount)| amount.as_str().unwrap().parse::<i64>().unwrap()).sum();
        intent["amount_received"] = json!(received);
        intent["setup_future_usage"] = json!(asked.get("setup_future_usage"));
        if intent["status"] == "requires_action" {
            let url = format!("{}/_challenge/{id}", self.url);
            intent["next_action"] = json!({"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": asked.get("return_url")}});
        }
        if let (Some(method), true) = (intent["payment_method"].as_str(), intent["latest_charge"].is_object()) {
            let (_, method) = relay.forward(&Call::get(format!("/v1/payment_methods/{method}"))).await;
            intent["latest_charge"]["payment_method_details"] = json!({"type": "card", "card": json(&method)["card"]});
        }
        (status, intent.to_string().into())
    }
}

fn json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}
