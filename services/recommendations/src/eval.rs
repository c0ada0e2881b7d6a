//! Measures the models that serve on public data sets: `markethub eval recommendations`. Nothing here is tuned to a set; the same constants
//! serve the market.

use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::models::affinity::Affinity;
use crate::models::measure::{Measured, TOP};
use crate::models::sessions::Sessions;

/// Measures on what is there of `rec-gowalla` and `rec-sessions` in a folder; the figures with their definitions, to print.
pub fn run(data: &Path) -> anyhow::Result<String> {
    let (histories, visits) = (data.join("rec-gowalla"), data.join("rec-sessions"));
    ensure!(histories.is_dir() || visits.is_dir(), "{} holds neither rec-gowalla nor rec-sessions", data.display());
    let mut told = String::new();
    if histories.is_dir() {
        told.push_str(&measure_histories(&histories)?);
    }
    if visits.is_dir() {
        told.push_str(&measure_visits(&visits)?);
    }
    Ok(told)
}

/// A text file, plain or compressed with zstd.
fn read(folder: &Path, name: &str) -> anyhow::Result<String> {
    let (plain, packed) = (folder.join(name), folder.join(format!("{name}.zst")));
    let bytes = if plain.exists() {
        std::fs::read(&plain).with_context(|| format!("reading {}", plain.display()))?
    } else {
        let file = std::fs::File::open(&packed).with_context(|| format!("there is no {} and no {}", plain.display(), packed.display()))?;
        zstd::decode_all(file).with_context(|| format!("unpacking {}", packed.display()))?
    };
    String::from_utf8(bytes).with_context(|| format!("{name} is not text"))
}

fn numbers(line: &str) -> anyhow::Result<Vec<u32>> {
    line.split_whitespace().map(|word| word.parse().with_context(|| format!("{word:?} is not a number"))).collect()
}

/// Lines of a subject and its products.
fn by_subject(text: &str) -> anyhow::Result<Vec<(usize, Vec<u32>)>> {
    let line = |line| {
        let mut numbers = numbers(line)?.into_iter();
        Ok((usize::try_from(numbers.next().context("a line without a subject")?)?, numbers.collect()))
    };
    text.lines().filter(|text| !text.trim().is_empty()).map(line).collect()
}

fn measure_histories(folder: &Path) -> anyhow::Result<String> {
    let train = by_subject(&read(folder, "train.txt")?)?;
    let wanted = by_subject(&read(folder, "test_dev.txt")?)?;
    let subjects = train.iter().map(|(subject, _)| subject + 1).max().unwrap_or_default();
    let mut histories = vec![Vec::new(); subjects];
    for (subject, products) in train {
        if let Some(history) = histories.get_mut(subject) {
            *history = products;
        }
    }
    let products = width(histories.iter().chain(wanted.iter().map(|(_, products)| products)).flatten());
    let begin = Instant::now();
    let affinity = Affinity::learn(&histories, products);
    let trained = begin.elapsed();
    let (mut measured, mut slowest) = (Measured::default(), Vec::new());
    for (subject, wanted) in &wanted {
        let Some(history) = histories.get(*subject) else { continue };
        let history: Vec<(u32, f32)> = history.iter().map(|product| (*product, 1.0)).collect();
        let begin = Instant::now();
        let liked = affinity.likes(&history, TOP);
        slowest.push(begin.elapsed());
        measured.add(liked.into_iter().map(|(product, _)| product), wanted);
    }
    let mut told = String::new();
    writeln!(
        told,
        "rec-gowalla: what subjects take up later, found among all {products} products but those they know, mean over {} subjects",
        measured.cases
    )?;
    writeln!(told, "  Recall@20  {:.4}   share of what each took up that is among the first twenty", measured.recall())?;
    writeln!(told, "  NDCG@20    {:.4}   hits weighted 1/log2(1 + rank), divided by an ideal list's", measured.ndcg())?;
    writeln!(told, "  trained in {:.1} s; {}; {:.0} MiB of memory at most", trained.as_secs_f64(), times(slowest), peak_mebibytes())?;
    Ok(told)
}

fn measure_visits(folder: &Path) -> anyhow::Result<String> {
    let visits: Vec<Vec<u32>> = read(folder, "diginetica_train.txt")?.lines().map(numbers).collect::<anyhow::Result<_>>()?;
    let case = |line: &str| {
        let (so_far, next) = line.split_once('\t').context("a case is products so far, a tab and the next product")?;
        Ok((numbers(so_far)?, numbers(next)?))
    };
    let cases: Vec<(Vec<u32>, Vec<u32>)> = read(folder, "diginetica_test_dev.tsv")?.lines().map(case).collect::<anyhow::Result<_>>()?;
    let products = width(visits.iter().flatten());
    let begin = Instant::now();
    let sessions = Sessions::learn(visits, products);
    let trained = begin.elapsed();
    let (mut measured, mut slowest) = (Measured::default(), Vec::new());
    for (so_far, next) in &cases {
        let begin = Instant::now();
        let found = sessions.next(so_far, TOP);
        slowest.push(begin.elapsed());
        measured.add(found.into_iter().map(|(product, _)| product), next);
    }
    let mut told = String::new();
    writeln!(told, "rec-sessions: the next product of a visit, among all {products} products, mean over {} cases", measured.cases)?;
    writeln!(told, "  P@20       {:.2}   share of cases, in percent, whose next product is among the first twenty", measured.recall() * 100.0)?;
    writeln!(told, "  MRR@20     {:.2}   1/rank of the next product, in percent; 0 beyond the twentieth", measured.mrr() * 100.0)?;
    writeln!(told, "  trained in {:.1} s; {}; {:.0} MiB of memory at most", trained.as_secs_f64(), times(slowest), peak_mebibytes())?;
    Ok(told)
}

/// One more than the largest number.
fn width<'n>(numbers: impl Iterator<Item = &'n u32>) -> usize {
    numbers.max().and_then(|most| usize::try_from(*most).ok()).map_or(0, |most| most + 1)
}

fn times(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let at = |percent: usize| took.get(took.len().saturating_sub(1) * percent / 100).map_or(0.0, |took| took.as_secs_f64() * 1000.0);
    let mean = took.iter().sum::<Duration>().as_secs_f64() * 1000.0 / f64::from(u32::try_from(took.len().max(1)).unwrap_or(u32::MAX));
    format!("{mean:.3} ms an answer on one core (median {:.3}, 99 % within {:.3})", at(50), at(99))
}

/// The most memory this process had so far, as Linux counts it; 0 where it does not tell.
fn peak_mebibytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok());
    peak.unwrap_or_default() / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sets_are_read_and_measured() {
        let data = std::env::temp_dir().join(format!("eval-{}", std::process::id()));
        let (histories, visits) = (data.join("rec-gowalla"), data.join("rec-sessions"));
        std::fs::create_dir_all(&histories).unwrap();
        std::fs::create_dir_all(&visits).unwrap();
        std::fs::write(histories.join("train.txt"), "0 0 1\n1 0 1 2\n2 1 2\n").unwrap();
        std::fs::write(histories.join("test_dev.txt"), "0 2\n").unwrap();
        std::fs::write(visits.join("diginetica_train.txt"), "1 2 3\n1 2\n4 5\n").unwrap();
        std::fs::write(visits.join("diginetica_test_dev.tsv"), "1\t2\n").unwrap();
        let told = run(&data).unwrap();
        assert!(told.contains("Recall@20  1.0000") && told.contains("P@20       100.00"), "{told}");
        assert!(run(&histories).unwrap_err().to_string().contains("neither"));
        std::fs::remove_dir_all(&data).unwrap();
    }
}
