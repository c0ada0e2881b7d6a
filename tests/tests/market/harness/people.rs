//! Those who sell and those who buy, and what they do.

use serde_json::{Value, json};

use super::{Answer, Caller, Http, eventually, list, number, text};

pub(crate) const PASSWORD: &str = "a quiet lamp sells 47 mugs";

pub(crate) async fn sign_in(http: &Http, email: &str) -> Caller {
    let session = http.post("/v1/auth/sign-in", &Caller::default(), &json!({ "email": email, "password": PASSWORD })).await;
    Caller { token: Some(text(&session, "/session/access_token")), tenant: None }
}

pub(crate) fn address() -> Value {
    json!({ "name": "Ada Buyer", "line1": "1 Test Street", "city": "Springfield", "subdivision": "IL", "postal_code": "62701", "country": "US" })
}

/// Something to buy.
#[derive(Debug, Clone)]
pub(crate) struct Goods {
    pub(crate) product: String,
    pub(crate) variant: String,
    pub(crate) tenant: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Seller {
    http: Http,
    email: String,
    pub(crate) caller: Caller,
    pub(crate) tenant: String,
}

impl Seller {
    pub(super) async fn applied(http: &Http, name: &str) -> Self {
        let email = format!("{name}@sellers.example");
        let account = json!({ "email": email, "password": PASSWORD, "name": name });
        let session = http.post("/v1/auth/sign-up", &Caller::default(), &account).await;
        let person = Caller { token: Some(text(&session, "/session/access_token")), tenant: None };
        let business = json!({ "legal_name": format!("{name} Ltd"), "contact_email": email, "address": "1 Market Street, Springfield" });
        let application = json!({ "store_name": format!("Shop of {name}"), "business": business, "country": "US", "currency": "USD", "plan": "pro" });
        let tenant = text(&http.post("/v1/tenants", &person, &application).await, "/tenant/tenant_id");
        Self { http: http.clone(), email, caller: Caller { tenant: Some(tenant.clone()), ..person }, tenant }
    }

    pub(crate) async fn admitted(self, operator: &Caller) -> Self {
        self.http.post(&format!("/v1/tenants/{}/approve", self.tenant), operator, &json!({})).await;
        let person = sign_in(&self.http, &self.email).await;
        let seller = Self { caller: Caller { tenant: self.caller.tenant.clone(), ..person }, ..self };
        // The shop has ways to ship as soon as its approval reached fulfillment.
        eventually("the new shop's shipping methods", async || {
            (!list(&seller.get("/v1/seller/shipping-methods").await, "/methods").is_empty()).then_some(())
        })
        .await;
        seller
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http.get(path, &self.caller).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.http.post(path, &self.caller, body).await
    }

    /// Puts goods on sale.
    pub(crate) async fn sells(&self, title: &str, cents: i64, pieces: i64) -> Goods {
        let variant = json!({ "sku": title, "price": { "amount_minor": cents, "currency": "USD" }, "weight_grams": 300 });
        let made = self.post("/v1/products", &json!({ "title": title, "variants": [variant], "activate": true })).await;
        let goods = Goods {
            product: text(&made, "/product/product_id"),
            variant: text(&made, "/product/variants/0/variant_id"),
            tenant: self.tenant.clone(),
        };
        self.stocks(&goods, pieces).await;
        goods
    }

    pub(crate) async fn stocks(&self, goods: &Goods, pieces: i64) {
        self.post("/v1/stock/set", &json!({ "variant_id": goods.variant, "quantity": pieces })).await;
    }

    /// (available, reserved)
    pub(crate) async fn stock(&self, goods: &Goods) -> (i64, i64) {
        let stock = self.get(&format!("/v1/stock?variant_id={}", goods.variant)).await;
        (number(&stock, "/stocks/0/available"), number(&stock, "/stocks/0/reserved"))
    }

    pub(crate) async fn sub_orders(&self) -> Vec<Value> {
        list(&self.get("/v1/seller/sub-orders?limit=100").await, "/sub_orders")
    }

