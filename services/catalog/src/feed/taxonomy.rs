//! Taxonomy files: tab-separated, with a header; which part it is shows in the header.

use std::collections::HashMap;

use crate::model::category::{AttributeType, Has, Tree, is_key};

/// The most bytes a compressed file may unpack to.
const UNPACKED_MAX: usize = 256 << 20;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Categories(Vec<CategoryRow>),
    Attributes(Vec<AttributeRow>),
    Values(Vec<(String, String)>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CategoryRow {
    pub code: String,
    pub parent_code: String,
    pub name: String,
    pub tax_category: String,
    pub attributes: Vec<Has>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AttributeRow {
    pub key: String,
    pub name: String,
    pub kind: AttributeType,
    pub unit: String,
    pub values_from: String,
    pub value_keys: Vec<String>,
}

/// Reads a part; the error names the line.
pub(crate) fn read(content: &[u8]) -> Result<Part, String> {
    let unpacked;
    let content = if content.starts_with(&ZSTD_MAGIC) {
        unpacked = unpack(content)?;
        &unpacked
    } else {
        content
    };
    let text = std::str::from_utf8(content).map_err(|error| format!("is not UTF-8 text (byte {})", error.valid_up_to()))?;
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let header: Vec<&str> = lines.next().ok_or("is empty")?.1.split('\t').map(str::trim).collect();
    let has = |name: &str| header.contains(&name);
    let rows = lines.map(|(index, line)| Row { line: index + 1, header: &header, cells: line.split('\t').collect() });
    if has("id") && has("parent_id") && has("name") {
        let rows: Vec<CategoryRow> = rows.map(|row| row.category()).collect::<Result<_, _>>()?;
        check_parents(&rows)?;
        Ok(Part::Categories(rows))
    } else if has("key") && has("name") && (has("value_keys") || has("type")) {
        Ok(Part::Attributes(rows.map(|row| row.attribute()).collect::<Result<_, _>>()?))
    } else if has("key") && has("name") {
        Ok(Part::Values(rows.map(|row| Ok((row.needed("key")?, row.needed("name")?))).collect::<Result<_, String>>()?))
    } else {
        let found = header.iter().take(12).copied().collect::<Vec<_>>().join(", ");
        Err(format!(
            "the header must name id, parent_id, name (categories), key, name, value_keys (attributes) or key, name (values), separated by tabs; found: {found}"
        ))
    }
}

fn unpack(content: &[u8]) -> Result<Vec<u8>, String> {
    use std::io::Read;
    let mut unpacked = Vec::new();
    let decoder = zstd::Decoder::new(content).map_err(|error| format!("is not readable as zstd: {error}"))?;
    let limit = u64::try_from(UNPACKED_MAX).unwrap_or(u64::MAX);
    decoder.take(limit + 1).read_to_end(&mut unpacked).map_err(|error| format!("is not readable as zstd: {error}"))?;
    if unpacked.len() > UNPACKED_MAX { Err(format!("unpacks to more than {} MiB", UNPACKED_MAX >> 20)) } else { Ok(unpacked) }
}

struct Row<'f> {
    line: usize,
    header: &'f [&'f str],
    cells: Vec<&'f str>,
}

impl Row<'_> {
    fn cell(&self, name: &str) -> &str {
        self.header.iter().position(|column| *column == name).and_then(|place| self.cells.get(place)).map_or("", |cell| cell.trim())
    }

    fn needed(&self, name: &str) -> Result<String, String> {
        let cell = self.cell(name);
        if cell.is_empty() { Err(format!("line {}: {name} is empty", self.line)) } else { Ok(cell.to_owned()) }
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.cell(name).split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    fn category(&self) -> Result<CategoryRow, String> {
        let (required, facets) = (self.list("required_keys"), self.list("facet_keys"));
        // A file that does not say which attributes are facets offers all of them.
        let all_facets = !self.header.contains(&"facet_keys");
        let attributes = self.list("attribute_keys").into_iter();
        let attributes = attributes.map(|key| Has { required: required.contains(&key), facet: all_facets || facets.contains(&key), key }).collect();
        Ok(CategoryRow {
            code: self.needed("id")?,
            parent_code: self.cell("parent_id").to_owned(),
            name: self.needed("name")?,
            tax_category: self.cell("tax_category").to_owned(),
            attributes,
        })
    }

    fn attribute(&self) -> Result<AttributeRow, String> {
        let key = self.needed("key")?;
        if !is_key(&key) {
            return Err(format!("line {}: the key \"{key}\" may hold lower-case letters, digits, \"_\", \"-\" and \"/\" only", self.line));
        }
        let kind = match self.cell("type") {
            "" => AttributeType::Choices,
            word => AttributeType::parse(word).ok_or_else(|| format!("line {}: unknown type \"{word}\"", self.line))?,
        };
        Ok(AttributeRow {
            key,
            name: self.needed("name")?,
            kind,
            unit: self.cell("unit").to_owned(),
            values_from: self.cell("values_from").to_owned(),
            value_keys: self.list("value_keys"),
        })
    }
}

