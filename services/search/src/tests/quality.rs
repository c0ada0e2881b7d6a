//! Products of a made-up shop, asked for as another shop would call them. `markethub eval search` measures the same on real feeds.

use super::*;

const MAKERS: [&str; 8] = ["Norden", "Halcyon", "Brightwell", "Kestrel", "Ostara", "Pinefield", "Quillon", "Tamarin"];
const THINGS: [(&str, &str); 8] = [
    ("Cordless Phone with Answering System", "Expandable Digital Telephone"),
    ("External Hard Drive", "Portable Hard Disk Drive"),
    ("LCD Television", "Flat Panel HD TV"),
    ("Laser Printer", "Network Laser Printer with Duplex"),
    ("Ink Cartridge", "Replacement Photo Ink"),
    ("Projector Lamp", "Lamp for Projectors"),
    ("Wireless Mouse", "Optical Mouse, Wireless"),
    ("Digital Camera", "Compact Camera"),
];
const COLORS: [&str; 4] = ["Black", "White", "Silver", "Blue"];

/// What is on the shelf, and what the same thing is called elsewhere.
fn named(number: usize) -> (Item, String) {
    let maker = MAKERS[number % MAKERS.len()];
    let (here, there) = THINGS[number / MAKERS.len() % THINGS.len()];
    let color = COLORS[number / 64 % COLORS.len()];
    let letters = ["KX", "DV", "MB", "SLP"][number % 4];
    let size = [8, 16, 32, 64][number / 3 % 4];
    let model = 1000 + number * 37 % 9000;
    let shelf = item(&format!("{maker} {letters}-{model}{} {here} {size} GB {color}", &color[..1]), maker, 1_000);
    let asked = format!("{maker} {color} {there}, {size}gb - {letters}{model}{}", &color[..1]);
    (shelf, asked)
}

/// The share of queries that find their product first.
fn found_first(shelf: &Shelf, queries: &[String]) -> f64 {
    let is_first = |(number, query): (usize, &String)| {
        let found = shelf.collect(query, &Collect { limit: 1, ..all() });
        found.top.first().is_some_and(|hit| hit.id == u128::try_from(number).unwrap() + 1)
    };
    let first = queries.iter().enumerate().filter(|asked| is_first(*asked)).count();
    f64::from(u32::try_from(first).unwrap()) / f64::from(u32::try_from(queries.len()).unwrap())
}

#[test]
fn a_product_is_found_by_what_another_shop_calls_it() {
    let (items, queries): (Vec<Item>, Vec<String>) = (0..256).map(named).unzip();
    let shelf = Shelf::of(&items);
    assert!(found_first(&shelf, &queries) >= 0.98, "{}", found_first(&shelf, &queries));
    let without_models: Vec<String> = queries.iter().map(|query| query.rsplit_once(" - ").unwrap().1.to_owned()).collect();
    assert!(found_first(&shelf, &without_models) >= 0.98, "by model number alone: {}", found_first(&shelf, &without_models));
    let swapped = |query: &String| {
        let mut letters: Vec<char> = query.chars().collect();
        letters.swap(1, 2);
        letters.into_iter().collect()
    };
    let misspelled: Vec<String> = queries.iter().map(swapped).collect();
    assert!(found_first(&shelf, &misspelled) >= 0.95, "with the maker misspelled: {}", found_first(&shelf, &misspelled));
}

#[test]
fn kinds_of_things_come_before_things_for_them() {
    let shelf = Shelf::of(&[
        item("Universal Projector Ceiling Mount", "Acme", 1),
        item("Projector Lamp", "Acme", 1),
        item("vp6110 Digital Projector", "Acme", 1),
        item("Lamp for mp2220 Projector", "Acme", 1),
        item("mp2220 Portable Digital Projector, White", "Acme", 1),
    ]);
    assert!(shelf.search("projector").iter().take(2).all(|title| title.contains("Digital Projector")), "{:?}", shelf.search("projector"));
    assert!(shelf.search("projector lamp").iter().take(2).all(|title| title.contains("Lamp")), "{:?}", shelf.search("projector lamp"));
}
