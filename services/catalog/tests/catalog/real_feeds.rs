//! The six real feeds, where they are at hand: every row accounted for, twice.

use std::path::PathBuf;

use api_catalog::{ImportTaxonomyRequest, ListCategoriesRequest};

use crate::market::open;

/// Rows that can be sold and rows in all, as counted outside this program.
const FEEDS: [(&str, u32, u32); 6] = [
    ("amazon", 19_214, 22_074),
    ("walmart", 2_490, 2_554),
    ("google-software", 2_978, 3_039),
    ("amazon-software", 1_155, 1_354),
    ("abt", 416, 1_076),
    ("buy", 586, 1_076),
];

fn data() -> PathBuf {
    PathBuf::from("../../../shared/data")
}

#[tokio::test]
#[ignore = "needs ../shared/data, which is no part of the project; the launcher runs it where that is"]
async fn every_row_of_the_real_feeds_is_accounted_for() {
    let data = data();
    let mut shop = open().await;
    for (name, sellable, rows) in FEEDS {
        shop.become_another_seller();
        let content = std::fs::read(data.join(format!("offers/{name}.csv"))).unwrap();
        let begin = std::time::Instant::now();
        let first = shop.import(content.clone(), |mapping| _ = mapping.constants.insert("stock".to_owned(), "25".to_owned())).await;
        assert_eq!((first.rows, first.imported, first.rejected), (rows, sellable, rows - sellable), "{name}: {:?}", first.reasons);
        let seconds = begin.elapsed().as_secs_f64();
        println!("{name}: {rows} rows in {seconds:.1} s, {:?}", first.reasons);
        let second = shop.import(content, |mapping| _ = mapping.constants.insert("stock".to_owned(), "25".to_owned())).await;
        assert_eq!((second.unchanged, second.rejected), (sellable, rows - sellable), "{name}");
    }
}

#[tokio::test]
#[ignore = "needs ../shared/data, which is no part of the project; the launcher runs it where that is"]
async fn the_real_taxonomy_is_loaded() {
    let data = data();
    let shop = open().await;
    for (part, rows) in [("categories", 10_282), ("attributes", 2_265), ("values", 18_448)] {
        let content = std::fs::read(data.join(format!("taxonomy-shopify/{part}.tsv.zst"))).unwrap();
        let load = async || {
            let request = ImportTaxonomyRequest { content: content.clone().into() };
            shop.catalog().import_taxonomy(shop.operator().request(request)).await.unwrap().into_inner()
        };
        let loaded = load().await;
        assert_eq!((loaded.part.as_str(), loaded.created + loaded.changed + loaded.unchanged), (part, rows));
        assert_eq!(load().await.unchanged, rows);
    }
    let search = ListCategoriesRequest { query: "headphones".to_owned(), ..Default::default() };
    assert!(!shop.catalog().list_categories(shop.market.nobody().request(search)).await.unwrap().into_inner().categories.is_empty());
}
