//! What buyers search for and do not find, the words that mean the same, and the index.

use api_search::{
    DeleteSynonymsRequest, GetIndexStatusRequest, GetIndexStatusResponse, ListQueriesRequest, ListSynonymsRequest, QueryCount, ReindexRequest,
    SearchRequest, SearchResponse, SetSynonymsRequest, SynonymRule,
};
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use kit_rpc::problem_of;
use maud::{Markup, html};
use tonic::Status;

use super::{console, link, moment, staff};
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::form;
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

const HERE: &str = "/operator/search";
const QUERIES: u32 = 30;
const RULES: u32 = 50;
/// Hits of each word that a preview shows, and words it looks at.
const PREVIEWED: u32 = 3;
const PREVIEWED_WORDS: usize = 6;

/// What the page takes from its address: a rule to look at before it is saved, and where the list of rules goes on.
#[derive(Debug, Default, Clone, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    term: String,
    synonyms: String,
    cursor: String,
}

/// What a word finds now.
struct Preview {
    word: String,
    found: SearchResponse,
}

struct View {
    index: GetIndexStatusResponse,
    missed: Vec<QueryCount>,
    popular: Vec<QueryCount>,
    rules: Vec<SynonymRule>,
    next_rules: String,
    wanted: Wanted,
    previews: Vec<Preview>,
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Query(wanted): Query<Wanted>) -> Page {
    staff(&here)?;
    let queries = |nothing_found| ListQueriesRequest { nothing_found, limit: QUERIES };
    let rules = ListSynonymsRequest { limit: RULES, cursor: wanted.cursor.clone() };
    let (mut one, mut two, mut three, mut four) = (site.search.clone(), site.search.clone(), site.search.clone(), site.search.clone());
    let (index, missed, popular, rules) = tokio::join!(
        one.get_index_status(here.ctx.request(GetIndexStatusRequest {})),
        two.list_queries(here.ctx.request(queries(true))),
        three.list_queries(here.ctx.request(queries(false))),
        four.list_synonyms(here.ctx.request(rules)),
    );
    let rules = rules?.into_inner();
    let view = View {
        index: index?.into_inner(),
        missed: missed?.into_inner().queries,
        popular: popular?.into_inner().queries,
        rules: rules.rules,
        next_rules: rules.next_cursor,
        previews: previews(&site, &here, &wanted).await?,
        wanted,
    };
    Ok(page(&here, &view).into_response())
}

/// What the term and each of its synonyms find as they are.
async fn previews(site: &Web, here: &Here, wanted: &Wanted) -> Result<Vec<Preview>, Status> {
    let mut previews = Vec::new();
    if wanted.synonyms.trim().is_empty() {
        return Ok(previews);
    }
    let words = std::iter::once(wanted.term.trim().to_owned()).chain(words_of(&wanted.synonyms));
    for word in words.filter(|word| !word.is_empty()).take(PREVIEWED_WORDS) {
        let request = SearchRequest { query: word.chars().take(60).collect(), limit: PREVIEWED, ..SearchRequest::default() };
        let found = site.search.clone().search(here.ctx.request(request)).await?.into_inner();
        previews.push(Preview { word, found });
    }
    Ok(previews)
}

fn words_of(list: &str) -> impl Iterator<Item = String> + '_ {
    list.split(',').map(|word| word.trim().to_owned()).filter(|word| !word.is_empty())
}

pub(crate) async fn save(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    staff(&here)?;
    let request = SetSynonymsRequest { term: form.text("term"), synonyms: words_of(form.get("synonyms")).collect() };
    Ok(match site.search.clone().set_synonyms(here.ctx.request(request)).await {
        Ok(saved) => {
            let rule = saved.into_inner();
            site.redirect(HERE, Tone::Good, &format!("“{}” also finds {}.", rule.term, rule.synonyms.join(", ")))
        }
        Err(status) => {
            let problem = problem_of(&status);
            let told = problem.violations.first().map_or(problem.message.clone(), |violation| format!("{}: {}", violation.field, violation.message));
            let back = link(HERE, &[("term", form.get("term")), ("synonyms", form.get("synonyms"))]);
            site.redirect(&back, Tone::Bad, &told)
        }
    })
}

