//! Queries over a real index, without the service around it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_catalog::{Attribute, Option as Choice, ProductId, ProductSnapshot, Variant, VariantId};
use kit_core::{TenantId, Time};
use kit_rpc::proto::Money;
use prost::Message;
use tantivy::schema::Value;
use tantivy::{Searcher, TantivyDocument};
use uuid::Uuid;

use crate::flows::comparing::{Asked, likenesses, put_in_order};
use crate::index::document::{Card, brand_hash, document, key_hash, value_hash};
use crate::index::home::{Home, commit};
use crate::model::{Stock, Store, Stored};
use crate::query::collect::{Collect, Collected, Filters, Sort, Weights};
use crate::query::cursor::After;
use crate::query::plan::{Plan, Reader, Synonyms};
use crate::query::profile::Profile;
use crate::query::rank::compares;
use crate::query::spelling::Vocabulary;
use crate::query::walk::{Walk, Walked};
use crate::text;

const HEAP: usize = 15_000_000;

/// A listing in the making.
#[derive(Clone)]
struct Item {
    title: String,
    brand: String,
    description: String,
    seller: u128,
    category: Vec<&'static str>,
    attributes: Vec<(&'static str, &'static str)>,
    /// Price in minor units and pieces.
    variants: Vec<(i64, i64)>,
    /// What each variant is, in their order.
    options: Vec<Vec<(&'static str, &'static str)>>,
    sold: i64,
}

fn item(title: &str, brand: &str, price: i64) -> Item {
    Item {
        title: title.to_owned(),
        brand: brand.to_owned(),
        description: String::new(),
        seller: 1,
        category: Vec::new(),
        attributes: Vec::new(),
        variants: vec![(price, 5)],
        options: Vec::new(),
        sold: 0,
    }
}

impl Item {
    fn sold_out(mut self) -> Self {
        self.variants.iter_mut().for_each(|(_, pieces)| *pieces = 0);
        self
    }

    fn stored(&self, number: u128) -> Stored {
        let tenant = TenantId::from(Uuid::from_u128(self.seller));
        let mut stock = BTreeMap::new();
        let mut variants = Vec::new();
        for (place, (price, pieces)) in self.variants.iter().enumerate() {
            let id = VariantId::from(Uuid::from_u128(number * 100 + u128::try_from(place).unwrap()));
            stock.insert(id, Stock { available: *pieces, low_at: 0 });
            let price = Some(Money { amount_minor: *price, currency: "USD".to_owned() });
            let option = |(name, value): &(&str, &str)| Choice { name: (*name).to_owned(), value: (*value).to_owned() };
            let options = self.options.get(place).into_iter().flatten().map(option).collect();
            variants.push(Variant { variant_id: id.to_string(), sku: format!("s-{number}"), price, options, ..Default::default() });
        }
        let attributes = self.attributes.iter().map(|(key, value)| Attribute {
            key: (*key).to_owned(),
            name: (*key).to_owned(),
            values: vec![(*value).to_owned()],
            facet: true,
            ..Default::default()
        });
        let product = ProductSnapshot {
            tenant_id: tenant.to_string(),
            product_id: ProductId::from(Uuid::from_u128(number)).to_string(),
            title: self.title.clone(),
            brand: self.brand.clone(),
            description: self.description.clone(),
            category_path: self.category.iter().map(|name| (*name).to_owned()).collect(),
            category_path_ids: self.category.iter().map(|name| (*name).to_owned()).collect(),
            attributes: attributes.collect(),
            variants,
            ..Default::default()
        };
        let store = Some(Store { name: format!("Store {}", self.seller), slug: "store".to_owned(), open: true });
        let now = Time::from_timestamp(1_800_000_000, 0).unwrap();
        Stored { product, shown: true, store, stock, listed_at: Some(now), changed_at: now, sold: self.sold, revision: 1 }
    }
}

struct Shelf {
    home: Home,
    searcher: Searcher,
    vocabulary: Vocabulary,
    synonyms: Synonyms,
    _folder: tempfile::TempDir,
}

