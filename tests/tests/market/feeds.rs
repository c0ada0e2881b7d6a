//! Real feeds, where they are: six shops' files of 31,173 rows.

use std::path::PathBuf;

use serde_json::json;

use crate::harness::{Market, list, number, text};

/// Feed, rows, title column, brand column.
const FEEDS: [(&str, i64, &str, &str); 6] = [
    ("abt", 1_076, "name", ""),
    ("buy", 1_076, "name", ""),
    ("amazon", 22_074, "title", "brand"),
    ("walmart", 2_554, "title", "brand"),
    ("google-software", 3_039, "title", "manufacturer"),
    ("amazon-software", 1_354, "title", "manufacturer"),
];

fn folder() -> PathBuf {
    PathBuf::from("../../shared/data/offers")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs ../shared/data, which is no part of the project; the launcher runs it where that is"]
async fn every_row_of_six_real_feeds_is_accounted_for() {
    let market = Market::open().await;
    for (name, rows, title, brand) in FEEDS {
        let seller = market.seller(name).await;
        let content = std::fs::read(folder().join(format!("{name}.csv"))).unwrap();
        let upload = seller.upload(&format!("{name}.csv"), content).await;
        assert_eq!(number(&upload, "/upload/rows"), rows, "{name}");
        let mut columns = json!({ "sku": "id", "title": title, "price": "price" });
        if !brand.is_empty() {
            columns["brand"] = json!(brand);
        }
        let mapping = json!({ "columns": columns, "constants": { "currency": "USD", "stock": "5" } });
        let upload = text(&upload, "/upload/upload_id");
        let first = seller.imported(&seller.import(&upload, &mapping).await).await;
        let count = |import: &serde_json::Value, what: &str| number(import, &format!("/{what}"));
        assert_eq!(
            (count(&first, "created") + count(&first, "rejected"), count(&first, "updated") + count(&first, "unchanged")),
            (rows, 0),
            "{name}: {first}"
        );
        let told: i64 = list(&first, "/reasons").iter().map(|reason| number(reason, "/count")).sum();
        assert!(told >= count(&first, "rejected"), "{name}: every rejected row has its reason: {first}");

        let again = seller.imported(&seller.import(&upload, &mapping).await).await;
        assert_eq!((count(&again, "created"), count(&again, "updated")), (0, 0), "{name}: the same feed again changes nothing: {again}");
        assert_eq!((count(&again, "unchanged"), count(&again, "rejected")), (count(&first, "created"), count(&first, "rejected")), "{name}");
        println!("{name}: {} created, {} rejected, {} rows/s", count(&first, "created"), count(&first, "rejected"), count(&first, "rows_per_second"));
    }
    market.stock_is_sound().await;
    market.audit_is_intact().await;
}
