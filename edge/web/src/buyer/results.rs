//! A list of found listings with its filters: the same on search, category and store pages.

use api_search::{Facet, FacetValue, SearchResponse, SortOrder, Understood};
use kit_core::{Currency, Money};
use maud::{Markup, html};

use crate::buyer::query::{Query, SORTS};
use crate::ui::{self, Tone, icon, show};

/// Values of a facet shown before they scroll.
const FACET_VALUES: usize = 40;

pub(crate) struct Results {
    pub(crate) query: Query,
    /// Of prices that are filtered by.
    pub(crate) currency: Currency,
    pub(crate) found: SearchResponse,
    /// Facets left out because the page itself says them: "seller" on a store page.
    pub(crate) hidden: &'static [&'static str],
}

/// `#results` is what htmx swaps when a filter changes; without a script the form is sent by its button.
pub(crate) fn view(results: &Results) -> Markup {
    let (query, found) = (&results.query, &results.found);
    html! {
        form #results.with-aside.left action=(query.base) method="get" hx-get=(query.base) hx-trigger="change, submit" hx-target="#results" hx-select="#results" hx-swap="outerHTML" hx-push-url="true" {
            @if !query.words.is_empty() { input type="hidden" name="q" value=(query.words); }
            @if !query.category.is_empty() { input type="hidden" name="category" value=(query.category); }
            div {
                input.filter-switch.sr #filter-switch type="checkbox" aria-label="Show filters";
                label.filter-toggle for="filter-switch" aria-hidden="true" {
                    (icon("sliders-horizontal")) "Filters"
                    @if query.filtered() { span.count { (query.filter_count()) } }
                }
                div.filters aria-label="Filters" role="group" {
                    h2.sr { "Filters" }
                    @for facet in found.facets.iter().filter(|facet| !results.hidden.contains(&facet.field.as_str())) { (facet_view(query, facet)) }
                    (price_view(query, found, results.currency))
                    button.btn.outline.small.mt2.no-js type="submit" { "Apply" }
                }
            }
            div {
                (bar(results))
                (chips(results))
                (notices(query, found))
                h2.sr { "Products" }
                div #list {
                    @if found.hits.is_empty() {
                        (ui::empty("search", "Nothing matches", "Try fewer or other words, or take some filters off.", query.filtered().then(|| query.without_filters()).as_deref().map(|address| (address, "Clear all filters"))))
                    } @else {
                        (ui::product_grid(&found.hits))
                        (more(query, &found.next_cursor))
                    }
                }
            }
        }
    }
}

fn bar(results: &Results) -> Markup {
    let (query, found) = (&results.query, &results.found);
    html! {
        div.results-bar {
            p.small.soft-ink role="status" { (show::counted(found.total, "product", "products")) }
            div.tools {
                label.sr for="sort" { "Sort by" }
                select.select-inline #sort name="sort" {
                    @for (value, label) in SORTS { option value=(value) selected[query.sort == value] { (label) } }
                }
            }
        }
    }
}

/// Each filter that is on, as a link that takes it off.
fn chips(results: &Results) -> Markup {
    let query = &results.query;
    let sign = show::symbol(results.currency);
    if !query.filtered() && results.found.understood.is_empty() {
        return Markup::default();
    }
    let label_of = |field: &str, value: &str| {
        let values = results.found.facets.iter().filter(|facet| facet.field == field).flat_map(|facet| &facet.values);
        values.into_iter().find(|known| known.value == value).map_or_else(|| value.to_owned(), |known| known.label.clone())
    };
    let mut chips: Vec<(String, String)> = Vec::new();
    for understood in &results.found.understood {
        chips.push((understood_label(understood, results.currency), query.changed(|query| query.words = without(&query.words, &understood.words))));
    }
    for brand in &query.brands {
        chips.push((brand.clone(), query.changed(|query| query.brands.retain(|other| other != brand))));
    }
    for seller in results.query.sellers.iter().filter(|_| !results.hidden.contains(&"seller")) {
        chips.push((label_of("seller", seller), query.changed(|query| query.sellers.retain(|other| other != seller))));
    }
    for attribute in &query.attributes {
        let shown = value_of(attribute).to_owned();
        chips.push((shown, query.changed(|query| query.attributes.retain(|other| other != attribute))));
    }
    if !query.category.is_empty() {
        chips.push((label_of("category", &query.category), query.changed(|query| query.category.clear())));
    }
    if !query.min.is_empty() {
        chips.push((format!("From {sign}{}", query.min), query.changed(|query| query.min.clear())));
    }
    if !query.max.is_empty() {
        chips.push((format!("Up to {sign}{}", query.max), query.changed(|query| query.max.clear())));
    }
    if query.available {
        chips.push(("In stock".to_owned(), query.changed(|query| query.available = false)));
    }
    html! {
        ul.chips aria-label="Active filters" {
            @for (label, address) in &chips { li { a.chip.on href=(address) { span { (label) } (icon("x")) span.sr { ", take off" } } } }
            @if chips.len() > 1 { li { a.chip href=(query.without_filters()) { "Clear all" } } }
        }
    }
}

