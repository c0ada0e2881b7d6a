//! Searching all shops, one category, or one store.

use api_catalog::{Category, GetCategoryRequest, ListCategoriesRequest};
use api_search::{SuggestRequest, Suggestion, SuggestionKind};
use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use crate::behaviour;
use crate::buyer::query::Query;
use crate::buyer::results::{self, Results};
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Head, icon};
use crate::visit::Visit;

pub(crate) async fn show(State(site): State<Web>, here: Here, RawQuery(raw): RawQuery) -> Page {
    let query = Query::parse("/search", raw.as_deref());
    let found = site.search.clone().search(here.ctx.request(query.request(site.settings.currency))).await?.into_inner();
    site.note(&here, behaviour::searched(&query.words));
    Ok(view(&here, &Results { query, currency: site.settings.currency, found, hidden: &[] }).into_response())
}

pub(crate) fn view(visit: &Visit, results: &Results) -> Markup {
    let words = &results.query.words;
    let title = if words.is_empty() { "All products".to_owned() } else { format!("“{words}”") };
    let head = Head { title: &title, query: words, tab: "search", canonical: if words.is_empty() { "/search" } else { "" }, ..Head::default() };
    ui::page(visit, &head, html! { div.page-head { h1 { (title) } } (results::view(results)) })
}

/// A category with what is below it and its listings.
pub(crate) struct CategoryPage {
    pub(crate) category: Category,
    pub(crate) ancestors: Vec<Category>,
    pub(crate) children: Vec<Category>,
    pub(crate) results: Results,
}

pub(crate) async fn show_category(State(site): State<Web>, here: Here, Path(id): Path<String>, RawQuery(raw): RawQuery) -> Page {
    let query = Query::parse(&format!("/c/{id}"), raw.as_deref());
    let mut request = query.request(site.settings.currency);
    request.category_id.clone_from(&id);
    let (mut search, mut catalog, mut catalog_too) = (site.search.clone(), site.catalog.clone(), site.catalog.clone());
    let (found, category, children) = tokio::join!(
        search.search(here.ctx.request(request)),
        catalog.get_category(here.ctx.request(GetCategoryRequest { category: id.clone() })),
        catalog_too.list_categories(here.ctx.request(ListCategoriesRequest { parent: id.clone(), ..Default::default() })),
    );
    let category = category?.into_inner();
    let children = children?.into_inner().categories;
    let results = Results {
        query,
        currency: site.settings.currency,
        found: found?.into_inner(),
        hidden: if children.is_empty() { &["category"] } else { &[] },
    };
    let page = CategoryPage { category: category.category.unwrap_or_default(), ancestors: category.ancestors, children, results };
    Ok(view_category(&here, &page).into_response())
}

pub(crate) fn view_category(visit: &Visit, page: &CategoryPage) -> Markup {
    let name = &page.category.name;
    let top = page.ancestors.first().map_or(page.category.category_id.as_str(), |top| top.category_id.as_str());
    let canonical = format!("/c/{}", page.category.category_id);
    let way: Vec<(String, String)> = page.ancestors.iter().map(|step| (format!("/c/{}", step.category_id), step.name.clone())).collect();
    let head = Head { title: name, category: top, tab: "search", canonical: &canonical, query: &page.results.query.words, ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            @if !way.is_empty() { (ui::crumbs(&way, name)) }
            div.page-head { h1 { (name) } }
            @if !page.children.is_empty() {
                ul.chips aria-label="Narrower" {
                    @for child in &page.children { li { a.chip href={ "/c/" (child.category_id) } { span { (child.name) } } } }
                }
            }
            (results::view(&page.results))
        },
    )
}

/// Completions for the search field, as a fragment.
pub(crate) async fn suggest(State(site): State<Web>, here: Here, RawQuery(raw): RawQuery) -> Page {
    let query = Query::parse("/search", raw.as_deref()).words;
    if query.is_empty() {
        return Ok(Markup::default().into_response());
    }
    let request = SuggestRequest { query: query.chars().take(100).collect(), limit: 9, ..Default::default() };
    let answer = site.search.clone().suggest(here.ctx.request(request)).await?.into_inner();
    Ok(suggestions(&answer.suggestions).into_response())
}

