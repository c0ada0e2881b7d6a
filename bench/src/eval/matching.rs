//! `eval matching`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use futures::{StreamExt, TryStreamExt};

use super::data::{self, PAIRINGS, Pairing, Row};
use super::measure::f1;
use super::search::question;
use super::shop::Shop;
use crate::http::{Caller, Http};

const AT_ONCE: usize = 4;
/// Two products match when the mean of both scores is at least this; the same for all shops.
const THRESHOLD: f64 = 20.0;

const DEFINITIONS: &str = "
Each row of one shop is asked for in the other (GET /v1/search, by title or name, model number and brand), and its first hit back. Two rows
match when each is the other's first hit and the mean of the two scores reaches one threshold for all shops.
Only some of the true pairs are known here, so a match counts as wrong when one of its rows belongs to a known pair and the match is
another; matches of rows of which nothing is known are not counted. \"At most wrong\" counts those as wrong too.
";

/// Rows by their ids.
type Rows = BTreeMap<String, Row>;

struct Match {
    from: String,
    to: String,
    score: f64,
}

pub(super) async fn run(folder: &Path, http: &Http, operator: &Caller) -> anyhow::Result<()> {
    println!("| data | pairs | precision | recall | F1 | at most wrong: F1 | best threshold: F1 |\n|---|---|---|---|---|---|---|");
    for pairing in PAIRINGS {
        let (here, there) = (data::feed(folder, pairing.from)?, data::feed(folder, pairing.to)?);
        let here_shop = Shop::fill(http, operator, pairing.from, &here).await?;
        let there_shop = Shop::fill(http, operator, pairing.to, &there).await?;
        let matches = matches(http, (&here_shop, &by_id(here)), (&there_shop, &by_id(there))).await?;
        for part in data::pairs(folder, &pairing)? {
            report(&pairing, &part, &matches);
        }
    }
    println!("{DEFINITIONS}");
    Ok(())
}

fn report(pairing: &Pairing, part: &data::Pairs, matches: &[Match]) {
    let known: BTreeSet<(&str, &str)> = part.pairs.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let touched = |one: &Match| part.pairs.iter().any(|(from, to)| *from == one.from || *to == one.to);
    let right = |matches: &[&Match]| matches.iter().filter(|one| known.contains(&(one.from.as_str(), one.to.as_str()))).count();
    let judged: Vec<&Match> = matches.iter().filter(|one| touched(one)).collect();
    let above = |all: &[&Match], threshold: f64| -> usize { all.iter().filter(|one| one.score >= threshold).count() };
    let at = |threshold: f64| {
        let accepted: Vec<&Match> = judged.iter().copied().filter(|one| one.score >= threshold).collect();
        f1(right(&accepted), accepted.len(), known.len())
    };
    let (precision, recall, mean) = at(THRESHOLD);
    let everything: Vec<&Match> = matches.iter().collect();
    let accepted: Vec<&Match> = judged.iter().copied().filter(|one| one.score >= THRESHOLD).collect();
    let (_, _, at_most) = f1(right(&accepted), above(&everything, THRESHOLD), known.len());
    let best = judged.iter().map(|one| (at(one.score).2, one.score)).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
    println!(
        "| {} – {} ({}) | {} | {precision:.3} | {recall:.3} | {mean:.3} | {at_most:.3} | {:.3} at {:.1} |",
        pairing.from,
        pairing.to,
        part.part,
        known.len(),
        best.0,
        best.1
    );
}

/// Rows that are each other's first hit.
async fn matches(http: &Http, here: (&Shop, &Rows), there: (&Shop, &Rows)) -> anyhow::Result<Vec<Match>> {
    let there_of = first_hits(http, here.1, there.0).await?;
    let wanted: BTreeSet<&String> = there_of.values().map(|(row, _)| row).collect();
    let back: Rows = there.1.iter().filter(|(id, _)| wanted.contains(id)).map(|(id, row)| (id.clone(), row.clone())).collect();
    let here_of = first_hits(http, &back, here.0).await?;
    let mutual = there_of.into_iter().filter_map(|(from, (to, score))| {
        let (again, other) = here_of.get(&to)?;
        (*again == from).then(|| Match { from, to, score: f64::midpoint(score, *other) })
    });
    Ok(mutual.collect())
}

async fn first_hits(http: &Http, rows: &Rows, shop: &Shop) -> anyhow::Result<HashMap<String, (String, f64)>> {
    let ask = |(id, row): (&String, &Row)| {
        let (id, query) = (id.clone(), question(row, &["title", "name", "modelno", "brand"]));
        async move {
            let hit = shop.search(http, &query, 1).await?.into_iter().next();
            anyhow::Ok(hit.map(|hit| (id, (hit.row, hit.score))))
        }
    };
    let answers: Vec<_> = futures::stream::iter(rows).map(ask).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

fn by_id(rows: Vec<Row>) -> Rows {
    rows.into_iter().filter_map(|row| Some((row.get("id")?.clone(), row))).collect()
}
