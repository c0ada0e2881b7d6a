//! The operator keeps the category tree.

use api_catalog::CategoryId;
use kit_db::log;
use kit_rpc::Ctx;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Catalog, cursor, event};
use crate::error::{Error, wrong};
use crate::feed::taxonomy::{self as files, AttributeRow, Part};
use crate::flows::products::Page;
use crate::model::category::{Attribute, AttributeType, Category, Effective, Has, Node, Tree, is_key};
use crate::store::taxonomy::{self, Loaded};

/// The tree a market begins with, until the operator loads a taxonomy. Codes are those of the public product taxonomy, so that
/// loading it later keeps these categories and their products in place.
const BUILT_IN: [&str; 3] =
    [include_str!("../builtin/values.tsv"), include_str!("../builtin/attributes.tsv"), include_str!("../builtin/categories.tsv")];

/// The key of everything that is told about the tree.
const TREE_KEY: Uuid = Uuid::nil();

/// What loading a taxonomy file did.
pub(crate) struct LoadReport {
    pub part: &'static str,
    pub loaded: Loaded,
    pub unchanged: u32,
}

/// The categories of a page, as they lie in the tree.
pub(crate) type Found = Page<Node>;

impl Catalog {
    /// Puts the built-in tree in place where there is none.
    pub(crate) async fn plant_built_in_tree(&self) -> Result<(), Error> {
        if !self.tree().await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin(&kit_db::Scope::Platform).await?;
        taxonomy::bump(&mut tx).await?;
        for file in BUILT_IN {
            let part = files::read(file.as_bytes()).map_err(Error::FileUnreadable)?;
            self.load_part(&mut tx, &part).await?;
        }
        tx.commit().await?;
        self.doubt_tree();
        Ok(())
    }

    pub(crate) async fn import_taxonomy(&self, ctx: &Ctx, content: bytes::Bytes) -> Result<LoadReport, Error> {
        let part = tokio::task::spawn_blocking(move || files::read(&content)).await?.map_err(Error::FileUnreadable)?;
        let (name, rows) = match &part {
            Part::Categories(rows) => ("categories", rows.len()),
            Part::Attributes(rows) => ("attributes", rows.len()),
            Part::Values(rows) => ("values", rows.len()),
        };
        let mut tx = self.db.begin(&kit_db::Scope::Platform).await?;
        taxonomy::bump(&mut tx).await?;
        let loaded = self.load_part(&mut tx, &part).await?;
        let changed = loaded.created + loaded.changed;
        if changed > 0 {
            self.tell(&mut tx, ctx, changed, format!("imported {name}"), None).await?;
            tx.commit().await?;
            self.doubt_tree();
        }
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        Ok(LoadReport { part: name, loaded, unchanged: rows.saturating_sub(changed) })
    }

    async fn load_part(&self, db: &mut PgConnection, part: &Part) -> Result<Loaded, Error> {
        match part {
            Part::Categories(rows) => taxonomy::put_categories(db, rows.iter().map(|_| self.ids.uuid()).collect(), rows).await,
            Part::Attributes(rows) => taxonomy::put_attributes(db, &last_of_each(rows)).await,
            Part::Values(rows) => {
                // One statement cannot put one key twice: the last row of a key counts.
                let last: std::collections::BTreeMap<&String, &String> = rows.iter().map(|(key, name)| (key, name)).collect();
                let rows: Vec<(String, String)> = last.into_iter().map(|(key, name)| (key.clone(), name.clone())).collect();
                taxonomy::put_values(db, &rows).await
            }
        }
    }

    async fn tell(&self, db: &mut PgConnection, ctx: &Ctx, count: u32, what: String, change: Option<serde_json::Value>) -> Result<(), Error> {
        let body = api_catalog::catalog_event::Body::CategoriesChanged(api_catalog::CategoriesChanged { count, what });
        Ok(log::append(db, ctx, self.now(), event(TREE_KEY, None, "categories_changed", body, change)).await?)
    }

    pub(crate) async fn export_taxonomy(&self, part: &str) -> Result<String, Error> {
        Ok(files::write(&*self.tree().await?, part))
    }

