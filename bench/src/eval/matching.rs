//! `eval matching`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::{StreamExt, TryStreamExt};

use super::data::{self, PAIRINGS, Pairing};
use super::measure::{f1, number};
use super::shop::Shop;
use crate::http::{Caller, Http};

const AT_ONCE: usize = 4;

const DEFINITIONS: &str = "
Each product of one shop is asked which product of the other is the same (GET /v1/listings/{product_id}/same with the other's tenant_id): each is
the other's best match, and it is as sure as the market asks by itself, the same for all shops.
The known pairs are a part of the true ones, and nothing is known of the other rows.
  Judged rows: a match counts when one of its rows belongs to a known pair; it is right when the match is the pair.
  All rows: every match counts, so that a match of rows that have no partner is wrong. As the file says, it has a share of the true pairs (dev:
  half), so as many right matches again as that share says are taken to be among the other rows: F1 = 2·right/share / (matches + known/share).
  With every part of the pairs at hand the line \"all parts\" counts without that assumption.
Best: the highest F1 of all rows that another certainty, the same way, would give for these shops alone.
";

/// The share of the true pairs that a part has.
fn share(part: &str) -> f64 {
    if part == "all parts" { 1.0 } else { 0.5 }
}

struct Match {
    from: String,
    to: String,
    certainty: f64,
}

pub(super) async fn run(folder: &Path, http: &Http, operator: &Caller) -> anyhow::Result<()> {
    println!("| data | pairs | judged rows: precision | recall | F1 | all rows: matches | F1 | best F1 at |\n|---|---|---|---|---|---|---|---|");
    for pairing in PAIRINGS {
        let here = Shop::fill(http, operator, pairing.from, &data::feed(folder, pairing.from)?).await?;
        let there = Shop::fill(http, operator, pairing.to, &data::feed(folder, pairing.to)?).await?;
        let least = there.least_certainty(http, &here).await?;
        let every = matches(http, &here, &there).await?;
        let parts = data::pairs(folder, &pairing)?;
        for part in &parts {
            report(&pairing, part, &every, least);
        }
        if parts.len() > 1 {
            let pairs = parts.into_iter().flat_map(|part| part.pairs).collect();
            report(&pairing, &data::Pairs { part: "all parts".to_owned(), pairs }, &every, least);
        }
    }
    println!("{DEFINITIONS}");
    Ok(())
}

fn report(pairing: &Pairing, part: &data::Pairs, every: &[Match], least: f64) {
    let accepted: Vec<&Match> = every.iter().filter(|one| one.certainty >= least).collect();
    let known: BTreeSet<(&str, &str)> = part.pairs.iter().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let rows: (BTreeSet<&str>, BTreeSet<&str>) = known.iter().copied().unzip();
    let is_right = |one: &&Match| known.contains(&(one.from.as_str(), one.to.as_str()));
    let right = accepted.iter().filter(|one| is_right(one)).count();
    let judged = accepted.iter().filter(|one| rows.0.contains(one.from.as_str()) || rows.1.contains(one.to.as_str())).count();
    let (precision, recall, mean) = f1(right, judged, known.len());
    let share = share(&part.part);
    let of_all = |right: usize, matches: usize| 2.0 * number(right) / share / (number(matches) + number(known.len()) / share);
    let mut by_certainty: Vec<&Match> = every.iter().collect();
    by_certainty.sort_by(|a, b| b.certainty.total_cmp(&a.certainty));
    let mut best = (0.0, 1.0);
    let mut so_far = 0;
    for (place, one) in by_certainty.iter().enumerate() {
        so_far += usize::from(is_right(one));
        let reached = of_all(so_far, place + 1);
        if reached > best.0 {
            best = (reached, one.certainty);
        }
    }
    println!(
        "| {} – {} ({}) | {} | {precision:.3} | {recall:.3} | {mean:.3} | {} | {:.3} | {:.3} at {:.3} |",
        pairing.from,
        pairing.to,
        part.part,
        known.len(),
        accepted.len(),
        of_all(right, accepted.len()),
        best.0,
        best.1
    );
}

/// What each product here is there, however sure.
async fn matches(http: &Http, here: &Shop, there: &Shop) -> anyhow::Result<Vec<Match>> {
    let rows: &BTreeMap<String, String> = here.products();
    let ask = |(product, row): (&String, &String)| {
        let (product, from) = (product.clone(), row.clone());
        async move {
            let found = there.same(http, &product).await?;
            anyhow::Ok(found.map(|(to, certainty)| Match { from, to, certainty }))
        }
    };
    let answers: Vec<Option<Match>> = futures::stream::iter(rows).map(ask).buffered(AT_ONCE).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}
