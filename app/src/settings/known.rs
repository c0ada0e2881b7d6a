//! Which keys there are, so that a misspelt one is found and its like proposed.

use anyhow::bail;

use super::Settings;

/// Sections whose content is checked elsewhere or free.
const FREE: &[&str] = &["services", "web", "database.cells", "objects.options"];

/// All keys of a file are known.
pub(super) fn check(table: &toml::Table, text: &str, services: &[&str]) -> anyhow::Result<()> {
    let mut paths = Vec::new();
    collect(table, &mut Vec::new(), &mut paths);
    for path in paths {
        if let Err(error) = check_path(&path, services) {
            let key = path.last().map(String::as_str).unwrap_or_default();
            bail!("line {}: {error}", line_of(text, &path, key));
        }
    }
    Ok(())
}

/// One key, by its path, is known.
pub(super) fn check_path(path: &[String], services: &[&str]) -> anyhow::Result<()> {
    let known = toml::Table::try_from(Settings::default())?;
    let mut at = &known;
    for (depth, key) in path.iter().enumerate() {
        let within = path.iter().take(depth).cloned().collect::<Vec<_>>().join(".");
        if within == "services" && depth == 1 {
            return if services.contains(&key.as_str()) { Ok(()) } else { unknown(path, depth, services.iter().copied()) };
        }
        if FREE.contains(&within.as_str()) {
            return Ok(());
        }
        match at.get(key) {
            None => return unknown(path, depth, at.keys().map(String::as_str)),
            Some(toml::Value::Table(inner)) => at = inner,
            Some(_) => return Ok(()),
        }
    }
    Ok(())
}

fn unknown<'a>(path: &[String], depth: usize, known: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    let name = path.iter().take(depth + 1).cloned().collect::<Vec<_>>().join(".");
    let key = path.get(depth).map(String::as_str).unwrap_or_default();
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|word| (distance(key, word), *word)).min().filter(|(distance, _)| *distance <= 3);
    match nearest {
        Some((_, word)) => bail!("{name} is not a known key; did you mean {word}?"),
        None => bail!("{name} is not a known key; known are {}", known.join(", ")),
    }
}

fn collect(table: &toml::Table, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    for (key, value) in table {
        path.push(key.clone());
        match value {
            toml::Value::Table(inner) if !inner.is_empty() => collect(inner, path, paths),
            _ => paths.push(path.clone()),
        }
        path.pop();
    }
}

/// The line a key is on: the first that begins with it after its section's header; the header's when the key is in it.
fn line_of(text: &str, path: &[String], key: &str) -> usize {
    let section = path.split_last().map(|(_, section)| section.join(".")).unwrap_or_default();
    let (mut current, mut header) = (String::new(), 1);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name.trim().to_owned();
            if section.starts_with(&current) || current.starts_with(&path.join(".")) {
                header = at + 1;
            }
        } else if current == section && line.split('=').next().is_some_and(|name| name.trim() == key) {
            return at + 1;
        }
    }
    header
}

/// How many letters must be added, dropped or changed to make one word the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.chars().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            next.push((at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