    /// Children of a category, or with a query what is found below it.
    pub(crate) async fn list_categories(&self, parent: &str, query: &str, limit: usize, after: &str) -> Result<Found, Error> {
        let tree = self.tree().await?;
        let below = if parent.is_empty() { None } else { Some(find(&tree, parent)?.category.id) };
        let skip: usize = cursor::read(after)?.unwrap_or_default();
        let mut items: Vec<Node> = if query.trim().is_empty() {
            tree.children(below).iter().filter_map(|id| tree.get(*id)).skip(skip).take(limit + 1).cloned().collect()
        } else {
            tree.search(query, below).skip(skip).take(limit + 1).cloned().collect()
        };
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { next_cursor: if more { cursor::write(skip + limit) } else { String::new() }, items })
    }

    /// A category with all below it.
    pub(crate) async fn categories_within(&self, id_or_code: &str) -> Result<Vec<CategoryId>, Error> {
        let tree = self.tree().await?;
        Ok(tree.within(find(&tree, id_or_code)?.category.id))
    }

    /// A category, its schema, and its ancestors from the root.
    pub(crate) async fn get_category(&self, id_or_code: &str) -> Result<(Node, Vec<Effective>, Vec<Node>), Error> {
        let tree = self.tree().await?;
        let node = find(&tree, id_or_code)?;
        let ancestors = node.path_ids.iter().filter(|id| **id != node.category.id).filter_map(|id| tree.get(*id)).cloned().collect();
        Ok((node.clone(), tree.schema(node.category.id), ancestors))
    }

    pub(crate) async fn create_category(
        &self,
        ctx: &Ctx,
        code: &str,
        name: &str,
        parent: &str,
        attributes: Vec<Has>,
        tax_category: &str,
    ) -> Result<Node, Error> {
        let tree = self.tree().await?;
        let parent_code = if parent.is_empty() { String::new() } else { find(&tree, parent)?.category.code.clone() };
        known_attributes(&tree, &attributes)?;
        let category = Category {
            id: self.ids.next(),
            code: code.trim().to_owned(),
            parent_code,
            name: crate::model::richtext::plain(name),
            tax_category: tax_category.trim().to_owned(),
            attributes,
        };
        if category.code.is_empty() || category.name.is_empty() {
            return Err(Error::Invalid(vec![wrong(if category.code.is_empty() { "code" } else { "name" }, "is required")]));
        }
        let mut tx = self.db.begin(&kit_db::Scope::Platform).await?;
        taxonomy::bump(&mut tx).await?;
        taxonomy::insert_category(&mut tx, &category).await?;
        self.tell(&mut tx, ctx, 1, format!("created {}", category.code), None).await?;
        tx.commit().await?;
        self.doubt_tree();
        Ok(find(&*self.tree().await?, &category.code)?.clone())
    }

    pub(crate) async fn update_category(
        &self,
        ctx: &Ctx,
        id_or_code: &str,
        name: Option<String>,
        attributes: Option<Vec<Has>>,
        tax_category: Option<String>,
    ) -> Result<Node, Error> {
        let tree = self.tree().await?;
        let before = find(&tree, id_or_code)?.category.clone();
        let mut category = before.clone();
        if let Some(name) = name {
            category.name = crate::model::richtext::plain(&name);
        }
        if category.name.is_empty() {
            return Err(Error::field("name", "is required"));
        }
        if let Some(attributes) = attributes {
            known_attributes(&tree, &attributes)?;
            category.attributes = attributes;
        }
        if let Some(tax_category) = tax_category {
            category.tax_category = tax_category.trim().to_owned();
        }
        if category != before {
            let mut tx = self.db.begin(&kit_db::Scope::Platform).await?;
            taxonomy::bump(&mut tx).await?;
            taxonomy::update_category(&mut tx, &category).await?;
            let change = serde_json::json!({ "before": { "name": before.name, "tax_category": before.tax_category }, "after": { "name": category.name, "tax_category": category.tax_category } });
            self.tell(&mut tx, ctx, 1, format!("changed {}", category.code), Some(change)).await?;
            tx.commit().await?;
            self.doubt_tree();
        }
        Ok(find(&*self.tree().await?, &category.code)?.clone())
    }

    pub(crate) async fn delete_category(&self, ctx: &Ctx, id_or_code: &str) -> Result<(), Error> {
        let tree = self.tree().await?;
        let category = &find(&tree, id_or_code)?.category;
        let mut tx = self.db.begin(&kit_db::Scope::Platform).await?;
        taxonomy::bump(&mut tx).await?;
        if !taxonomy::delete_category(&mut tx, category.id).await? {
            return Err(Error::CategoryInUse);
        }
        self.tell(&mut tx, ctx, 1, format!("deleted {}", category.code), None).await?;
        tx.commit().await?;
        self.doubt_tree();
        Ok(())
    }

    /// Defines an attribute. Its values are given by name; their keys are made from them.
    pub(crate) async fn put_attribute(
        &self,
        ctx: &Ctx,
        key: &str,
        name: &str,
        kind: AttributeType,
        unit: &str,
        values: &[String],
    ) -> Result<(Attribute, Vec<String>), Error> {
        let mut wrongs = Vec::new();
        if !is_key(key) {
            wrongs.push(wrong("key", "may hold lower-case letters, digits, \"_\", \"-\" and \"/\" only"));
        }
        let choice = matches!(kind, AttributeType::Choice | AttributeType::Choices);
        if choice == values.is_empty() {
            wrongs.push(wrong("values", if choice { "are needed for choices" } else { "are for choices only" }));
        }
        if !wrongs.is_empty() {
            return Err(Error::Invalid(wrongs));
        }
        let tree = self.tree().await?;
        let named: Vec<(String, String)> = values.iter().map(|value| (value_key(&tree, key, value), value.trim().to_owned())).collect();
        let value_keys = named.iter().map(|(key, _)| key.clone()).collect();
        let row = AttributeRow {
            key: key.to_owned(),
            name: name.trim().to_owned(),
            kind,
            unit: unit.trim().to_owned(),
            values_from: String::new(),
            value_keys,
        };
        let mut tx = self.db.begin(&kit_db::Scope::Platform).await?;
        taxonomy::bump(&mut tx).await?;
        self.load_part(&mut tx, &Part::Values(named)).await?;
        let loaded = taxonomy::put_attributes(&mut tx, std::slice::from_ref(&row)).await?;
        if loaded.created + loaded.changed > 0 {
            self.tell(&mut tx, ctx, 1, format!("defined attribute {key}"), None).await?;
        }
        tx.commit().await?;
        self.doubt_tree();
        let tree = self.tree().await?;
        let attribute = tree.attribute(key).cloned().ok_or_else(|| Error::Unreadable(format!("attribute {key}")))?;
        let allowed = tree.allowed(&attribute);
        Ok((attribute, allowed))
    }
}

