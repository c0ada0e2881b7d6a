//! The PSPs that the behaviours are tried with: how each is reached, how a buyer pays there, and what it has recorded itself.

use std::collections::HashMap;

use api_payments::{Payment, PaymentState};
use serde_json::Value;

use super::localstripe::SECRET_KEY;
use super::{Stand, with_money_in};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    Sandbox,
    Stripe,
    Paypal,
    Razorpay,
}

/// What a PSP says it has done for one payment: the number of holds that were made, and what was taken and given back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) holds: usize,
    pub(crate) captured: i64,
    pub(crate) refunded: i64,
}

impl Party {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Stripe => "stripe",
            Self::Paypal => "paypal",
            Self::Razorpay => "razorpay",
        }
    }

    pub(crate) fn currency(self) -> &'static str {
        if self == Self::Razorpay { "INR" } else { "EUR" }
    }

    /// The lines of configuration that switch it on.
    pub(crate) fn configuration(self, url: &str, sandbox: &str) -> String {
        let section = match self {
            Self::Sandbox => return format!("sandbox.url = \"{url}\"\nsandbox.public_url = \"{sandbox}\"\n"),
            Self::Stripe => format!("secret_key = \"{SECRET_KEY}\", publishable_key = \"pk_test_12345\", webhook_secret = \"whsec_stripe\""),
            Self::Paypal => "client_id = \"paypal_client\", client_secret = \"paypal_secret\", webhook_id = \"WH-SANDBOX\"".to_owned(),
            Self::Razorpay => "key_id = \"rzp_test_sandbox\", key_secret = \"rzp_secret\", webhook_secret = \"rzp_whsec\"".to_owned(),
        };
        format!("sandbox.url = \"{sandbox}\"\n{} = {{ enabled = true, url = \"{url}\", {section} }}\ndefault_psp = \"{0}\"\n", self.name())
    }

    pub(crate) fn takes_parts(self) -> bool {
        matches!(self, Self::Sandbox | Self::Paypal)
    }

    pub(crate) fn saves_methods(self) -> bool {
        matches!(self, Self::Sandbox | Self::Stripe)
    }

    pub(crate) fn has_cards(self) -> bool {
        self.saves_methods()
    }
}

impl Stand {
    /// The token of a method that succeeds at once, where there is one.
    pub(crate) async fn good(&self) -> String {
        match self.party {
            Party::Sandbox => "tok_visa".to_owned(),
            Party::Stripe => self.stripe_card("4242424242424242").await,
            Party::Paypal => "paypal".to_owned(),
            Party::Razorpay => "net_banking:HDFC".to_owned(),
        }
    }

    /// The token of a method whose owner is asked first.
    pub(crate) async fn challenged(&self) -> String {
        match self.party {
            Party::Sandbox => "tok_three_d_secure".to_owned(),
            Party::Stripe => self.stripe_card("4000000000003220").await,
            _ => self.good().await,
        }
    }

    pub(crate) async fn declined(&self) -> String {
        match self.party {
            Party::Sandbox => "tok_declined".to_owned(),
            _ => self.stripe_card("4000000000000341").await,
        }
    }

    /// What Stripe's script does in the browser.
    async fn stripe_card(&self, number: &str) -> String {
        let card = [("type", "card"), ("card[number]", number), ("card[exp_month]", "12"), ("card[exp_year]", "2040"), ("card[cvc]", "123")];
        let request = self.http.post(format!("{}/v1/payment_methods", self.upstream())).bearer_auth(SECRET_KEY).form(&card);
        let made: Value = request.send().await.unwrap().json().await.unwrap();
        made["id"].as_str().unwrap().to_owned()
    }

    fn upstream(&self) -> &str {
        self.localstripe.as_ref().map_or(self.psp.as_str(), |localstripe| localstripe.url.as_str())
    }

    /// A request for 100.00 in the party's currency.
    pub(crate) fn wants(&self, token: &str) -> api_payments::AuthorizeRequest {
        let mut request = with_money_in(self.party.currency(), self.plain(token));
        request.payer_email = "anna@example.com".to_owned();
        request.payer_phone = "+919876543210".to_owned();
        request
    }

    /// The buyer answers where they were sent.
    pub(crate) async fn decides(&self, payment: &Payment, approves: bool) {
        let decision = match (approves, self.party) {
            (true, _) => "approve",
            (false, Party::Paypal) => "decline",
            (false, _) => "reject",
        };
        let answer = self.http.post(&payment.next_action_url).form(&[("decision", decision)]).send().await.unwrap();
        assert!(answer.status().is_success() || answer.status().is_redirection(), "{answer:?}");
        // localstripe tells nothing of a challenge; and a lost webhook tells nothing at all. Nobody waits for the next time they are asked.
        if self.party == Party::Stripe || self.faults.lock().unwrap().webhooks_lost {
            self.resolves(&payment.payment_id).await;
        }
    }

