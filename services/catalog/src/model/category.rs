//! The category tree with its attribute schemas, and the taxonomy files it comes from.

use std::collections::{BTreeMap, HashMap, HashSet};

use api_catalog::CategoryId;
use kit_core::Violation;
use serde::{Deserialize, Serialize};

use super::product::ATTRIBUTE_MAX;
use crate::error::wrong;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttributeType {
    Text,
    Number,
    Boolean,
    Choice,
    Choices,
    Date,
}

impl AttributeType {
    const WORDS: [(Self, &'static str); 6] = [
        (Self::Text, "text"),
        (Self::Number, "number"),
        (Self::Boolean, "boolean"),
        (Self::Choice, "choice"),
        (Self::Choices, "choices"),
        (Self::Date, "date"),
    ];

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }

    pub(crate) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(kind, _)| *kind == self).map_or("text", |(_, word)| word)
    }
}

/// An attribute, whatever categories have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub key: String,
    pub name: String,
    pub kind: AttributeType,
    pub unit: String,
    /// Another attribute whose values it takes.
    pub values_from: String,
    pub value_keys: Vec<String>,
}

/// That a category has an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Has {
    pub key: String,
    pub required: bool,
    pub facet: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Category {
    pub id: CategoryId,
    pub code: String,
    pub parent_code: String,
    pub name: String,
    /// Empty: the parent's.
    pub tax_category: String,
    pub attributes: Vec<Has>,
}

/// An attribute as it applies to one category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Effective {
    pub key: String,
    pub name: String,
    pub kind: AttributeType,
    pub unit: String,
    pub values: Vec<String>,
    pub required: bool,
    pub facet: bool,
    pub inherited_from: String,
}

/// A category in its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub category: Category,
    pub path: Vec<String>,
    /// From the root, itself last.
    pub path_ids: Vec<CategoryId>,
    pub children: Vec<CategoryId>,
    pub tax_category: String,
    /// The path in lower case, for searching.
    folded: String,
}

/// The whole tree, made once from what is stored and then only read.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    nodes: HashMap<CategoryId, Node>,
    by_code: HashMap<String, CategoryId>,
    by_path: HashMap<String, CategoryId>,
    roots: Vec<CategoryId>,
    /// Depth first, children by name.
    order: Vec<CategoryId>,
    attributes: HashMap<String, Attribute>,
    value_names: HashMap<String, String>,
}

pub(crate) const STANDARD_TAX: &str = "standard";
/// Deeper trees, and cycles with them, are cut here.
const MAX_LEVELS: usize = 16;

impl Tree {
    pub(crate) fn new(categories: Vec<Category>, attributes: Vec<Attribute>, values: Vec<(String, String)>) -> Self {
        let mut tree = Self {
            attributes: attributes.into_iter().map(|attribute| (attribute.key.clone(), attribute)).collect(),
            value_names: values.into_iter().collect(),
            ..Self::default()
        };
        tree.by_code = categories.iter().map(|category| (category.code.clone(), category.id)).collect();
        let mut children: HashMap<String, Vec<Category>> = HashMap::new();
        for category in categories {
            // A category whose parent is not there (its file has not come yet) stands as a root until it is.
            let parent = if tree.by_code.contains_key(&category.parent_code) { category.parent_code.clone() } else { String::new() };
            children.entry(parent).or_default().push(category);
        }
        for siblings in children.values_mut() {
            siblings.sort_by(|a, b| a.name.cmp(&b.name).then(a.code.cmp(&b.code)));
        }
        tree.roots = tree.place(&mut children, "", &[], &[], STANDARD_TAX);
        tree
    }