pub(crate) async fn forget(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    staff(&here)?;
    let term = form.text("term");
    Ok(match site.search.clone().delete_synonyms(here.ctx.request(DeleteSynonymsRequest { term: term.clone() })).await {
        Ok(_) => site.redirect(HERE, Tone::Good, &format!("“{term}” finds only itself again.")),
        Err(status) => site.redirect(HERE, Tone::Bad, &problem_of(&status).message),
    })
}

pub(crate) async fn rebuild(State(site): State<Web>, here: Here, Posted(_): Posted) -> Page {
    staff(&here)?;
    Ok(match site.search.clone().reindex(here.ctx.request(ReindexRequest {})).await {
        Ok(begun) => {
            let listings = show::counted(begun.into_inner().listings, "listing", "listings");
            site.redirect(HERE, Tone::Good, &format!("A new index of {listings} is being built; the old one serves until it is complete."))
        }
        Err(status) => site.redirect(HERE, Tone::Bad, &problem_of(&status).message),
    })
}

fn page(visit: &Visit, view: &View) -> Markup {
    let rebuild = form::post(
        visit,
        "/operator/search/rebuild",
        html! { button.btn.outline type="submit" disabled[view.index.rebuilding] { (ui::icon("refresh-cw")) (if view.index.rebuilding { "Rebuilding …" } else { "Rebuild the index" }) } },
    );
    let body = html! {
        (index(&view.index))
        div.with-aside {
            div.stack.loose {
                (queries("Searched for, nothing found", &view.missed, "Every query found something", true))
                (queries("Searched for most", &view.popular, "Nobody has searched yet", false))
            }
            aside.stack.loose { (editor(visit, view)) (rules(visit, view)) }
        }
    };
    console(visit, HERE, "Search", "What buyers look for, what they do not find, and which words mean the same.", rebuild, body)
}

fn index(index: &GetIndexStatusResponse) -> Markup {
    let behind = index.listing_revision > index.index_revision;
    let state = if index.rebuilding {
        "rebuilding"
    } else if behind {
        "catching up"
    } else {
        "up to date"
    };
    let stat = |icon: &str, name: &str, value: String| {
        html! { div.stat { span.name { (ui::icon(icon)) (name) } span.value { (value) } } }
    };
    html! {
        div.stats.mb6 {
            (stat("boxes", "Listings in the index", show::count(index.documents)))
            (stat("database", "Size on disk", show::bytes(index.bytes_on_disk)))
            (stat("activity", "State", state.to_owned()))
        }
    }
}