impl Shelf {
    fn of(items: &[Item]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path().join("search")).unwrap();
        let mut writer = home.live().writer(HEAP).unwrap().unwrap();
        for (number, item) in items.iter().enumerate() {
            writer.add_document(document(&home.fields, &item.stored(u128::try_from(number).unwrap() + 1)).unwrap()).unwrap();
        }
        commit(&mut writer, 7).unwrap();
        home.reload().unwrap();
        let searcher = home.live().searcher();
        let vocabulary = Vocabulary::of(&searcher, &home.fields, &Vocabulary::default()).unwrap();
        Self { home, searcher, vocabulary, synonyms: Synonyms::new(), _folder: folder }
    }

    fn plan(&self, query: &str) -> Plan {
        Reader { searcher: &self.searcher, fields: &self.home.fields, spelling: &self.vocabulary.spelling, synonyms: &self.synonyms, max_words: 24 }
            .plan(query)
    }

    fn walk(&self, query: &str, collect: &Collect) -> Walked {
        let plan = self.plan(query);
        let asked = Asked::of(query, &plan, &self.vocabulary.lexicon);
        let comparing = collect.sort == Sort::Relevance && compares(asked.words) && collect.after.is_none_or(After::is_compared);
        let candidates = if comparing { collect.clone().with_candidates() } else { collect.clone() };
        let walk = Walk { searcher: &self.searcher, plan: &plan, conditions: &[] };
        let (_, mut walked) = walk.relaxing(&candidates, None).unwrap();
        if comparing {
            let profile = |address| Ok(Arc::new(Profile::of_card(&self.card(address), &self.vocabulary.lexicon)));
            let like = likenesses(&self.searcher, self.home.fields.description, &asked, &walked.found.top, profile).unwrap();
            put_in_order(&asked, &mut walked.found.top, &like);
            walked.found.top.retain(|found| collect.after.is_none_or(|after| after.precedes(found)));
            walked.found.top.truncate(collect.limit);
        }
        walked
    }

    fn collect(&self, query: &str, collect: &Collect) -> Collected {
        self.walk(query, collect).found
    }

    fn card(&self, address: tantivy::DocAddress) -> Card {
        let document: TantivyDocument = self.searcher.doc(address).unwrap();
        let bytes = document.get_first(self.home.fields.card).unwrap().as_bytes().unwrap().to_vec();
        Card::decode(bytes.as_slice()).unwrap()
    }

    fn titles(&self, found: &Collected) -> Vec<String> {
        found.top.iter().map(|hit| self.card(hit.address).hit.unwrap().title).collect()
    }

    fn search(&self, query: &str) -> Vec<String> {
        self.titles(&self.collect(query, &all()))
    }

    /// Listings that have every word of the query.
    fn strictly(&self, query: &str) -> Vec<String> {
        let plan = self.plan(query);
        self.titles(&Walk { searcher: &self.searcher, plan: &plan, conditions: &[] }.strictly(&all()).unwrap())
    }
}

fn all() -> Collect {
    let weights =
        Weights { out_of_stock: 0.8, freshness: 0.05, fresh_seconds: 5_184_000.0, popularity: 0.05, popular_pieces: 1_000.0, now: 1_800_000_000 };
    Collect {
        filters: Filters::default(),
        sort: Sort::Relevance,
        limit: 50,
        after: None,
        facets: true,
        weights,
        currency: text::hash("USD"),
        unit: 100,
        opened: Arc::default(),
    }
}

fn electronics() -> Shelf {
    Shelf::of(&[
        item("Sony WH-1000XM4 Wireless Noise Canceling Headphones", "Sony", 29_999),
        item("Kensington K-39324 US MicroSaver Laptop Lock", "Kensington", 4_999),
        item("Kensington ClickSafe Keyed Lock", "Kensington", 3_999),
        item("Logitech Wireless Mouse", "Logitech", 1_999).sold_out(),
        item("Logitech Wireless Mouse with 8 GB memory", "Logitech", 2_999),
        item("Wired Headphones", "Koss", 999),
    ])
}

#[test]
fn words_are_found_in_any_form() {
    let shelf = electronics();
    assert_eq!(shelf.strictly("wireless headphone"), ["Sony WH-1000XM4 Wireless Noise Canceling Headphones"]);
    assert_eq!(shelf.strictly("the kensington locks").len(), 2);
    assert_eq!(shelf.strictly("8gb mouse"), ["Logitech Wireless Mouse with 8 GB memory"]);
    assert!(shelf.strictly("toaster").is_empty());
}