    /// Places the children of one category, and theirs.
    fn place(
        &mut self,
        waiting: &mut HashMap<String, Vec<Category>>,
        parent: &str,
        path: &[String],
        ids: &[CategoryId],
        tax: &str,
    ) -> Vec<CategoryId> {
        if path.len() >= MAX_LEVELS {
            return Vec::new();
        }
        let mut placed = Vec::new();
        for category in waiting.remove(parent).unwrap_or_default() {
            let (id, code) = (category.id, category.code.clone());
            let path: Vec<String> = path.iter().cloned().chain([category.name.clone()]).collect();
            let path_ids: Vec<CategoryId> = ids.iter().copied().chain([id]).collect();
            let tax_category = if category.tax_category.is_empty() { tax.to_owned() } else { category.tax_category.clone() };
            let folded = path.join(" > ").to_lowercase();
            self.order.push(id);
            self.by_path.insert(folded.clone(), id);
            let children = self.place(waiting, &code, &path, &path_ids, &tax_category);
            self.nodes.insert(id, Node { category, path, path_ids, children, tax_category, folded });
            placed.push(id);
        }
        placed
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub(crate) fn get(&self, id: CategoryId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&Attribute> {
        self.attributes.get(key)
    }

    /// By id or code.
    pub(crate) fn find(&self, id_or_code: &str) -> Option<&Node> {
        let id = self.by_code.get(id_or_code).copied().or_else(|| id_or_code.parse().ok())?;
        self.nodes.get(&id)
    }

    /// As a feed may name it: id, code, full path ("Electronics > Audio"), or the last name where only one category has it.
    pub(crate) fn guess(&self, text: &str) -> Option<&Node> {
        let text = text.trim();
        let folded = text.split('>').map(str::trim).collect::<Vec<_>>().join(" > ").to_lowercase();
        let by_path = || self.by_path.get(&folded).and_then(|id| self.nodes.get(id));
        let by_name = || {
            let mut named = self.nodes.values().filter(|node| node.category.name.to_lowercase() == folded);
            named.next().filter(|_| named.next().is_none())
        };
        self.find(text).or_else(by_path).or_else(by_name)
    }

    /// The children of a category, or the roots.
    pub(crate) fn children(&self, parent: Option<CategoryId>) -> &[CategoryId] {
        match parent {
            None => &self.roots,
            Some(parent) => self.nodes.get(&parent).map(|node| node.children.as_slice()).unwrap_or_default(),
        }
    }

    /// Categories whose path holds all words, nearer to the root first within the tree's order.
    pub(crate) fn search<'t>(&'t self, query: &str, below: Option<CategoryId>) -> impl Iterator<Item = &'t Node> {
        let words: Vec<String> = query.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let nodes = self.order.iter().filter_map(|id| self.nodes.get(id));
        nodes.filter(move |node| below.is_none_or(|below| node.path_ids.contains(&below)) && words.iter().all(|word| node.folded.contains(word)))
    }

    /// A category with all below it.
    pub(crate) fn within(&self, id: CategoryId) -> Vec<CategoryId> {
        let mut all = vec![id];
        let mut next = 0;
        while let Some(id) = all.get(next).copied() {
            all.extend(self.children(Some(id)));
            next += 1;
        }
        all
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Node> {
        self.order.iter().filter_map(|id| self.nodes.get(id))
    }

    pub(crate) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        let sorted: BTreeMap<&String, &Attribute> = self.attributes.iter().collect();
        sorted.into_values()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&String, &String)> {
        let sorted: BTreeMap<&String, &String> = self.value_names.iter().collect();
        sorted.into_iter()
    }

    /// The names of the values an attribute allows.
    pub(crate) fn allowed(&self, attribute: &Attribute) -> Vec<String> {
        self.allowed_names(attribute).cloned().collect()
    }

    fn allowed_names<'t>(&'t self, attribute: &'t Attribute) -> impl Iterator<Item = &'t String> {
        let source = if attribute.values_from.is_empty() { Some(attribute) } else { self.attributes.get(&attribute.values_from) };
        let keys = source.map(|source| source.value_keys.as_slice()).unwrap_or_default();
        keys.iter().map(|key| self.value_names.get(key).unwrap_or(key))
    }

