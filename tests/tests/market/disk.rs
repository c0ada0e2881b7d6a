//! A disk that runs full under a market at work: what can still be done is done, everything else is refused with a reason and leaves
//! nothing behind, and when there is room again the market goes on by itself.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Goods, Market, Seller, eventually, list, number, text};

/// Enough for a market at rest and some work.
const DISK_MIB: u32 = 400;
const ROWS: usize = 2000;
const TRIES: usize = 300;

/// Takes all room there is, until dropped.
struct Filler(PathBuf);

impl Filler {
    fn fill(market: &Market) -> Self {
        let path = market.data().join("filler");
        let filler = Self(path.clone());
        let mut file = File::create(path).unwrap();
        // The last bytes too.
        for chunk in [1 << 20, 4096, 1] {
            while file.write_all(&vec![0; chunk]).is_ok() {}
        }
        filler
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        // A process that has died took the disk with it; the test fails for that.
        let _gone = fs::remove_file(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_clearly_and_is_survived() {
    let market = Market::open_on_a_disk_of(DISK_MIB).await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, 1000).await;
    let buyer = market.buyer("ada").await;
    buyer.puts_into_cart(&goods, 1).await;
    let feed = text(&seller.upload("feed.csv", feed()).await, "/upload/upload_id");

    let filler = Filler::fill(&market);
    let mapping = json!({ "columns": { "sku": "sku", "title": "title", "price": "price" }, "constants": { "currency": "USD", "stock": "3" } });
    let start = json!({ "upload_id": feed, "mapping": mapping });
    let picture =
        market.http.send("POST", "/v1/media?alt=mug", &seller.caller, &[("content-type", "application/octet-stream")], png()).await.unwrap();
    assert_eq!((picture.status, text(&picture.json, "/reason").as_str()), (503, "DISK_FULL"), "{}", picture.json);
    let upload = market.http.send("POST", "/v1/uploads?file_name=b.csv", &seller.caller, &[], b"sku,title\n1,Mug\n".to_vec()).await.unwrap();
    assert_eq!((upload.status, text(&upload.json, "/reason").as_str()), (503, "DISK_FULL"), "{}", upload.json);
    assert!(text(&upload.json, "/detail").contains("full"), "{}", upload.json);
    let import = market.http.ask("POST", "/v1/imports", &seller.caller, &start).await.unwrap();
    refused_or_done(&import);
    let bought = work_until_the_database_refuses(&market, &seller, &goods, &buyer.caller, &buyer.email).await;
    drop(filler);

    let order = eventually("orders to be taken again", async || {
        let order = buyer_tries(&market, &buyer.caller, &buyer.email, &goods).await;
        refused_or_done(&order);
        (order.status == 200).then(|| text(&order.json, "/order/order_id"))
    })
    .await;
    // A payment that the provider could not write down was surely not made; such an order waits for another card and holds its goods.
    let mut waiting = 0;
    for order in &bought {
        let order = buyer.sees(order, &["confirmed", "paid", "processing", "payment_failed"]).await;
        waiting += i64::from(text(&order, "/state") == "payment_failed");
    }
    buyer.sees(&order, &["confirmed", "paid", "processing"]).await;
    eventually("only those to hold goods", async || (seller.stock(&goods).await.1 == waiting).then_some(())).await;
    assert!(!list(&seller.get("/v1/products").await, "/products").is_empty());
    let import = match import.status {
        200 => text(&import.json, "/import/import_id"),
        _ => seller.import(&feed, &mapping).await,
    };
    let done = seller.imported(&import).await;
    assert_eq!((number(&done, "/created"), number(&done, "/rejected")), (i64::try_from(ROWS).unwrap(), 0), "{done}");
    eventually("what was imported in the search", async || {
        let found = market.http.get("/v1/search?query=contraption", &Caller::default()).await;
        (number(&found, "/total") == i64::try_from(ROWS).unwrap()).then_some(())
    })
    .await;
    market.http.bytes("POST", "/v1/media?alt=mug", &seller.caller, "application/octet-stream", png()).await;
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
    market.audit_is_intact().await;
    let complaints = market.complaints();
    assert!(!complaints.contains("panicked"), "{complaints}");
}

/// Sells and buys on until the database itself has refused; the orders that were taken meanwhile.
async fn work_until_the_database_refuses(market: &Market, seller: &Seller, goods: &Goods, buyer: &Caller, email: &str) -> Vec<String> {
    let (mut bought, mut refusals) = (Vec::new(), 0);
    for number in 0..TRIES {
        let description = "x".repeat(50_000);
        let variant = json!({ "sku": format!("full-{number}"), "price": { "amount_minor": 100, "currency": "USD" } });
        let product = json!({ "title": format!("Lamp {number}"), "description": description, "variants": [variant] });
        let answer = market.http.ask("POST", "/v1/products", &seller.caller, &product).await.unwrap();
        refused_or_done(&answer);
        refusals += usize::from(answer.status != 200);
        let order = buyer_tries(market, buyer, email, goods).await;
        refused_or_done(&order);
        bought.extend((order.status == 200).then(|| text(&order.json, "/order/order_id")));
        if refusals >= 5 {
            return bought;
        }
    }
    panic!("the disk is full and the database never said so");
}

async fn buyer_tries(market: &Market, buyer: &Caller, email: &str, goods: &Goods) -> Answer {
    let item = json!({ "tenant_id": goods.tenant, "variant_id": goods.variant, "quantity": 1 });
    let checkout = json!({ "items": [item], "email": email, "shipping_address": crate::harness::address() });
    let checkout = market.http.ask("POST", "/v1/checkouts", buyer, &checkout).await.unwrap();
    if checkout.status != 200 {
        return checkout;
    }
    let at = format!("/v1/checkouts/{}/place", text(&checkout.json, "/checkout/checkout_id"));
    market.http.ask("POST", &at, buyer, &json!({ "payment_method": "tok_visa" })).await.unwrap()
}

/// Either it worked, or the answer says that it did not work now and why.
fn refused_or_done(answer: &Answer) {
    let told = String::from_utf8_lossy(&answer.bytes);
    if answer.status == 200 {
        return;
    }
    assert!(matches!(answer.status, 503 | 504), "{} {told}", answer.status);
    assert_eq!(answer.content_type, "application/problem+json", "{told}");
    assert!(answer.json.get("detail").and_then(Value::as_str).is_some_and(|detail| !detail.is_empty()), "{told}");
}

fn feed() -> Vec<u8> {
    let mut feed = String::from("sku,title,price\n");
    for row in 0..ROWS {
        feed.push_str(&format!("row-{row},Contraption number {row},{}.{:02}\n", 1 + row % 90, row % 100));
    }
    feed.into_bytes()
}

/// A picture of one pixel.
fn png() -> Vec<u8> {
    let hex =
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082";
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}