    /// Waits until the shop is told to send a part of an order.
    pub(crate) async fn told_to_send(&self, sub_order: &str) {
        let at = format!("/v1/seller/fulfillment-orders/{sub_order}");
        eventually("the order to reach its seller", async || {
            let answer = self.http.ask("GET", &at, &self.caller, &Value::Null).await.unwrap();
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// Accepts, packs, prints the slip and hands everything to the carrier; the shipment's id.
    pub(crate) async fn sends(&self, sub_order: &str) -> String {
        let at = format!("/v1/seller/fulfillment-orders/{sub_order}");
        self.told_to_send(sub_order).await;
        self.post(&format!("{at}/accept"), &json!({})).await;
        self.post(&format!("{at}/pack"), &json!({})).await;
        let slip = self.http.bytes("GET", &format!("{at}/packing-slip"), &self.caller, "", Vec::new()).await;
        assert!(slip.bytes.starts_with(b"%PDF-"), "the packing slip is a PDF");
        let sent = self.post(&format!("{at}/ship"), &json!({ "carrier": "Test Post", "tracking_number": "TP 1" })).await;
        text(&sent, "/fulfillment_order/shipments/0/shipment_id")
    }

    pub(crate) async fn bytes(&self, path: &str) -> Vec<u8> {
        self.http.bytes("GET", path, &self.caller, "", Vec::new()).await.bytes
    }

    pub(crate) async fn upload(&self, name: &str, content: Vec<u8>) -> Value {
        self.http.bytes("POST", &format!("/v1/uploads?file_name={name}"), &self.caller, "text/csv", content).await.json
    }

    /// Starts the import of an upload; its id.
    pub(crate) async fn import(&self, upload: &str, mapping: &Value) -> String {
        text(&self.post("/v1/imports", &json!({ "upload_id": upload, "mapping": mapping })).await, "/import/import_id")
    }

    /// Waits for an import to end well.
    pub(crate) async fn imported(&self, import: &str) -> Value {
        loop {
            let told = self.get(&format!("/v1/imports/{import}")).await;
            match text(&told, "/import/state").as_str() {
                "finished" => return told["import"].clone(),
                "queued" | "running" => tokio::time::sleep(super::ASK_EVERY).await,
                other => panic!("the import came out {other}: {told}"),
            }
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Buyer {
    http: Http,
    pub(crate) caller: Caller,
    pub(crate) email: String,
}

impl Buyer {
    pub(super) async fn guest(http: &Http) -> Self {
        let session = http.post("/v1/auth/guest", &Caller::default(), &json!({})).await;
        Self {
            http: http.clone(),
            caller: Caller { token: Some(text(&session, "/session/access_token")), tenant: None },
            email: "guest@buyers.example".to_owned(),
        }
    }

    /// Makes the guest an account, which keeps what the guest had.
    pub(crate) async fn sign_up(&mut self, name: &str) {
        self.email = format!("{name}@buyers.example");
        let account = json!({ "email": self.email, "password": PASSWORD, "name": name });
        let session = self.http.post("/v1/auth/sign-up", &self.caller, &account).await;
        self.caller.token = Some(text(&session, "/session/access_token"));
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http.get(path, &self.caller).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.http.post(path, &self.caller, body).await
    }

    /// Whatever comes back.
    pub(crate) async fn asks(&self, method: &str, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        self.http.ask(method, path, &self.caller, body).await
    }

    /// The answer to a wish, if it is granted.
    pub(crate) async fn tries(&self, path: &str, body: &Value) -> Option<Value> {
        let answer = self.http.ask("POST", path, &self.caller, body).await.ok()?;
        (200..300).contains(&answer.status).then_some(answer.json)
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Value {
        self.http.must("PATCH", path, &self.caller, body).await
    }

    pub(crate) async fn puts_into_cart(&self, goods: &Goods, quantity: i64) {
        // What was just put on sale is a moment away from the cart.
        eventually("goods that can be bought", async || {
            let line = json!({ "tenant_id": goods.tenant, "variant_id": goods.variant, "quantity": quantity });
            let answer = self.http.ask("POST", "/v1/cart/items", &self.caller, &line).await.unwrap();
            assert!(answer.status < 500, "{}", answer.json);
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// A checkout of these goods, ready to be placed.
    pub(crate) async fn checkout(&self, goods: &[(&Goods, i64)]) -> String {
        let items: Vec<Value> =
            goods.iter().map(|(goods, quantity)| json!({ "tenant_id": goods.tenant, "variant_id": goods.variant, "quantity": quantity })).collect();
        let checkout = self.post("/v1/checkouts", &json!({ "items": items, "email": self.email, "shipping_address": address() })).await;
        assert_eq!(checkout["checkout"]["missing"], json!([]), "{checkout}");
        text(&checkout, "/checkout/checkout_id")
    }

    pub(crate) async fn places(&self, checkout: &str, card: &str) -> Value {
        self.post(&format!("/v1/checkouts/{checkout}/place"), &json!({ "payment_method": card })).await
    }

    pub(crate) async fn buys(&self, goods: &[(&Goods, i64)], card: &str) -> Value {
        let checkout = self.checkout(goods).await;
        self.places(&checkout, card).await
    }

    pub(crate) async fn order(&self, id: &str) -> Value {
        self.get(&format!("/v1/orders/{id}")).await["order"].clone()
    }

    /// Waits until an order is in one of these states.
    pub(crate) async fn sees(&self, id: &str, states: &[&str]) -> Value {
        eventually(&format!("order {id} to be {states:?}"), async || {
            let order = self.order(id).await;
            states.contains(&text(&order, "/state").as_str()).then_some(order)
        })
        .await
    }
}
