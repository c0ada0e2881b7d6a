//! A tenant in a cell of its own sells like everybody else, and its data lies where nobody else's does.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::harness::{Goods, Market, Seller, eventually, list, number, text};
use crate::tenancy::everything_is_refused;

/// Services that keep tenants' data in cells.
const IN_CELLS: [&str; 3] = ["catalog", "inventory", "fulfillment"];

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_in_a_cell_of_its_own_sells_like_everybody_else() {
    let mut market = Market::open().await;
    let anna = tell(&market).await;
    market.kill();
    market.restart().await;
    everything_is_refused(&market, &anna).await;
    lives_apart(&market, &anna).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_happens_when_the_services_are_in_two_processes() {
    tell(&Market::split().await).await;
}

async fn tell(market: &Market) -> Seller {
    let anna = market.applicant("anna").await;
    let told = market.command(&["tenant", "place", &anna.tenant, "--dedicated"], "").await;
    assert!(told.contains(&anna.tenant), "{told}");
    let anna = anna.admitted(&market.operator).await;
    let ben = market.seller("ben").await;
    let lamp = ben.sells("Copper Lamp", 3000, 5).await;

    let feed = b"sku,title,price,stock\nbowl-1,Walnut Bowl,19.90,7\nbowl-2,Cherry Bowl,24.90,3\n".to_vec();
    let upload = text(&anna.upload("feed.csv", feed).await, "/upload/upload_id");
    let mapping = json!({ "columns": { "sku": "sku", "title": "title", "price": "price", "stock": "stock" }, "constants": { "currency": "USD" } });
    let done = anna.imported(&anna.import(&upload, &mapping).await).await;
    assert_eq!((number(&done, "/created"), number(&done, "/rejected")), (2, 0), "{done}");
    let bowl = found(market, "walnut bowl", &anna).await;
    anna.stocks(&bowl, 9).await;

    // One order over a cell and the pool: both give what they have, or neither.
    let buyer = market.buyer("ada").await;
    let placed = buyer.buys(&[(&bowl, 2), (&lamp, 1)], "tok_visa").await;
    let order = text(&placed, "/order/order_id");
    buyer.sees(&order, &["confirmed", "paid", "processing"]).await;
    eventually("what was sold to have left both stocks", async || {
        ((anna.stock(&bowl).await, ben.stock(&lamp).await) == ((7, 0), (4, 0))).then_some(())
    })
    .await;
    let part = eventually("the order to reach the shop", async || anna.sub_orders().await.into_iter().next()).await;
    assert_eq!(anna.sub_orders().await.len(), 1);
    anna.sends(&text(&part, "/sub_order_id")).await;
    eventually("the buyer to see it on its way", async || {
        let parts = list(&buyer.order(&order).await, "/sub_orders");
        parts.iter().any(|part| text(part, "/tenant_id") == anna.tenant && text(part, "/state") == "shipped").then_some(())
    })
    .await;
    market.stock_is_sound().await;
    market.ledger_is_sound().await;
    lives_apart(market, &anna).await;

    // A placement is for good once there are data.
    let output = market.attempt(&["tenant", "place", &anna.tenant, "--cell", "elsewhere"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && told.contains("TENANT_HAS_DATA"), "{told}");
    anna
}

/// Goods as buyers find them.
async fn found(market: &Market, query: &str, seller: &Seller) -> Goods {
    eventually("the goods in the search", async || {
        let found = market.http.get(&format!("/v1/search?query={}&tenant_id={}", query.replace(' ', "+"), seller.tenant), &market.operator).await;
        let hit = list(&found, "/hits").into_iter().next()?;
        Some(Goods { product: text(&hit, "/product_id"), variant: text(&hit, "/variant_id"), tenant: seller.tenant.clone() })
    })
    .await
}

/// Every row of the tenant is in its own schemas, and none of anybody else.
async fn lives_apart(market: &Market, seller: &Seller) {
    let told = market.http.get(&format!("/v1/tenants/{}", seller.tenant), &market.operator).await;
    let cell = text(&told, "/tenant/cell");
    let mut database = market.database().await;
    for service in IN_CELLS {
        let own = format!("{service}_at_{cell}");
        let tables = tables_of_tenants(&mut database, service).await;
        assert!(!tables.is_empty() && tables == tables_of_tenants(&mut database, &own).await, "{service} has the same tables in a cell");
        let mut rows = 0;
        for table in tables {
            assert_eq!(count(&mut database, service, &table, seller, "=").await, 0, "{service}.{table} has rows of a tenant that lives elsewhere");
            assert_eq!(count(&mut database, &own, &table, seller, "<>").await, 0, "{own}.{table} has rows of others");
            rows += count(&mut database, &own, &table, seller, "=").await;
        }
        assert!(rows > 0, "{own} is empty");
    }
}

async fn tables_of_tenants(database: &mut PgConnection, schema: &str) -> Vec<String> {
    let query = "select table_name::text from information_schema.columns where table_schema = $1 and column_name = 'tenant_id' order by 1";
    sqlx::query_scalar(query).bind(schema).fetch_all(database).await.unwrap()
}

async fn count(database: &mut PgConnection, schema: &str, table: &str, seller: &Seller, how: &str) -> i64 {
    let tenant = seller.tenant.trim_start_matches("ten_");
    let query = format!("select count(*) from {schema}.{table} where tenant_id {how} '{tenant}'");
    sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(database).await.unwrap()
}