#[test]
fn a_model_number_is_found_in_any_spelling() {
    let shelf = electronics();
    for spelling in ["K39324US", "k-39324 us", "k39324-us", "kensington k39324us"] {
        assert_eq!(shelf.search(spelling).first().map(String::as_str), Some("Kensington K-39324 US MicroSaver Laptop Lock"), "{spelling}");
    }
    assert_eq!(shelf.search("wh1000xm4").len(), 1);
}

#[test]
fn a_misspelled_word_is_corrected_and_a_right_one_never_is() {
    let shelf = electronics();
    let plan = shelf.plan("kensignton lock");
    assert_eq!(plan.corrected().as_deref(), Some("kensington lock"));
    assert_eq!(shelf.search("kensignton lock").len(), 2);
    assert_eq!(shelf.plan("wired headphones").corrected(), None);
    assert_eq!(shelf.strictly("wired headphones"), ["Wired Headphones"], "wireless is another word");
}

#[test]
fn what_is_typed_so_far_is_completed() {
    assert_eq!(electronics().strictly("logitech mou").len(), 2);
}

#[test]
fn when_nothing_has_all_words_some_are_dropped() {
    let shelf = electronics();
    assert!(shelf.strictly("purple wireless headphones").is_empty());
    assert_eq!(shelf.search("purple wireless headphones").first().map(String::as_str), Some("Sony WH-1000XM4 Wireless Noise Canceling Headphones"));
}

#[test]
fn synonyms_are_found_too() {
    let mut shelf = electronics();
    assert!(shelf.strictly("earphones").is_empty() || shelf.plan("earphones").corrected().is_some());
    shelf.synonyms.insert(text::stems("earphones"), vec!["headphones".to_owned()]);
    assert_eq!(shelf.strictly("earphones").len(), 2);
    assert_eq!(shelf.strictly("earphone").len(), 2, "in any form");
}

#[test]
fn what_can_be_bought_comes_first() {
    let found = electronics().search("logitech wireless mouse");
    assert_eq!(found.len(), 2);
    let shelf = Shelf::of(&[item("Red mug", "Acme", 500).sold_out(), item("Red mug", "Acme", 500)]);
    let top = shelf.collect("red mug", &all()).top;
    assert_eq!(shelf.card(top[0].address).hit.unwrap().stock_state(), api_search::StockState::InStock);
}

fn mugs() -> Vec<Item> {
    let mut mugs = Vec::new();
    for n in 0..60_u32 {
        let mut mug = item(&format!("Mug {n}"), if n % 3 == 0 { "Acme" } else { "Bolt" }, i64::from(n) * 100 + 50);
        mug.seller = u128::from(n % 4);
        mug.category = if n % 2 == 0 { vec!["home", "kitchen"] } else { vec!["home", "garden"] };
        mug.attributes = vec![("color", ["red", "blue", "green"][usize::try_from(n % 3).unwrap()]), ("size", if n % 5 == 0 { "L" } else { "S" })];
        if n % 6 == 0 {
            mug.variants = vec![(500, 0), (9_000, 3)];
        }
        mugs.push(mug);
    }
    mugs
}

#[test]
fn facet_counts_are_what_each_value_would_show() {
    let shelf = Shelf::of(&mugs());
    let base = Filters {
        brands: vec![brand_hash("acme")],
        attributes: vec![(key_hash("color"), vec![value_hash("color", "red")])],
        price: Some((0, 4_000)),
        ..Filters::default()
    };
    let count = |filters: Filters| shelf.collect("", &Collect { filters, sort: Sort::Newest, ..all() }).total;
    let found = shelf.collect("", &Collect { filters: base.clone(), sort: Sort::Newest, ..all() });
    assert_eq!(found.total, count(base.clone()));
    for brand in ["Acme", "Bolt"] {
        let counted = found.counts.brands.get(&brand_hash(brand)).map_or(0, |tally| tally.count);
        assert_eq!(counted, count(Filters { brands: vec![brand_hash(brand)], ..base.clone() }), "{brand}");
    }
    for color in ["red", "blue", "green"] {
        let value = value_hash("color", color);
        let counted = found.counts.values.get(&value).map_or(0, |tally| tally.count);
        assert_eq!(counted, count(Filters { attributes: vec![(key_hash("color"), vec![value])], ..base.clone() }), "{color}");
    }
    for size in ["S", "L"] {
        let value = value_hash("size", size);
        let mut with_size = base.clone();
        with_size.attributes.push((key_hash("size"), vec![value]));
        assert_eq!(found.counts.values.get(&value).map_or(0, |tally| tally.count), count(with_size), "{size}");
    }
    assert_eq!(
        found.counts.available,
        count(Filters { available_only: true, price: base.price, ..base.clone() }).max(found.counts.available.min(found.total))
    );
    let in_first = count(Filters { price: Some((0, 999)), ..base });
    assert_eq!(found.counts.prices[0], in_first);
}

