//! Products as files that the import reads back.

use std::collections::BTreeSet;

use kit_core::TenantId;

use super::Catalog;
use crate::error::Error;
use crate::model::category::Tree;
use crate::model::product::{Content, MediaFile, Variant};
use crate::store::products::{self, Kept};

const PAGE: i64 = 1_000;

/// Columns every export has; options and attributes follow, under the names the mapping calls them.
const COLUMNS: [&str; 18] = [
    "sku",
    "group",
    "title",
    "description",
    "brand",
    "category",
    "price",
    "list_price",
    "currency",
    "gtin",
    "weight",
    "length",
    "width",
    "height",
    "tags",
    "media",
    "status",
    "product_id",
];

impl Catalog {
    /// The tenant's products as a file: bytes and content type.
    pub(crate) async fn export_products(&self, tenant: TenantId, format: &str) -> Result<(Vec<u8>, &'static str), Error> {
        let tree = self.tree().await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = products::walk(&mut tx, Some(tenant), after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            all.extend(page);
        }
        drop(tx);
        let format = format.to_owned();
        tokio::task::spawn_blocking(move || write(&all, &tree, &format)).await?
    }
}

fn write(all: &[Kept], tree: &Tree, format: &str) -> Result<(Vec<u8>, &'static str), Error> {
    let extra = extra_columns(all);
    let columns: Vec<String> = COLUMNS.iter().map(|column| (*column).to_owned()).chain(extra.iter().cloned()).collect();
    let rows = all.iter().flat_map(|kept| kept.product.content.variants.iter().map(move |variant| (kept, variant)));
    let rows = rows.map(|(kept, variant)| row(kept, variant, tree, &extra));
    match format {
        "xlsx" => Ok((excel(&columns, rows)?, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")),
        "jsonl" => {
            let mut out = Vec::new();
            for row in rows {
                let object: serde_json::Map<_, _> = columns.iter().cloned().zip(row.into_iter().map(serde_json::Value::String)).collect();
                out.extend_from_slice(serde_json::Value::Object(object).to_string().as_bytes());
                out.push(b'\n');
            }
            Ok((out, "application/x-ndjson"))
        }
        _ => {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&columns).map_err(unwritable)?;
            for row in rows {
                writer.write_record(&row).map_err(unwritable)?;
            }
            Ok((writer.into_inner().map_err(unwritable)?, "text/csv; charset=utf-8"))
        }
    }
}

fn unwritable(error: impl std::fmt::Display) -> Error {
    Error::Unreadable(error.to_string())
}

fn excel(columns: &[String], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, Error> {
    /// What Excel takes in one cell.
    const CELL_MAX: usize = 32_767;
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (place, name) in columns.iter().enumerate() {
        sheet.write_string(0, u16::try_from(place).unwrap_or(u16::MAX), name).map_err(unwritable)?;
    }
    for (number, row) in rows.enumerate() {
        let line = u32::try_from(number + 1).unwrap_or(u32::MAX);
        for (place, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let cell: String = cell.chars().take(CELL_MAX).collect();
            sheet.write_string(line, u16::try_from(place).unwrap_or(u16::MAX), &cell).map_err(unwritable)?;
        }
    }
    book.save_to_buffer().map_err(unwritable)
}

fn extra_columns(all: &[Kept]) -> Vec<String> {
    let mut names = BTreeSet::new();
    for content in all.iter().map(|kept| &kept.product.content) {
        names.extend(content.attributes.keys().map(|key| format!("attribute:{key}")));
        names.extend(content.variants.iter().flat_map(|variant| &variant.options).map(|(name, _)| format!("option:{name}")));
    }
    names.into_iter().collect()
}

fn row(kept: &Kept, variant: &Variant, tree: &Tree, extra: &[String]) -> Vec<String> {
    let content = &kept.product.content;
    let side = |pick: fn(&crate::model::product::Dimensions) -> u32| {
        variant.dimensions.as_ref().map(pick).filter(|mm| *mm > 0).map(|mm| format!("{mm} mm")).unwrap_or_default()
    };
    // Several variants without a group of their own are one product by its id.
    let group = kept.group_key.clone().unwrap_or_else(|| if content.variants.len() > 1 { kept.id.to_string() } else { String::new() });
    let category = content.category.and_then(|category| tree.get(category)).map(|node| node.category.code.clone());
    let mut cells = vec![
        variant.sku.clone(),
        group,
        content.title.clone(),
        content.description.clone(),
        content.brand.clone(),
        category.unwrap_or_default(),
        variant.price().decimal(),
        variant.list_price().map(|price| price.decimal()).unwrap_or_default(),
        variant.currency.to_string(),
        variant.gtin.clone(),
        if variant.weight_grams == 0 { String::new() } else { format!("{} g", variant.weight_grams) },
        side(|sides| sides.length_mm),
        side(|sides| sides.width_mm),
        side(|sides| sides.height_mm),
        content.tags.join("|"),
        hashes(if variant.media.is_empty() { &content.media } else { &variant.media }),
        kept.product.status.word().to_owned(),
        kept.id.to_string(),
    ];
    cells.extend(extra.iter().map(|column| extra_cell(column, content, variant)));
    cells
}

fn extra_cell(column: &str, content: &Content, variant: &Variant) -> String {
    if let Some(key) = column.strip_prefix("attribute:") {
        return content.attributes.get(key).map(|values| values.join("|")).unwrap_or_default();
    }
    let name = column.strip_prefix("option:").unwrap_or_default();
    variant.options.iter().find(|(option, _)| option == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn hashes(media: &[MediaFile]) -> String {
    media.iter().map(|file| file.hash.as_str()).collect::<Vec<_>>().join("|")
}