pub(crate) fn find<'t>(tree: &'t Tree, id_or_code: &str) -> Result<&'t Node, Error> {
    tree.find(id_or_code).ok_or_else(|| Error::CategoryNotFound(id_or_code.to_owned()))
}

fn known_attributes(tree: &Tree, attributes: &[Has]) -> Result<(), Error> {
    let unknown = attributes.iter().enumerate().filter(|(_, has)| tree.attribute(&has.key).is_none());
    let wrongs: Vec<_> =
        unknown.map(|(index, has)| wrong(format!("attributes[{index}].key"), format!("there is no attribute {}", has.key))).collect();
    if wrongs.is_empty() { Ok(()) } else { Err(Error::Invalid(wrongs)) }
}

/// The key of a value: the one an equal name has under this attribute already, or one made from the name.
fn value_key(tree: &Tree, attribute: &str, name: &str) -> String {
    let known = tree.attribute(attribute).and_then(|attribute| {
        tree.allowed(attribute).iter().position(|value| value == name.trim()).and_then(|place| attribute.value_keys.get(place))
    });
    let made = || {
        let word: String = name.trim().to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        format!("{attribute}__{word}")
    };
    known.cloned().unwrap_or_else(made)
}

fn last_of_each(rows: &[AttributeRow]) -> Vec<AttributeRow> {
    let last: std::collections::BTreeMap<&str, &AttributeRow> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
    let copy = |row: &AttributeRow| AttributeRow {
        key: row.key.clone(),
        name: row.name.clone(),
        kind: row.kind,
        unit: row.unit.clone(),
        values_from: row.values_from.clone(),
        value_keys: row.value_keys.clone(),
    };
    last.into_values().map(copy).collect()
}