    /// The attributes of a category, its ancestors' included; the nearest definition of a key wins.
    pub(crate) fn schema(&self, id: CategoryId) -> Vec<Effective> {
        let Some(node) = self.nodes.get(&id) else { return Vec::new() };
        let mut seen = HashSet::new();
        let mut schema = Vec::new();
        for from in node.path_ids.iter().rev().filter_map(|id| self.nodes.get(id)) {
            for has in &from.category.attributes {
                let Some(attribute) = self.attributes.get(&has.key).filter(|_| seen.insert(has.key.clone())) else { continue };
                let inherited_from = if from.category.id == id { String::new() } else { from.category.code.clone() };
                schema.push(self.effective(attribute, has, inherited_from));
            }
        }
        schema
    }

    /// Key and name of the attributes a category's products must have.
    pub(crate) fn required(&self, id: CategoryId) -> Vec<(&str, &str)> {
        let Some(node) = self.nodes.get(&id) else { return Vec::new() };
        let mut seen = HashSet::new();
        let all = node.path_ids.iter().rev().filter_map(|id| self.nodes.get(id)).flat_map(|node| &node.category.attributes);
        let nearest = all.filter(|has| seen.insert(has.key.as_str())).filter(|has| has.required);
        nearest.filter_map(|has| self.attributes.get(&has.key)).map(|attribute| (attribute.key.as_str(), attribute.name.as_str())).collect()
    }

    fn effective(&self, attribute: &Attribute, has: &Has, inherited_from: String) -> Effective {
        Effective {
            key: attribute.key.clone(),
            name: attribute.name.clone(),
            kind: attribute.kind,
            unit: attribute.unit.clone(),
            values: self.allowed(attribute),
            required: has.required,
            facet: has.facet,
            inherited_from,
        }
    }

    /// One attribute of a category, without building the whole schema.
    pub(crate) fn applies(&self, id: CategoryId, key: &str) -> Option<(&Attribute, bool)> {
        let node = self.nodes.get(&id)?;
        let has = node
            .path_ids
            .iter()
            .rev()
            .filter_map(|id| self.nodes.get(id))
            .find_map(|node| node.category.attributes.iter().find(|has| has.key == key))?;
        Some((self.attributes.get(key)?, has.facet))
    }

    /// Reads the value of an attribute as its category's schema types it; keys outside the schema are plain text.
    pub(crate) fn read_value(&self, category: Option<CategoryId>, key: &str, text: &str) -> Result<Vec<String>, Violation> {
        let refuse = |message: String| Err(wrong(format!("attributes.{key}"), message));
        if !is_key(key) {
            return refuse("an attribute's key is 1 to 100 lower-case letters, digits, \"_\", \"-\", \"/\"".to_owned());
        }
        let text = super::richtext::plain(text);
        if text.chars().count() > ATTRIBUTE_MAX {
            return refuse(format!("is longer than {ATTRIBUTE_MAX} characters"));
        }
        let Some((attribute, _)) = category.and_then(|category| self.applies(category, key)) else { return Ok(vec![text]) };
        match attribute.kind {
            AttributeType::Text => Ok(vec![text]),
            AttributeType::Number if is_number(&text) => Ok(vec![text]),
            AttributeType::Number => refuse(format!("must be a number{}", in_unit(&attribute.unit))),
            AttributeType::Boolean => match text.to_lowercase().as_str() {
                "true" | "yes" | "1" => Ok(vec!["true".to_owned()]),
                "false" | "no" | "0" => Ok(vec!["false".to_owned()]),
                _ => refuse("must be true or false".to_owned()),
            },
            AttributeType::Date if chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").is_ok() => Ok(vec![text]),
            AttributeType::Date => refuse("must be a day like 2026-05-31".to_owned()),
            AttributeType::Choice => Ok(vec![self.choose(attribute, key, &text)?]),
            AttributeType::Choices => text.split('|').map(|one| self.choose(attribute, key, one.trim())).collect(),
        }
    }