/// Codes are there once, and no category is above itself.
fn check_parents(rows: &[CategoryRow]) -> Result<(), String> {
    let mut parents = HashMap::new();
    for row in rows {
        if parents.insert(row.code.as_str(), row.parent_code.as_str()).is_some() {
            return Err(format!("the category {} is there twice", row.code));
        }
    }
    for row in rows {
        let mut above = row.parent_code.as_str();
        for _ in 0..16 {
            match parents.get(above) {
                Some(parent) => above = parent,
                None => break,
            }
        }
        if parents.contains_key(above) {
            return Err(format!("the category {} is more than 16 levels deep or above itself", row.code));
        }
    }
    Ok(())
}

/// The part as a file that `read` takes.
pub(crate) fn write(tree: &Tree, part: &str) -> String {
    let mut out = String::new();
    let mut line = |cells: &[&str]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace(['\t', '\n', '\r'], " ")).collect();
        out.push_str(&cells.join("\t"));
        out.push('\n');
    };
    match part {
        "categories" => {
            line(&["id", "parent_id", "level", "name", "full_path", "attribute_keys", "required_keys", "facet_keys", "tax_category"]);
            for node in tree.all() {
                let keys = |wanted: fn(&Has) -> bool| {
                    node.category.attributes.iter().filter(|has| wanted(has)).map(|has| has.key.as_str()).collect::<Vec<_>>().join(",")
                };
                let level = (node.path.len() - 1).to_string();
                let category = &node.category;
                line(&[
                    &category.code,
                    &category.parent_code,
                    &level,
                    &category.name,
                    &node.path.join(" > "),
                    &keys(|_| true),
                    &keys(|has| has.required),
                    &keys(|has| has.facet),
                    &category.tax_category,
                ]);
            }
        }
        "attributes" => {
            line(&["key", "name", "type", "unit", "values_from", "value_keys"]);
            for attribute in tree.attributes() {
                line(&[
                    &attribute.key,
                    &attribute.name,
                    attribute.kind.word(),
                    &attribute.unit,
                    &attribute.values_from,
                    &attribute.value_keys.join(","),
                ]);
            }
        }
        _ => {
            line(&["key", "name"]);
            for (key, name) in tree.values() {
                line(&[key, name]);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATEGORIES: &str =
        "id\tparent_id\tlevel\tname\tfull_path\tattribute_keys\naa\t\t0\tClothing\tClothing\tcolor\naa-1\taa\t1\tTops\tClothing > Tops\tcolor,size\n";

    #[test]
    fn the_header_tells_the_part() {
        let Ok(Part::Categories(rows)) = read(CATEGORIES.as_bytes()) else { panic!("categories") };
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].parent_code, "aa");
        assert!(rows[1].attributes[1].facet && !rows[1].attributes[1].required);
        assert!(matches!(
            read(b"key\tid\thandle\tname\tkind\tvalues_from\tvalue_keys\ncolor\t1\tcolor\tColor\tbase\t\tcolor__red\n"),
            Ok(Part::Attributes(_))
        ));
        assert!(matches!(read(b"\xef\xbb\xbfkey\tid\tname\ncolor__red\t1\tRed\r\n"), Ok(Part::Values(values)) if values[0].1 == "Red"));
        let packed = zstd::encode_all(CATEGORIES.as_bytes(), 3).unwrap();
        assert!(matches!(read(&packed), Ok(Part::Categories(_))));
    }

    #[test]
    fn a_file_that_is_none_is_refused_by_line() {
        assert!(read(b"").unwrap_err().contains("empty"));
        assert!(read(b"id\tde\tes\naa\tx\ty").unwrap_err().contains("header"));
        assert!(read(b"id\tparent_id\tname\naa\t\t\n").unwrap_err().contains("line 2"));
        assert!(read(b"id\tparent_id\tname\naa\tbb\tA\nbb\taa\tB\n").unwrap_err().contains("above itself"));
        assert!(read(b"\xff\xfe\x00").is_err());
    }
}
