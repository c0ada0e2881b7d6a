//! Every operation of the published contract, tried on another tenant's things: as its competitor, as its competitor under its name,
//! as a buyer, and as nobody. The attacks are generated from `/openapi.json`, so a new operation is attacked from its first day.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::harness::{Answer, Buyer, Caller, Http, Market, Seller, eventually, list, text};

/// An operation of the contract.
struct Operation {
    method: String,
    path: String,
    /// Who may call it: the keys of `x-access`.
    access: Vec<String>,
    /// The schema of its JSON body; `Null` without.
    body: Value,
    raw: bool,
}

impl Operation {
    fn open_to(&self, whom: &str) -> bool {
        self.access.iter().any(|open| open == whom)
    }
}

fn operations(contract: &Value) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let content = &operation["requestBody"]["content"];
            operations.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                access: operation["x-access"].as_object().map(|access| access.keys().cloned().collect()).unwrap_or_default(),
                body: content["application/json"]["schema"].clone(),
                raw: content.get("application/octet-stream").is_some(),
            });
        }
    }
    assert!(operations.len() > 100, "the contract tells of {} operations only", operations.len());
    operations
}

/// The victim's things by the names under which operations ask for them.
type Things = BTreeMap<&'static str, String>;

/// A request made of an operation: with the victim's things wherever a thing is named, with something valid elsewhere.
struct Attack {
    method: String,
    path: String,
    body: Vec<u8>,
    /// Whether it names anything of the victim.
    aims: bool,
}

fn attack(operation: &Operation, contract: &Value, things: &Things) -> Attack {
    let mut aims = false;
    let mut path = String::new();
    for (number, piece) in operation.path.split(['{', '}']).enumerate() {
        if number % 2 == 0 {
            path.push_str(piece);
        } else {
            aims |= things.contains_key(piece);
            path.push_str(things.get(piece).map_or_else(|| stand_in(piece), String::as_str));
        }
    }
    let body = if operation.raw {
        b"sku,title,price\n1,Mug,1.00\n".to_vec()
    } else if operation.body.is_null() {
        Vec::new()
    } else {
        let filled = fill("", &operation.body, contract, things, &mut aims);
        serde_json::to_vec(&filled).unwrap()
    };
    Attack { method: operation.method.clone(), path, body, aims }
}

/// Parts of paths that belong to nobody.
fn stand_in(piece: &str) -> &'static str {
    match piece {
        "version" | "number" => "1",
        "format" => "csv",
        "role" => "platform_admin",
        "service" => "orders",
        "psp" => "sandbox",
        _ => "x",
    }
}

fn fill(name: &str, schema: &Value, contract: &Value, things: &Things, aims: &mut bool) -> Value {
    if let Some(thing) = things.get(name) {
        *aims = true;
        return json!(thing);
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let pointer = reference.trim_start_matches('#');
        return fill(name, contract.pointer(pointer).unwrap_or(&Value::Null), contract, things, aims);
    }
    if let Some(first) = schema["enum"].as_array().and_then(|values| values.iter().find(|value| value.as_str() != Some(""))) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let singular = name.trim_end_matches('s');
                if required.contains(&name.as_str()) || things.contains_key(name.as_str()) || things.contains_key(singular) {
                    object.insert(name.clone(), fill(name, property, contract, things, aims));
                }
            }
            Value::Object(object)
        }
        Some("array") => json!([fill(name.trim_end_matches('s'), &schema["items"], contract, things, aims)]),
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(0).max(1)),
        Some("boolean") => json!(true),
        _ => schema.get("example").filter(|example| example.is_string()).cloned().unwrap_or_else(|| json!(plausible(name))),
    }
}

fn plausible(name: &str) -> &'static str {
    match name {
        "email" | "contact_email" => "mallory@attack.example",
        "currency" => "USD",
        "country" => "US",
        "payment_method" => "tok_visa",
        "password" | "old_password" | "new_password" => "a quiet lamp sells 47 mugs",
        _ => "x",
    }
}

async fn strike(http: &Http, attack: &Attack, by: &Caller) -> Answer {
    let answer = http.send(&attack.method, &attack.path, by, &[("content-type", "application/json")], attack.body.clone()).await;
    answer.unwrap_or_else(|error| panic!("{} {}: {error}", attack.method, attack.path))
}