#[test]
fn a_price_range_and_availability_must_hold_for_one_variant() {
    let mut mug = item("Mug", "Acme", 0);
    mug.variants = vec![(500, 0), (9_000, 3)];
    let shelf = Shelf::of(&[mug]);
    let total =
        |price, available_only| shelf.collect("mug", &Collect { filters: Filters { price, available_only, ..Filters::default() }, ..all() }).total;
    assert_eq!((total(Some((400, 600)), false), total(None, true)), (1, 1));
    assert_eq!(total(Some((400, 600)), true), 0, "the cheap one is sold out");
    assert_eq!(total(Some((8_000, 9_500)), true), 1);
    assert_eq!(total(Some((1_000, 2_000)), false), 0, "no variant costs that");
}

fn chosen(choices: &[(&'static str, &'static str)]) -> Filters {
    let attributes = choices.iter().map(|(key, value)| (key_hash(key), vec![value_hash(key, value)])).collect();
    Filters { attributes, ..Filters::default() }
}

#[test]
fn choices_must_hold_for_one_variant() {
    let mut shirt = item("Shirt", "Acme", 0);
    shirt.variants = vec![(1_000, 5), (1_000, 0), (3_000, 5)];
    shirt.options = vec![vec![("Color", "Blue"), ("Size", "S")], vec![("Color", "Blue"), ("Size", "M")], vec![("Color", "Red"), ("Size", "XL")]];
    // An attribute of the whole says less than the variants do.
    shirt.attributes = vec![("color", "Blue"), ("fabric", "Cotton")];
    let shelf = Shelf::of(&[shirt]);
    let total = |filters| shelf.collect("shirt", &Collect { filters, ..all() }).total;
    assert_eq!(total(chosen(&[("color", "Blue"), ("size", "M"), ("fabric", "Cotton")])), 1);
    assert_eq!(total(chosen(&[("color", "Blue"), ("size", "XL")])), 0, "only red ones are that large");
    assert_eq!(total(Filters { available_only: true, ..chosen(&[("size", "M")]) }), 0, "sold out");
    assert_eq!(total(Filters { price: Some((2_000, 4_000)), ..chosen(&[("color", "Blue")]) }), 0, "blue ones are cheaper");
}

#[test]
fn facets_count_variants_as_filters_do() {
    let (colors, sizes) = (["Red", "Blue", "Green"], ["S", "M", "XL"]);
    let shirts: Vec<Item> = (0..40_usize)
        .map(|n| {
            let mut shirt = item("Shirt", ["Acme", "Bolt"][n % 2], 0);
            let variant = |v: usize| (n * 7 + v * 5) % 9;
            shirt.variants = (0..n % 4 + 1).map(|v| (i64::try_from(variant(v)).unwrap() * 1_000 + 500, i64::from((n + v) % 3 != 0))).collect();
            shirt.options = (0..n % 4 + 1).map(|v| vec![("Color", colors[variant(v) % 3]), ("Size", sizes[(n + v) % 3])]).collect();
            shirt
        })
        .collect();
    let shelf = Shelf::of(&shirts);
    let found = |filters: Filters| shelf.collect("", &Collect { filters, sort: Sort::Newest, ..all() });
    for filters in [
        Filters::default(),
        chosen(&[("color", "Blue")]),
        chosen(&[("color", "Blue"), ("size", "XL")]),
        Filters { available_only: true, price: Some((1_000, 5_000)), ..chosen(&[("size", "M")]) },
    ] {
        let counts = found(filters.clone()).counts;
        for (key, value) in colors.map(|color| ("color", color)).into_iter().chain(sizes.map(|size| ("size", size))) {
            let mut with = filters.clone();
            with.attributes.retain(|(other, _)| *other != key_hash(key));
            with.attributes.push((key_hash(key), vec![value_hash(key, value)]));
            let counted = counts.values.get(&value_hash(key, value)).map_or(0, |tally| tally.count);
            assert_eq!(counted, found(with).total, "{key}={value} under {filters:?}");
        }
        for brand in ["Acme", "Bolt"] {
            let counted = counts.brands.get(&brand_hash(brand)).map_or(0, |tally| tally.count);
            assert_eq!(counted, found(Filters { brands: vec![brand_hash(brand)], ..filters.clone() }).total, "{brand} under {filters:?}");
        }
        assert_eq!(counts.available, found(Filters { available_only: true, ..filters.clone() }).total, "available under {filters:?}");
        assert_eq!(counts.prices[0], found(Filters { price: Some((0, 999)), ..filters.clone() }).total, "cheap under {filters:?}");
    }
}