/// "color=Black" → "Black".
fn value_of(attribute: &str) -> &str {
    attribute.split_once('=').map_or(attribute, |(_, value)| value)
}

/// A limit that was said among the words.
fn understood_label(understood: &Understood, currency: Currency) -> String {
    let shown = |minor: i64| show::money(Money::new(minor, currency)).trim_end_matches(".00").to_owned();
    match (understood.price_min_minor, understood.price_max_minor) {
        (Some(low), Some(high)) => format!("{} – {}", shown(low), shown(high)),
        (None, Some(high)) => format!("Up to {}", shown(high)),
        (Some(low), None) => format!("From {}", shown(low)),
        (None, None) if understood.available_only => "In stock".to_owned(),
        (None, None) if !understood.brand.is_empty() => understood.brand.clone(),
        (None, None) if !understood.attribute.is_empty() => value_of(&understood.attribute).to_owned(),
        (None, None) => match understood.sort() {
            SortOrder::PriceAsc => "Cheapest first".to_owned(),
            SortOrder::Newest => "Newest first".to_owned(),
            SortOrder::Popular => "Most bought first".to_owned(),
            _ => understood.words.clone(),
        },
    }
}

/// The query without some of its words.
fn without(query: &str, words: &str) -> String {
    let spaced = query.split_whitespace().collect::<Vec<_>>().join(" ");
    spaced.replacen(words, "", 1).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the engine did to the words, so that nobody wonders.
fn notices(query: &Query, found: &SearchResponse) -> Markup {
    let suggested = query.changed(|query| query.words.clone_from(&found.did_you_mean));
    html! {
        @if found.corrected {
            div.mb4 {
                (ui::notice(Tone::Info, html! { "Showing results for " strong { (found.did_you_mean) } ", because nothing matches “" (query.words) "”." }))
            }
        } @else if !found.did_you_mean.is_empty() {
            div.mb4 { (ui::notice(Tone::Info, html! { "Did you mean " a href=(suggested) { strong { (found.did_you_mean) } } "?" })) }
        }
        @if found.relaxed {
            div.mb4 {
                (ui::notice(Tone::Info, html! { "Nothing has all of your words. These match without " @for (index, word) in found.dropped_words.iter().enumerate() { @if index > 0 { ", " } s { (word) } } "." }))
            }
        }
    }
}

/// The next page: added below by htmx, a page of its own without.
fn more(query: &Query, cursor: &str) -> Markup {
    let next = Query { cursor: cursor.to_owned(), ..query.clone() }.href();
    let first = query.changed(|_| {});
    html! {
        nav.pager #more aria-label="Pages" {
            @if !query.cursor.is_empty() { a.btn.outline href=(first) { "First page" } }
            @if !cursor.is_empty() {
                a.btn.outline rel="next" href=(next) hx-get=(next) hx-trigger="click" hx-target="#more" hx-select="#list > *" hx-swap="outerHTML" hx-push-url="false" {
                    "Show more" (icon("chevron-down"))
                }
            }
        }
    }
}

fn facet_view(query: &Query, facet: &Facet) -> Markup {
    let shown = || facet.values.iter().take(FACET_VALUES);
    match facet.field.as_str() {
        "price" => Markup::default(),
        "category" => html! {
            @if !facet.values.is_empty() {
                details.fold open {
                    summary { "Category" }
                    div.options {
                        @for value in shown() {
                            a href=(category_link(query, value)) aria-current=[value.selected.then_some("true")] {
                                span { (value.label) }
                                span.tally { (show::count(value.count)) }
                            }
                        }
                    }
                }
            }
        },
        "availability" => html! {
            details.fold open {
                summary { "Availability" }
                @let count = facet.values.iter().find(|value| value.value == "true").map(|value| value.count);
                label.check {
                    input #facet-available type="checkbox" name="available" value="true" checked[query.available];
                    span { "In stock" }
                    @if let Some(count) = count { span.tally { (show::count(count)) } }
                }
            }
        },
        "brand" => boxes(facet, "brand", true, |value| (value.value.clone(), query.brands.contains(&value.value))),
        "seller" => boxes(facet, "seller", query.sellers.is_empty(), |value| (value.value.clone(), query.sellers.contains(&value.value))),
        field => {
            let key = field.strip_prefix("attribute:").unwrap_or(field);
            boxes(facet, "attr", false, |value| {
                let filter = format!("{key}={}", value.value);
                let on = query.attributes.contains(&filter);
                (filter, on)
            })
        }
    }
}