/// Everything the victim has, and what operations call it.
async fn belongings(market: &Market, victim: &Seller, buyer: &Buyer) -> Things {
    let goods = victim.sells("Stoneware Mug", 1200, 20).await;
    let placed = buyer.buys(&[(&goods, 2)], "tok_visa").await;
    let order = text(&placed, "/order/order_id");
    let sent = text(&placed, "/order/sub_orders/0/sub_order_id");
    let shipment = victim.sends(&sent).await;
    let waiting = buyer.buys(&[(&goods, 1)], "tok_visa").await;
    let item = text(&waiting, "/order/sub_orders/0/items/0/item_id");
    let waiting = text(&waiting, "/order/sub_orders/0/sub_order_id");
    victim.told_to_send(&waiting).await;
    let checkout = buyer.checkout(&[(&goods, 1)]).await;
    let returned = comes_back(victim, buyer, &buyer.buys(&[(&goods, 1)], "tok_visa").await).await;

    let upload = text(&victim.upload("feed.csv", b"sku,title,price\n7,Spoon,1.00\n".to_vec()).await, "/upload/upload_id");
    let mapping = json!({ "columns": { "sku": "sku", "title": "title", "price": "price" }, "constants": { "currency": "USD" } });
    let import = victim.import(&upload, &mapping).await;
    victim.imported(&import).await;
    victim.post("/v1/seller/staff/invites", &json!({ "email": "helper@sellers.example", "role": "inventory_operator" })).await;
    let second = victim.post("/v1/warehouses", &json!({ "code": "second", "name": "Second" })).await;
    let address = buyer.post("/v1/me/addresses", &json!({ "address": crate::harness::address() })).await;
    let messages = eventually("a message to the buyer", async || list(&buyer.get("/v1/me/messages").await, "/messages").into_iter().next()).await;
    let payment = eventually("the payment", async || market.payments(&order).await.into_iter().next()).await;

    let warehouse = text(&victim.get("/v1/warehouses").await, "/warehouses/0/warehouse_id");
    let method = text(&victim.get("/v1/seller/shipping-methods").await, "/methods/0/shipping_method_id");
    BTreeMap::from([
        ("tenant_id", victim.tenant.clone()),
        ("product_id", goods.product),
        ("variant_id", goods.variant),
        ("upload_id", upload),
        ("import_id", import),
        ("warehouse_id", warehouse.clone()),
        ("from_warehouse_id", warehouse),
        ("to_warehouse_id", text(&second, "/warehouse_id")),
        ("shipping_method_id", method),
        ("sub_order_id", waiting),
        ("item_id", item),
        ("shipment_id", shipment),
        ("return_id", returned),
        ("order_id", order),
        ("checkout_id", checkout),
        ("address_id", text(&address, "/address/address_id")),
        ("message_id", text(&messages, "/message_id")),
        ("session_id", text(&buyer.get("/v1/me/sessions").await, "/sessions/0/session_id")),
        ("payment_id", text(&payment, "/payment_id")),
        ("user_id", text(&victim.get("/v1/me").await, "/user/user_id")),
    ])
}

/// Something that has arrived and is to go back: the return's id.
async fn comes_back(victim: &Seller, buyer: &Buyer, placed: &Value) -> String {
    let part = text(placed, "/order/sub_orders/0/sub_order_id");
    let shipment = victim.sends(&part).await;
    victim.post(&format!("/v1/seller/shipments/{shipment}/deliver"), &json!({})).await;
    let lines = json!([{ "item_id": text(placed, "/order/sub_orders/0/items/0/item_id"), "quantity": 1, "reason": "damaged" }]);
    let asked =
        eventually("a return of what has arrived", async || buyer.tries(&format!("/v1/sub-orders/{part}/returns"), &json!({ "lines": lines })).await);
    text(&asked.await, "/return/return_id")
}

/// What the victim and its buyer see of it all.
async fn state(victim: &Seller, buyer: &Buyer, things: &Things) -> Vec<Value> {
    let mut seen = Vec::new();
    let of = |name: &str| things[name].clone();
    for path in [
        format!("/v1/products/{}", of("product_id")),
        format!("/v1/products/{}/versions", of("product_id")),
        "/v1/products".to_owned(),
        "/v1/stock".to_owned(),
        "/v1/stock/journal".to_owned(),
        "/v1/warehouses".to_owned(),
        "/v1/imports".to_owned(),
        format!("/v1/uploads/{}", of("upload_id")),
        "/v1/import-presets".to_owned(),
        "/v1/seller/store".to_owned(),
        "/v1/seller/staff".to_owned(),
        "/v1/seller/shipping-methods".to_owned(),
        "/v1/seller/sub-orders".to_owned(),
        "/v1/seller/returns".to_owned(),
        "/v1/seller/return-policy".to_owned(),
        "/v1/seller/fulfillment-orders".to_owned(),
        "/v1/seller/balance".to_owned(),
    ] {
        seen.push(victim.get(&path).await);
    }
    for path in ["/v1/me", "/v1/me/addresses", "/v1/orders", "/v1/cart", "/v1/payment-methods"] {
        seen.push(buyer.get(path).await);
    }
    seen.push(buyer.get(&format!("/v1/checkouts/{}", of("checkout_id"))).await);
    seen
}