    /// A payment that is held, whatever the buyer must do for it.
    pub(crate) async fn held(&self, request: &api_payments::AuthorizeRequest) -> Payment {
        let first = self.authorize(request).await;
        self.is_held(&first.payment_id).await
    }

    /// Goes along with the buyer until a payment is held.
    pub(crate) async fn is_held(&self, payment_id: &str) -> Payment {
        let mut sent = false;
        for _ in 0..300 {
            let payment = self.get(payment_id).await;
            match payment.state() {
                PaymentState::Authorised => return payment,
                PaymentState::ActionRequired if !sent && !payment.next_action_url.is_empty() => {
                    self.decides(&payment, true).await;
                    sent = true;
                }
                _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
        panic!("should be held: {:?}", self.get(payment_id).await);
    }

    pub(crate) async fn recorded(&self, payment: &Payment) -> Recorded {
        let sum = |list: &Value, of: &dyn Fn(&Value) -> i64| list.as_array().map_or(0, |list| list.iter().map(of).sum());
        let minor = |amount: &Value| amount["value"].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        match self.party {
            Party::Sandbox => {
                let found = self.at_psp(&payment.payment_id).await;
                Recorded {
                    holds: usize::from(found["id"].is_string()),
                    captured: found["captured_minor"].as_i64().unwrap(),
                    refunded: found["refunded_minor"].as_i64().unwrap(),
                }
            }
            Party::Stripe => {
                let stripe = async |path: &str| -> Value {
                    let request = self.http.get(format!("{}{path}", self.upstream())).bearer_auth(SECRET_KEY);
                    request.send().await.unwrap().json().await.unwrap()
                };
                let all = stripe("/v1/payment_intents?limit=1000").await;
                let ours = |intent: &&Value| intent["metadata"]["payment_id"] == payment.payment_id.as_str();
                let intents: Vec<&Value> = all["data"].as_array().unwrap().iter().filter(ours).collect();
                let refunds = stripe("/v1/refunds?limit=1000").await;
                let refunded = |refund: &Value| {
                    if refund["metadata"]["payment_id"] == payment.payment_id.as_str() { refund["amount"].as_i64().unwrap() } else { 0 }
                };
                let captured = |intent: &&Value| {
                    let metadata: HashMap<String, String> = serde_json::from_value(intent["metadata"].clone()).unwrap();
                    metadata.iter().filter(|(name, _)| name.starts_with("cap_")).map(|(_, amount)| amount.parse::<i64>().unwrap()).sum::<i64>()
                };
                Recorded {
                    holds: intents.iter().filter(|intent| intent["latest_charge"].is_object()).count(),
                    captured: intents.iter().map(captured).sum(),
                    refunded: sum(&refunds["data"], &refunded),
                }
            }
            Party::Paypal => {
                let form = [("grant_type", "client_credentials")];
                let base = format!("{}/paypal", self.psp);
                let token = self.http.post(format!("{base}/v1/oauth2/token")).basic_auth("paypal_client", Some("paypal_secret")).form(&form);
                let token: Value = token.send().await.unwrap().json().await.unwrap();
                let order = format!("{base}/v2/checkout/orders/{}", payment.psp_reference);
                let order = self.http.get(order).bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap();
                let order: Value = order.json().await.unwrap();
                let payments = &order["purchase_units"][0]["payments"];
                Recorded {
                    holds: payments["authorizations"].as_array().map_or(0, Vec::len),
                    captured: sum(&payments["captures"], &|capture| minor(&capture["amount"])),
                    refunded: sum(&payments["refunds"], &|refund| minor(&refund["amount"])),
                }
            }
            Party::Razorpay => {
                let url = format!("{}/razorpay/v1/orders/{}/payments", self.psp, payment.psp_reference);
                let found: Value = self.http.get(url).basic_auth("rzp_test_sandbox", Some("rzp_secret")).send().await.unwrap().json().await.unwrap();
                let held = |tried: &&Value| matches!(tried["status"].as_str(), Some("authorized" | "captured" | "refunded"));
                Recorded {
                    holds: found["items"].as_array().unwrap().iter().filter(held).count(),
                    captured: sum(&found["items"], &|tried| if tried["captured"] == true { tried["amount"].as_i64().unwrap() } else { 0 }),
                    refunded: sum(&found["items"], &|tried| tried["amount_refunded"].as_i64().unwrap()),
                }
            }
        }
    }

    /// What was never captured goes back by itself where nobody can ask for it.
    pub(crate) async fn lapses(&self, payment: &Payment) {
        if self.party == Party::Razorpay {
            let url = format!("{}/razorpay/_lapse/{}", self.psp, payment.psp_reference);
            self.http.post(url).basic_auth("rzp_test_sandbox", Some("rzp_secret")).send().await.unwrap();
        }
    }
}