pub(crate) fn suggestions(found: &[Suggestion]) -> Markup {
    let link = |suggestion: &Suggestion| match suggestion.kind() {
        SuggestionKind::Product => ui::product_url(&suggestion.id, &suggestion.slug),
        SuggestionKind::Category => format!("/c/{}", suggestion.id),
        SuggestionKind::Brand => Query { base: "/search".to_owned(), brands: vec![suggestion.text.clone()], ..Query::default() }.href(),
        SuggestionKind::Query | SuggestionKind::Unspecified => {
            Query { base: "/search".to_owned(), words: suggestion.text.clone(), ..Query::default() }.href()
        }
    };
    html! {
        @for suggestion in found {
            a href=(link(suggestion)) {
                @match suggestion.kind() {
                    SuggestionKind::Product => (ui::picture(&suggestion.media_hash, "", &suggestion.text, ui::IN_ROW)),
                    SuggestionKind::Category => (icon("layout-grid")),
                    SuggestionKind::Brand => (icon("tag")),
                    SuggestionKind::Query | SuggestionKind::Unspecified => (icon("search")),
                }
                span.clamp-1 { (suggestion.text) }
                @match suggestion.kind() {
                    SuggestionKind::Category => { span.tiny.hush { "Department" } },
                    SuggestionKind::Brand => { span.tiny.hush { "Brand" } },
                    _ => {},
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{facets, hits};
    use crate::visit::sample;
    use api_search::{SearchResponse, Understood};
    use kit_core::Currency;
    let query = |raw: &str| Query::parse("/search", Some(raw));
    let found = |hits: Vec<api_search::Hit>| SearchResponse {
        total: u64::try_from(hits.len()).unwrap() * 37,
        hits,
        next_cursor: "bmV4dA".to_owned(),
        facets: facets(),
        ..SearchResponse::default()
    };
    let relaxed =
        SearchResponse { relaxed: true, dropped_words: vec!["purple".to_owned()], did_you_mean: "kensington lock".to_owned(), ..found(hits()) };
    let limited = SearchResponse {
        understood: vec![
            Understood { words: "under $50".to_owned(), price_max_minor: Some(5_000), ..Understood::default() },
            Understood { words: "in stock".to_owned(), available_only: true, ..Understood::default() },
            Understood { words: "red".to_owned(), attribute: "color=Red".to_owned(), ..Understood::default() },
            Understood { words: "from sony".to_owned(), brand: "Sony".to_owned(), ..Understood::default() },
        ],
        ..found(hits())
    };
    let category = |id: &str, name: &str| Category { category_id: id.to_owned(), name: name.to_owned(), ..Category::default() };
    let top = sample::nobody().categories[0].id.clone();
    let in_category = CategoryPage {
        category: category("cat_00000000000000000000000000000099", "Headphones"),
        ancestors: vec![category(&top, "Electronics"), category("cat_00000000000000000000000000000098", "Audio")],
        children: vec![category("cat_00000000000000000000000000000097", "Over-ear"), category("cat_00000000000000000000000000000096", "In-ear")],
        results: Results {
            query: Query::parse("/c/cat_00000000000000000000000000000099", None),
            currency: Currency::USD,
            found: found(hits()),
            hidden: &[],
        },
    };
    vec![
        (
            "search",
            view(
                &sample::nobody(),
                &Results {
                    query: query("q=wireless+headphones&brand=Sony&min=20&available=true"),
                    currency: Currency::USD,
                    found: found(hits()),
                    hidden: &[],
                },
            ),
        ),
        (
            "search-limited",
            view(
                &sample::nobody(),
                &Results { query: query("q=red+headphones+from+sony+under+%2450++in+stock"), currency: Currency::USD, found: limited, hidden: &[] },
            ),
        ),
        (
            "search-relaxed",
            view(&sample::buyer(), &Results { query: query("q=purple+kensingtn+lock"), currency: Currency::USD, found: relaxed, hidden: &[] }),
        ),
        (
            "search-empty",
            view(
                &sample::nobody(),
                &Results { query: query("q=zzzz&brand=Sony"), currency: Currency::USD, found: SearchResponse::default(), hidden: &[] },
            ),
        ),
        ("category", view_category(&sample::nobody(), &in_category)),
    ]
}
