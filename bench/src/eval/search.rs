//! `eval search`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use futures::{StreamExt, TryStreamExt};

use super::data::{self, PAIRINGS, Pairing, Row};
use super::measure::{Ranks, ndcg, number};
use super::shop::Shop;
use super::typing::misspelled;
use super::{EvalArgs, data::Rated};
use crate::demo::Dice;
use crate::http::{Caller, Http};

const AT_ONCE: usize = 4;
/// Hits looked at for a known product.
const LOOKED_AT: usize = 10;
/// Hits looked at for a query with ratings: all it finds, but for the commonest words.
const RATED_LOOKED_AT: usize = 1000;
/// What typing errors begin with, so that every run makes the same.
const TYPING_SEED: u64 = 7;

const DEFINITIONS: &str = "
Every figure comes from GET /v1/search of one shop (tenant_id) of a market that has all of these shops, with the market's own settings.
R@k: the share of queries whose one right product is among the first k hits. MRR@10: the mean of 1/rank, 0 beyond ten.
  walmart → amazon is asked by title, model number and brand; abt → buy by name; amazon-software → google-software by title.
With a typo: one letter inserted, deleted, replaced or swapped with the next, in one word of at least four letters.
nDCG@10, judged only: hits without a rating are taken out; rated products that were not found follow in the order of the file;
  gain 2^rating − 1; queries for which nothing is rated above 0 are left out. \"Of those found\": the same, with only the rated
  products that were found counting, also in the ideal order; queries that find nothing rated are left out.
";

pub(super) async fn run(args: &EvalArgs, folder: &Path, http: &Http, operator: &Caller) -> anyhow::Result<()> {
    let mut shops = Vec::new();
    for pairing in PAIRINGS {
        shops.push(Shop::fill(http, operator, pairing.to, &data::feed(folder, pairing.to)?).await?);
    }
    let rated = data::rated(folder)?;
    let icecat = Shop::fill(http, operator, "icecat", &rated.products).await?;
    println!("| data | queries | R@1 | R@10 | MRR@10 |\n|---|---|---|---|---|");
    for (pairing, shop) in PAIRINGS.iter().zip(&shops) {
        lookups(args, folder, http, pairing, shop).await?;
    }
    println!("\n| data | queries | nDCG@10, judged only | of those found |\n|---|---|---|---|");
    ratings(http, &rated, &icecat).await?;
    println!("{DEFINITIONS}");
    Ok(())
}

async fn lookups(args: &EvalArgs, folder: &Path, http: &Http, pairing: &Pairing, shop: &Shop) -> anyhow::Result<()> {
    let rows: BTreeMap<String, Row> = data::feed(folder, pairing.from)?.into_iter().filter_map(|row| Some((row.get("id")?.clone(), row))).collect();
    for part in data::pairs(folder, pairing)? {
        let asked = part.pairs.iter().filter_map(|(from, to)| Some((question(rows.get(from)?, pairing.asked_by), to.clone())));
        let asked: Vec<(String, String)> = asked.collect();
        let mut dice = Dice(TYPING_SEED);
        let typed = asked.iter().map(|(query, right)| (misspelled(query, &mut dice), right.clone())).collect();
        for (how, asked) in [("", asked), (", one typo", typed)] {
            let name = format!("{} → {} ({}){how}", pairing.from, pairing.to, part.part);
            let (ranks, misses) = ranks(http, shop, asked).await?;
            println!(
                "| {name} | {} | {:.3} | {:.3} | {:.3} |",
                ranks.len(),
                ranks.recall_at(1),
                ranks.recall_at(LOOKED_AT),
                ranks.mean_reciprocal_rank()
            );
            if let Some(misses_in) = &args.misses {
                std::fs::create_dir_all(misses_in)?;
                std::fs::write(misses_in.join(format!("{name}.txt").replace(' ', "-")), misses)?;
            }
        }
    }
    Ok(())
}

/// What a buyer who knows the product from elsewhere would type.
pub(super) fn question(row: &Row, by: &[&str]) -> String {
    by.iter().filter_map(|column| row.get(*column)).map(String::as_str).collect::<Vec<_>>().join(" ")
}

async fn ranks(http: &Http, shop: &Shop, asked: Vec<(String, String)>) -> anyhow::Result<(Ranks, String)> {
    let ask = |(query, right): (String, String)| async move {
        let hits = shop.search(http, &query, LOOKED_AT).await?;
        let rank = hits.iter().position(|hit| hit.row == right);
        let first = hits.into_iter().next().map(|hit| hit.row).unwrap_or_default();
        anyhow::Ok((rank, query, right, first))
    };
    let mut answers = futures::stream::iter(asked).map(ask).buffered(AT_ONCE);
    let (mut ranks, mut misses) = (Ranks::default(), String::new());
    while let Some((rank, query, right, first)) = answers.try_next().await? {
        if rank != Some(0) {
            writeln!(misses, "{query}\n    right {right} at {rank:?}, first {first}")?;
        }
        ranks.add(rank);
    }
    Ok((ranks, misses))
}

async fn ratings(http: &Http, rated: &Rated, shop: &Shop) -> anyhow::Result<()> {
    for (part, queries) in &rated.parts {
        let (mut judged, mut of_found) = (Vec::new(), Vec::new());
        for (query, ratings) in queries {
            let hits = shop.search(http, query, RATED_LOOKED_AT).await?;
            let found: Vec<&String> = hits.iter().map(|hit| &hit.row).filter(|row| ratings.contains_key(*row)).collect();
            let rating = |row: &String| ratings.get(row).copied().unwrap_or_default();
            let gains: Vec<f64> = found.iter().map(|row| rating(row)).collect();
            let rest = rated.products.iter().filter_map(|row| row.get("product_id")).filter(|row| ratings.contains_key(*row) && !found.contains(row));
            let ranked: Vec<f64> = gains.iter().copied().chain(rest.map(rating)).collect();
            judged.extend(ndcg(&ranked, &ranked));
            if !gains.is_empty() {
                of_found.push(ndcg(&gains, &gains).unwrap_or_default());
            }
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / number(values.len()).max(1.0);
        println!("| icecat, rated ({part}) | {} | {:.3} | {:.3} ({} queries) |", judged.len(), mean(&judged), mean(&of_found), of_found.len());
    }
    Ok(())
}