    fn choose(&self, attribute: &Attribute, key: &str, text: &str) -> Result<String, Violation> {
        let folded = text.to_lowercase();
        let found = self.allowed_names(attribute).find(|value| value.to_lowercase() == folded);
        found.cloned().ok_or_else(|| {
            let some: Vec<&str> = self.allowed_names(attribute).take(8).map(String::as_str).collect();
            wrong(
                format!("attributes.{key}"),
                format!("\"{}\" is not one of the allowed values ({}…)", text.chars().take(60).collect::<String>(), some.join(", ")),
            )
        })
    }
}

fn in_unit(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" in {unit}") }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.len() <= 15 && part.bytes().all(|b| b.is_ascii_digit());
    plain(whole) && plain(fraction)
}

pub(crate) fn is_key(key: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'/');
    (1..=100).contains(&key.len()) && key.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn category(number: u128, code: &str, parent: &str, name: &str, attributes: &[&str]) -> Category {
        let attributes = attributes.iter().map(|key| Has { key: (*key).to_owned(), required: *key == "size", facet: true }).collect();
        let id = CategoryId::from(Uuid::from_u128(number));
        Category { id, code: code.to_owned(), parent_code: parent.to_owned(), name: name.to_owned(), tax_category: String::new(), attributes }
    }

    fn tree() -> Tree {
        let attribute = |key: &str, kind, values: &[&str]| Attribute {
            key: key.to_owned(),
            name: key.to_owned(),
            kind,
            unit: String::new(),
            values_from: String::new(),
            value_keys: values.iter().map(|value| (*value).to_owned()).collect(),
        };
        let attributes = vec![
            attribute("color", AttributeType::Choices, &["color__black", "color__red"]),
            attribute("size", AttributeType::Choice, &["s", "m"]),
            attribute("width", AttributeType::Number, &[]),
        ];
        let categories = vec![
            category(3, "aa-1-1", "aa-1", "Shirts", &["size"]),
            category(1, "aa", "", "Clothing", &["color"]),
            category(2, "aa-1", "aa", "Tops", &["width"]),
            category(4, "lost", "nowhere", "Orphans", &[]),
        ];
        Tree::new(categories, attributes, vec![("color__black".to_owned(), "Black".to_owned()), ("color__red".to_owned(), "Red".to_owned())])
    }

    #[test]
    fn a_category_inherits_its_ancestors_attributes() {
        let tree = tree();
        let shirts = tree.guess("clothing > tops > shirts").unwrap();
        assert_eq!(shirts.path, ["Clothing", "Tops", "Shirts"]);
        let schema = tree.schema(shirts.category.id);
        let found: Vec<(&str, &str)> = schema.iter().map(|a| (a.key.as_str(), a.inherited_from.as_str())).collect();
        assert_eq!(found, [("size", ""), ("width", "aa-1"), ("color", "aa")]);
        assert!(schema[0].required);
        assert_eq!(tree.guess("Shirts").unwrap().category.code, "aa-1-1");
        assert_eq!(tree.search("cloth shirt", None).count(), 1);
        assert_eq!(tree.within(CategoryId::from(Uuid::from_u128(1))).len(), 3);
        assert!(tree.children(None).contains(&CategoryId::from(Uuid::from_u128(4))));
    }

    #[test]
    fn values_are_read_by_the_schema() {
        let tree = tree();
        let shirts = Some(CategoryId::from(Uuid::from_u128(3)));
        assert_eq!(tree.read_value(shirts, "color", "black | RED").unwrap(), ["Black", "Red"]);
        assert!(tree.read_value(shirts, "color", "mauve").is_err());
        assert_eq!(tree.read_value(None, "color", "mauve").unwrap(), ["mauve"]);
        assert!(tree.read_value(shirts, "width", "12cm").is_err());
        assert_eq!(tree.read_value(shirts, "width", "12.5").unwrap(), ["12.5"]);
        assert_eq!(tree.read_value(shirts, "model", "AM53BK").unwrap(), ["AM53BK"]);
        assert!(tree.read_value(shirts, "Bad Key", "x").is_err());
    }
}
