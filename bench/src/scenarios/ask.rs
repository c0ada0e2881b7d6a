//! Searches, no two of them the same, so that no answer is kept from the one before: the engine itself is measured.

use std::collections::HashSet;
use std::sync::Arc;

use http::Method;
use hyper::body::Bytes;

use super::open_loop;
use crate::demo::Dice;
use crate::engine::float;
use crate::http::{Caller, Http};
use crate::report::Report;
use crate::{BenchArgs, market};

/// Searches by words of titles found so far that lead to further titles.
const STEPS: usize = 150;
/// Titles that queries are made of, at most.
const TITLES: usize = 12_000;
/// How often a query that was there already is made anew before the titles are taken to be used up.
const TRIES: usize = 50;

pub(super) async fn search(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let mut dice = Dice(u64::from(std::process::id()));
    let titles = titles(http, &mut dice).await?;
    let wanted = usize::try_from(args.rate.unwrap_or(super::SEARCHES_PER_SECOND))? * usize::try_from(args.seconds + args.warm_up + 1)?;
    let queries = Arc::new(queries(&titles, wanted, &mut dice));
    anyhow::ensure!(queries.len() == wanted, "the titles have words for only {} different queries of {wanted}", queries.len());
    let what = format!("searches with facets, each query another one: two to four words of one of {} titles in any order", titles.len());
    let report = open_loop("search", what, super::SEARCHES_PER_SECOND, args, http, |number| {
        let (http, queries) = (http.clone(), Arc::clone(&queries));
        async move {
            let query = queries.get(usize::try_from(number)?).ok_or_else(|| anyhow::anyhow!("there is nothing left to ask for"))?;
            let path = format!("/v1/search?facets=true&limit=20&query={query}");
            http.send(Method::GET, &path, &Caller::default(), "", Bytes::new()).await?.ok(&path).map(drop)
        }
    });
    let report = report.await?;
    let found = market::found(http).await?;
    let figures = vec![("listings", format!("{found}")), ("different queries", format!("{:.0}", float(u64::try_from(wanted)?)))];
    Ok(Report { figures, ..report })
}

/// Titles from all over the catalog: what is found by words of what was found.
async fn titles(http: &Http, dice: &mut Dice) -> anyhow::Result<Vec<String>> {
    let mut titles: Vec<String> = market::sellables(http).await?.into_iter().map(|sellable| sellable.title).collect();
    let mut known: HashSet<String> = titles.iter().cloned().collect();
    for _ in 0..STEPS {
        let word = dice.one_of(&titles).and_then(|title| dice.one_of(&words(title)).map(|word| (*word).to_owned())).unwrap_or_default();
        titles.extend(market::titles(http, &word).await?.into_iter().filter(|title| known.insert(title.clone())));
        if titles.len() >= TITLES {
            break;
        }
    }
    Ok(titles)
}

fn queries(titles: &[String], wanted: usize, dice: &mut Dice) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut queries = Vec::with_capacity(wanted);
    let mut failed = 0;
    while queries.len() < wanted && failed < TRIES {
        match dice.one_of(titles).map(|title| query(title, dice)).filter(|query| seen.insert(query.clone())) {
            Some(query) => {
                queries.push(query);
                failed = 0;
            }
            None => failed += 1,
        }
    }
    queries
}

/// Two words of a title more often than three, and three than four, as buyers ask.
fn query(title: &str, dice: &mut Dice) -> String {
    let mut left = words(title);
    let count = [2, 2, 2, 3, 3, 4].get(usize::try_from(dice.below(6)).unwrap_or_default()).copied().unwrap_or(2);
    let mut chosen = Vec::with_capacity(count);
    while chosen.len() < count && !left.is_empty() {
        let at = usize::try_from(dice.below(u32::try_from(left.len()).unwrap_or(1))).unwrap_or_default();
        chosen.push(left.swap_remove(at));
    }
    chosen.join("%20")
}

fn words(title: &str) -> Vec<&str> {
    let mut words: Vec<&str> = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() > 1).collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_query_is_asked_twice() {
        let titles = ["Kestrel quiet desk lamp KX-4821, black".to_owned(), "Halden floor lamp".to_owned()];
        let asked = queries(&titles, 40, &mut Dice(1));
        let different: HashSet<&String> = asked.iter().collect();
        assert_eq!((asked.len(), different.len()), (40, 40));
        assert!(asked.iter().all(|query| (2..=4).contains(&query.split("%20").count())), "{asked:?}");
        // Three words can be asked for in a limited number of ways.
        assert!(queries(&titles[1..], 100, &mut Dice(1)).len() < 20);
    }
}