const REFUSED: std::ops::Range<u16> = 400..500;

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_reaches_another_tenants_things() {
    let market = Market::open().await;
    let victim = market.seller("anna").await;
    everything_is_refused(&market, &victim).await;
}

/// Attacks everything of a shop, with things of every kind in it.
pub(crate) async fn everything_is_refused(market: &Market, victim: &Seller) {
    let http = &market.http;
    let contract = http.get("/openapi.json", &Caller::default()).await;
    let competitor = market.seller("mallory").await;
    let buyer = market.buyer("bob").await;
    let stranger = market.buyer("eve").await;
    let things = belongings(market, victim, &buyer).await;
    // What is under way has settled when the money of the parcel has.
    eventually("the seller's money", async || (!list(&victim.get("/v1/seller/balance").await, "/balances").is_empty()).then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let before = state(victim, &buyer, &things).await;
    let disguised = Caller { tenant: Some(victim.tenant.clone()), ..competitor.caller.clone() };

    let (mut sins, mut malformed, mut strikes) = (Vec::new(), Vec::new(), 0);
    for operation in operations(&contract) {
        let attack = attack(&operation, &contract, &things);
        let mut by = Vec::new();
        if !operation.open_to("anonymous") {
            by.push(("nobody", Caller::default()));
        }
        if operation.open_to("seller") || operation.open_to("operator") {
            by.push(("the competitor in disguise", disguised.clone()));
        }
        if attack.aims && !operation.open_to("anonymous") {
            by.push(("the competitor", competitor.caller.clone()));
        }
        if !operation.open_to("anonymous") && (attack.aims || !operation.open_to("buyer")) && ends_no_session(&operation) {
            by.push(("a stranger", stranger.caller.clone()));
        }
        for (who, caller) in by {
            let answer = strike(http, &attack, &caller).await;
            strikes += 1;
            malformed.extend((answer.status == 400).then(|| format!("{who}: {} {} {}", attack.method, attack.path, answer.json["detail"])));
            if !REFUSED.contains(&answer.status) && !harmless(&operation) {
                let told: String = String::from_utf8_lossy(&answer.bytes).chars().take(300).collect();
                sins.push(format!("{who}: {} {} {}: {} {told}", attack.method, attack.path, String::from_utf8_lossy(&attack.body), answer.status));
            }
        }
        // What the competitor may do is about its own things only.
        if operation.open_to("seller") && !attack.aims && operation.method == "GET" {
            let answer = strike(http, &attack, &competitor.caller).await;
            strikes += 1;
            let told = String::from_utf8_lossy(&answer.bytes);
            if answer.status >= 500 || things.values().any(|thing| told.contains(thing.as_str())) {
                sins.push(format!("{} {} tells the competitor of the victim: {} {told}", attack.method, attack.path, answer.status));
            }
        }
    }
    assert!(sins.is_empty(), "{} of {strikes} attacks were not refused:\n{}", sins.len(), sins.join("\n"));
    // An attack that is refused for its form alone proves little.
    println!("{strikes} attacks were refused, {} of them for their form:\n{}", malformed.len(), malformed.join("\n"));
    assert!(malformed.len() * 5 < strikes, "too many attacks are not even well-formed");

    let after = state(victim, &buyer, &things).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "the victim's things are as they were");
    }
    let errors = market.complaints();
    assert!(!errors.contains("panicked") && !errors.contains("internal error"), "{errors}");
}

/// Operations on the caller's own account that a stranger may do, of course.
fn ends_no_session(operation: &Operation) -> bool {
    !operation.path.starts_with("/v1/auth/")
}

/// What may succeed although it names a thing of the victim: its goods are for sale to everybody, and somebody who is not on the
/// caller's staff need not be taken off it.
fn harmless(operation: &Operation) -> bool {
    operation.path.starts_with("/v1/cart/items") || (operation.method == "DELETE" && operation.path == "/v1/seller/staff/{user_id}")
}
