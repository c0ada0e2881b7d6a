//! The data sets as they lie on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A row of a feed: its columns by name.
pub(super) type Row = BTreeMap<String, String>;

/// Two shops of which it is known which rows are the same product.
pub(super) struct Pairing {
    /// Looked up from here, there.
    pub from: &'static str,
    pub to: &'static str,
    /// What a buyer who knows the one asks for the other by.
    pub asked_by: &'static [&'static str],
}

pub(super) const PAIRINGS: [Pairing; 3] = [
    Pairing { from: "walmart", to: "amazon", asked_by: &["title", "modelno", "brand"] },
    Pairing { from: "abt", to: "buy", asked_by: &["name"] },
    Pairing { from: "amazon-software", to: "google-software", asked_by: &["title"] },
];

/// Which pairs of rows are the same product.
pub(super) struct Pairs {
    /// Which part of the pairs: "dev".
    pub part: String,
    pub pairs: Vec<(String, String)>,
}

pub(super) fn feed(data: &Path, name: &str) -> anyhow::Result<Vec<Row>> {
    let path = data.join("offers").join(format!("{name}.csv"));
    rows(&std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?, b',')
}

/// All files `<from>--<to>.<part>.csv`.
pub(super) fn pairs(data: &Path, pairing: &Pairing) -> anyhow::Result<Vec<Pairs>> {
    let begin = format!("{}--{}.", pairing.from, pairing.to);
    let mut found = Vec::new();
    for (name, path) in files(&data.join("offers"))? {
        let Some(part) = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(".csv")) else { continue };
        let column = |row: &Row, shop: &str| row.get(&format!("{shop}_id")).cloned().with_context(|| format!("{name} has no column {shop}_id"));
        let rows = rows(&std::fs::read(path)?, b',')?;
        let pairs = rows.iter().map(|row| Ok((column(row, pairing.from)?, column(row, pairing.to)?))).collect::<anyhow::Result<_>>()?;
        found.push(Pairs { part: part.to_owned(), pairs });
    }
    Ok(found)
}

/// How relevant each rated product is to each query.
pub(super) type Ratings = BTreeMap<String, BTreeMap<String, f64>>;

pub(super) struct Rated {
    pub products: Vec<Row>,
    /// By part: "dev".
    pub parts: Vec<(String, Ratings)>,
}

pub(super) fn rated(data: &Path) -> anyhow::Result<Rated> {
    let folder = data.join("search-chorus-icecat");
    let mut rated = Rated { products: Vec::new(), parts: Vec::new() };
    for (name, path) in files(&folder)? {
        let Some(table) = name.strip_suffix(".tsv.zst") else { continue };
        let read = || anyhow::Ok(table_of(&zstd::decode_all(std::fs::File::open(&path)?)?));
        if table == "products" {
            rated.products = read()?;
        } else if let Some(part) = table.strip_prefix("labels_") {
            let mut queries = Ratings::new();
            for row in read()? {
                let value = |column: &str| row.get(column).cloned().with_context(|| format!("{name} has no column {column}"));
                queries.entry(value("query")?).or_default().insert(value("product_id")?, value("final_rating")?.parse()?);
            }
            rated.parts.push((part.to_owned(), queries));
        }
    }
    Ok(rated)
}

/// A folder's files by name, in order; none when there is no such folder.
fn files(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        files.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    files.sort();
    Ok(files)
}

fn rows(content: &[u8], delimiter: u8) -> anyhow::Result<Vec<Row>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(content);
    Ok(reader.deserialize().collect::<Result<_, _>>()?)
}

/// Tab-separated lines without quoting: a quote is an inch sign.
fn table_of(content: &[u8]) -> Vec<Row> {
    let text = String::from_utf8_lossy(content);
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    let row = |line: &str| columns.iter().zip(line.split('\t')).map(|(column, value)| ((*column).to_owned(), value.to_owned())).collect();
    lines.filter(|line| !line.is_empty()).map(row).collect()
}
