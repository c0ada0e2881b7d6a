//! What changed between two versions, field by field, as a person reads it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::product::{Content, Status};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub field: String,
    pub before: String,
    pub after: String,
}

/// The changes from `before` (nothing: it was created) to `after`, by field.
pub(crate) fn changes(before: Option<(Status, &Content)>, after: (Status, &Content)) -> Vec<Change> {
    let old = before.map(|(status, content)| fields(status, content)).unwrap_or_default();
    let new = fields(after.0, after.1);
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    let text = |fields: &BTreeMap<String, String>, name: &str| fields.get(name).cloned().unwrap_or_default();
    let changes = names.into_iter().map(|name| Change { field: name.clone(), before: text(&old, name), after: text(&new, name) });
    changes.filter(|change| change.before != change.after).collect()
}

/// The same, as the audit log keeps it.
pub(crate) fn as_json(changes: &[Change]) -> Value {
    let side = |pick: fn(&Change) -> &String| {
        let values = changes.iter().filter(|change| !pick(change).is_empty());
        Value::Object(values.map(|change| (change.field.clone(), Value::String(pick(change).clone()))).collect())
    };
    serde_json::json!({ "before": side(|change| &change.before), "after": side(|change| &change.after) })
}

fn fields(status: Status, content: &Content) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut put = |name: String, value: String| {
        if !value.is_empty() {
            out.insert(name, value);
        }
    };
    put("status".to_owned(), status.word().to_owned());
    put("title".to_owned(), content.title.clone());
    put("description".to_owned(), content.description.clone());
    put("brand".to_owned(), content.brand.clone());
    put("category".to_owned(), content.category.map(|category| category.to_string()).unwrap_or_default());
    put("tags".to_owned(), content.tags.join(", "));
    put("media".to_owned(), hashes(&content.media));
    for (key, values) in &content.attributes {
        put(format!("attributes.{key}"), values.join(" | "));
    }
    for variant in &content.variants {
        let name = |field: &str| format!("variants[{}].{field}", variant.sku);
        let options: Vec<String> = variant.options.iter().map(|(option, value)| format!("{option}: {value}")).collect();
        put(name("price"), variant.price().to_string());
        put(name("list_price"), variant.list_price().map(|price| price.to_string()).unwrap_or_default());
        put(name("gtin"), variant.gtin.clone());
        put(name("options"), options.join(", "));
        put(name("weight_grams"), if variant.weight_grams == 0 { String::new() } else { variant.weight_grams.to_string() });
        put(name("dimensions"), variant.dimensions.map(|d| format!("{} × {} × {} mm", d.length_mm, d.width_mm, d.height_mm)).unwrap_or_default());
        put(name("media"), hashes(&variant.media));
    }
    out
}

fn hashes(media: &[super::product::MediaFile]) -> String {
    media.iter().map(|media| media.hash.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_what_changed_and_nothing_else() {
        let before = Content { title: "Mug".to_owned(), brand: "Anna".to_owned(), ..Content::default() };
        let after = Content { title: "Big mug".to_owned(), ..before.clone() };
        let found = changes(Some((Status::Draft, &before)), (Status::Draft, &after));
        assert_eq!(found, [Change { field: "title".to_owned(), before: "Mug".to_owned(), after: "Big mug".to_owned() }]);
        assert!(changes(Some((Status::Draft, &after)), (Status::Draft, &after)).is_empty());
        assert_eq!(as_json(&found), serde_json::json!({ "before": { "title": "Mug" }, "after": { "title": "Big mug" } }));
    }
}