fn queries(title: &str, found: &[QueryCount], none: &str, mend: bool) -> Markup {
    html! {
        section.card.flush {
            header { h2 { (title) } }
            @if found.is_empty() { (ui::empty("search", none, "Queries appear here a few seconds after they are made.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Query" } th.num scope="col" { "Searches" } th.num scope="col" { "Found" } th scope="col" { "Last" } @if mend { th scope="col" { span.sr { "Mend" } } } } }
                    tbody {
                        @for entry in found {
                            tr {
                                th scope="row" { a href=(link("/search", &[("q", &entry.query)])) { (entry.query) } }
                                td.num data-label="Searches" { (entry.searches) }
                                td.num data-label="Found" { (entry.found) }
                                td data-label="Last" { (moment(entry.last_at.as_ref())) }
                                @if mend { td { a.btn.outline.small href={ (link(HERE, &[("term", &entry.query)])) "#rule" } { "Add synonyms" } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn editor(visit: &Visit, view: &View) -> Markup {
    let wanted = &view.wanted;
    html! {
        section.card.stack #rule {
            h2 { "Words that mean the same" }
            p.small.hush { "Who searches for the first also finds what has one of the others." }
            form.stack method="post" action="/operator/search/synonyms" {
                (form::csrf(visit))
                div.field { label for="term" { "Word or phrase" } input.input #term name="term" value=(wanted.term) required maxlength="60" placeholder="notebook"; }
                div.field { label for="synonyms" { "Also finds" } input.input #synonyms name="synonyms" value=(wanted.synonyms) required maxlength="600" placeholder="laptop, portable computer"; }
                div.row {
                    button.btn type="submit" { "Save" }
                    button.btn.outline type="submit" formaction=(HERE) formmethod="get" { (ui::icon("eye")) "Preview" }
                }
            }
            @for preview in &view.previews { (previewed(preview)) }
        }
    }
}

fn previewed(preview: &Preview) -> Markup {
    let found = &preview.found;
    html! {
        div {
            p { strong { "“" (preview.word) "”" } " finds " (show::counted(found.total, "product", "products")) @if found.relaxed || found.corrected { span.hush { ", none with exactly this" } } }
            ul.small.soft-ink { @for hit in &found.hits { li { (hit.title) } } }
        }
    }
}

fn rules(visit: &Visit, view: &View) -> Markup {
    html! {
        section.card.flush {
            header { h2 { "Rules in force" } }
            @if view.rules.is_empty() { (ui::empty("tags", "No rules yet", "Start with what buyers search for and do not find.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Word" } th scope="col" { "Also finds" } th scope="col" { span.sr { "Change" } } } }
                    tbody {
                        @for rule in &view.rules {
                            tr {
                                th scope="row" { a href={ (link(HERE, &[("term", &rule.term), ("synonyms", &rule.synonyms.join(", "))])) "#rule" } { (rule.term) } }
                                td data-label="Also finds" { (rule.synonyms.join(", ")) }
                                td { (form::post(visit, "/operator/search/synonyms/forget", html! { input type="hidden" name="term" value=(rule.term); button.btn.outline.small type="submit" { (ui::icon("trash-2")) "Forget" } })) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!view.next_rules.is_empty()).then(|| link(HERE, &[("cursor", &view.next_rules)])).as_deref()))
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let counted = |query: &str, searches, found| QueryCount { query: query.to_owned(), searches, found, last_at: None };
    let hit = api_search::Hit { title: "Compaq 6530b Notebook PC".to_owned(), ..Default::default() };
    let full = View {
        index: GetIndexStatusResponse { documents: 31_000, listing_revision: 9, index_revision: 9, rebuilding: false, bytes_on_disk: 48_000_000 },
        missed: vec![counted("labtop", 41, 0)],
        popular: vec![counted("wireless mouse", 412, 37), counted("labtop", 41, 0)],
        rules: vec![SynonymRule { term: "laptop".to_owned(), synonyms: vec!["notebook".to_owned()], changed_at: None }],
        next_rules: "laptop".to_owned(),
        wanted: Wanted { term: "laptop".to_owned(), synonyms: "notebook".to_owned(), cursor: String::new() },
        previews: vec![Preview { word: "notebook".to_owned(), found: SearchResponse { hits: vec![hit], total: 12, ..Default::default() } }],
    };
    let empty = View {
        index: GetIndexStatusResponse { rebuilding: true, ..Default::default() },
        missed: Vec::new(),
        popular: Vec::new(),
        rules: Vec::new(),
        next_rules: String::new(),
        wanted: Wanted::default(),
        previews: Vec::new(),
    };
    vec![("operator-search", page(&operator(), &full)), ("operator-search-none", page(&operator(), &empty))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synonyms_are_typed_with_commas() {
        assert_eq!(words_of(" laptop,, portable computer ,").collect::<Vec<_>>(), ["laptop", "portable computer"]);
    }
}