#[test]
fn brands_and_choices_are_known_to_queries() {
    let mut shirt = item("Shirt", "Red Bull", 0);
    shirt.options = vec![vec![("Color", "Light Blue"), ("Shoe size", "42")]];
    let known = Shelf::of(&[shirt, item("Mug", "Acme", 1)]).vocabulary.known;
    assert_eq!(known.brand(&["red", "bull"]), Some("Red Bull"));
    assert_eq!(known.plain(&["light", "blue"]).map(|choice| choice.key.as_str()), Some("color"));
    assert_eq!(known.named(&["shoe", "size", "42"]).map(|choice| choice.key.as_str()), Some("shoe_size"));
    assert_eq!(known.plain(&["42"]), None);
}

#[test]
fn what_sells_stands_before_its_like_and_not_before_what_is_meant() {
    let sold = |title: &str, sold| Item { sold, ..item(title, "Potter", 1_000) };
    let shelf = Shelf::of(&[sold("Blue Mug", 0), sold("Blue Mug", 40), sold("Mug Holder for a Blue Shelf with Hooks", 5_000), sold("Blue Mug", 7)]);
    let by = |sort| shelf.collect("blue mug", &Collect { sort, ..all() }).top;
    let relevant = by(Sort::Relevance);
    assert_eq!(relevant.iter().map(|found| found.address.doc_id).collect::<Vec<_>>(), [1, 3, 0, 2], "{relevant:?}");
    assert!(relevant[0].popularity > relevant[1].popularity && relevant[2].popularity == 1.0);
    assert_eq!(by(Sort::Popular).iter().map(|found| found.key).collect::<Vec<_>>(), [5_000, 40, 7, 0]);
}

#[test]
fn pages_neither_repeat_nor_skip() {
    let shelf = Shelf::of(&mugs());
    for sort in [Sort::Relevance, Sort::PriceUp, Sort::PriceDown, Sort::Newest, Sort::Popular] {
        let whole: Vec<u128> = shelf.collect("mug", &Collect { sort, limit: 100, ..all() }).top.iter().map(|hit| hit.id).collect();
        let mut paged = Vec::new();
        let mut after = None;
        loop {
            let page = shelf.collect("mug", &Collect { sort, limit: 7, after, ..all() });
            assert_eq!(page.total, 60);
            paged.extend(page.top.iter().map(|hit| hit.id));
            match page.top.last() {
                Some(last) => after = Some(After { key: last.key, id: last.id, step: 0, question: 0 }),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{sort:?}");
    }
}

#[test]
fn an_index_remembers_its_revision_and_a_damaged_one_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("search");
    let home = Home::open(root.clone()).unwrap();
    let mut writer = home.live().writer(HEAP).unwrap().unwrap();
    writer.add_document(document(&home.fields, &item("Mug", "Acme", 1).stored(1)).unwrap()).unwrap();
    commit(&mut writer, 42).unwrap();
    assert!(home.live().writer(HEAP).unwrap().is_none(), "there is one writer");
    drop((writer, home));
    let home = Home::open(root.clone()).unwrap();
    assert_eq!((home.live().revision(), home.live().searcher().num_docs()), (42, 1));
    let next = home.begin_next().unwrap();
    home.switch(next).unwrap();
    assert_eq!((home.live().revision(), home.live().searcher().num_docs()), (0, 0));
    drop(home);
    for entry in std::fs::read_dir(&root).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        std::fs::write(entry.path().join("meta.json"), "damaged").unwrap();
    }
    assert_eq!(Home::open(root).unwrap().live().revision(), 0);
}

mod quality;