/// Inside a category page its own categories are pages; on a search they narrow the search.
fn category_link(query: &Query, value: &FacetValue) -> String {
    if query.base.starts_with("/c/") && !value.value.is_empty() {
        return query.changed(|query| query.base = format!("/c/{}", value.value));
    }
    query.changed(|query| if value.selected { query.category.clear() } else { query.category.clone_from(&value.value) })
}

fn boxes(facet: &Facet, name: &str, open: bool, filter: impl Fn(&FacetValue) -> (String, bool)) -> Markup {
    let values: Vec<_> = facet.values.iter().take(FACET_VALUES).map(|value| (value, filter(value))).collect();
    let any_on = values.iter().any(|(_, (_, on))| *on);
    html! {
        @if !values.is_empty() {
            details.fold open[open || any_on] {
                summary { (facet.label) }
                div.options {
                    @for (index, (value, (filter, on))) in values.iter().enumerate() {
                        label.check {
                            input id={ "facet-" (facet.field.replace([':', ' '], "-")) "-" (index) } type="checkbox" name=(name) value=(filter) checked[*on];
                            span { (value.label) }
                            span.tally { (show::count(value.count)) }
                        }
                    }
                }
            }
        }
    }
}

fn price_view(query: &Query, found: &SearchResponse, currency: Currency) -> Markup {
    let buckets = found.facets.iter().find(|facet| facet.field == "price").map_or(&[][..], |facet| facet.values.as_slice());
    let sign = show::symbol(currency);
    html! {
        details.fold open {
            summary { "Price" }
            div.price-range {
                label.sr for="price-min" { "Lowest price in " (currency) }
                input.input #price-min name="min" value=(query.min) inputmode="decimal" placeholder={ (sign) " min" } autocomplete="off";
                span.hush aria-hidden="true" { "–" }
                label.sr for="price-max" { "Highest price in " (currency) }
                input.input #price-max name="max" value=(query.max) inputmode="decimal" placeholder={ (sign) " max" } autocomplete="off";
            }
            @if !buckets.is_empty() {
                @let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(1).max(1);
                div.options.histogram {
                    @for bucket in buckets.iter().filter(|bucket| bucket.count > 0) {
                        a href=(bucket_link(query, bucket, currency)) aria-current=[bucket.selected.then_some("true")] {
                            span { (bucket_label(bucket, currency)) }
                            meter min="0" max=(most) value=(bucket.count) aria-hidden="true" {}
                            span.tally { (show::count(bucket.count)) }
                        }
                    }
                }
            }
        }
    }
}

fn bucket_link(query: &Query, bucket: &FacetValue, currency: Currency) -> String {
    let text = |minor: i64| if minor > 0 { Money::new(minor, currency).decimal() } else { String::new() };
    query.changed(|query| {
        query.min = text(bucket.from_minor);
        query.max = text(bucket.to_minor);
    })
}

/// "Under $25", "$25 – $100", "$100 and over".
fn bucket_label(bucket: &FacetValue, currency: Currency) -> String {
    let shown = |minor: i64| show::money(Money::new(minor, currency)).trim_end_matches(".00").to_owned();
    match (bucket.from_minor, bucket.to_minor) {
        (from, 0) => format!("{} and over", shown(from)),
        (0, to) => format!("Under {}", shown(to)),
        (from, to) => format!("{} – {}", shown(from), shown(to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_a_limit_off_leaves_the_other_words() {
        assert_eq!(without("red  shoes under $50 in stock", "under $50"), "red shoes in stock");
        assert_eq!(without("cheapest laptop", "cheapest"), "laptop");
    }

    #[test]
    fn a_limit_is_told_in_its_own_words() {
        let price = |price_min_minor, price_max_minor| Understood { price_min_minor, price_max_minor, ..Understood::default() };
        assert_eq!(understood_label(&price(None, Some(5_000)), Currency::USD), "Up to $50");
        assert_eq!(understood_label(&price(Some(1_050), Some(2_000)), Currency::USD), "$10.50 – $20");
        assert_eq!(understood_label(&Understood { brand: "Sony".to_owned(), ..Understood::default() }, Currency::USD), "Sony");
        assert_eq!(understood_label(&Understood { attribute: "color=Red".to_owned(), ..Understood::default() }, Currency::USD), "Red");
        assert_eq!(understood_label(&Understood { available_only: true, ..Understood::default() }, Currency::USD), "In stock");
    }
}
