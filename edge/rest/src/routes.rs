//! Finds the operation of a path. Templates are those of `google.api.http`: literal segments and `{field}`, the latter also inside a
//! segment (`products.{format}`). A literal beats a field.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::Method;

use crate::operation::Operation;

#[derive(Default)]
pub(crate) struct Routes {
    root: Node,
}

#[derive(Default)]
struct Node {
    literals: HashMap<String, Node>,
    /// By text before and after the field; the longest fixed text is tried first.
    fields: Vec<(String, String, Node)>,
    /// The operations that end here.
    ends: BTreeMap<String, Arc<Operation>>,
}

/// What a path leads to.
pub(crate) enum Found<'a> {
    Operation(&'a Arc<Operation>, Vec<String>),
    /// The path exists, with these methods.
    OtherMethods(Vec<String>),
    Nothing,
}

/// One segment of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    Field { before: String, name: String, after: String },
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RouteError {
    #[error("{0}: a path template is segments of text and {{field}} like /v1/orders/{{order_id}}")]
    Template(String),
    #[error("{method} {path} is claimed by {first} and {second}")]
    Twice { method: String, path: String, first: String, second: String },
}

pub(crate) fn template(path: &str) -> Result<Vec<Segment>, RouteError> {
    let malformed = || RouteError::Template(path.to_owned());
    let rest = path.strip_prefix('/').ok_or_else(malformed)?;
    rest.split('/')
        .map(|segment| match segment.split_once('{') {
            None if segment.is_empty() || segment.contains('}') => Err(malformed()),
            None => Ok(Segment::Literal(segment.to_owned())),
            Some((before, field)) => {
                let (name, after) =
                    field.split_once('}').filter(|(name, after)| !name.is_empty() && !after.contains(['{', '}'])).ok_or_else(malformed)?;
                Ok(Segment::Field { before: before.to_owned(), name: name.to_owned(), after: after.to_owned() })
            }
        })
        .collect()
}

impl Routes {
    pub(crate) fn add(&mut self, operation: Arc<Operation>) -> Result<(), RouteError> {
        let segments = operation.template.clone();
        self.root.add(&segments, operation)
    }

    /// `HEAD` finds what `GET` does.
    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Some(rest) = path.strip_prefix('/') else { return Found::Nothing };
        let segments: Vec<String> = rest.split('/').map(decode).collect();
        let mut captured = Vec::new();
        let Some(node) = self.root.walk(&segments, &mut captured) else { return Found::Nothing };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        match node.ends.get(method.as_str()) {
            Some(operation) => Found::Operation(operation, captured),
            None => Found::OtherMethods(node.ends.keys().cloned().collect()),
        }
    }
}

impl Node {
    /// Where a field with this text around it leads.
    fn lead(&mut self, before: &str, after: &str, rest: &[Segment], operation: Arc<Operation>) -> Result<(), RouteError> {
        if let Some((.., node)) = self.fields.iter_mut().find(|(b, a, _)| b == before && a == after) {
            return node.add(rest, operation);
        }
        let mut node = Self::default();
        node.add(rest, operation)?;
        let at = self.fields.partition_point(|(b, a, _)| b.len() + a.len() >= before.len() + after.len());
        self.fields.insert(at, (before.to_owned(), after.to_owned(), node));
        Ok(())
    }

    fn add(&mut self, segments: &[Segment], operation: Arc<Operation>) -> Result<(), RouteError> {
        match segments.split_first() {
            Some((Segment::Literal(text), rest)) => self.literals.entry(text.clone()).or_default().add(rest, operation),
            Some((Segment::Field { before, after, .. }, rest)) => self.lead(before, after, rest, operation),
            None => match self.ends.get(operation.verb.as_str()) {
                Some(first) => {
                    let (first, second) = (first.name.clone(), operation.name.clone());
                    Err(RouteError::Twice { method: operation.verb.to_string(), path: operation.path.clone(), first, second })
                }
                None => {
                    self.ends.insert(operation.verb.to_string(), operation);
                    Ok(())
                }
            },
        }
    }

    fn walk(&self, segments: &[String], captured: &mut Vec<String>) -> Option<&Self> {
        let Some((segment, rest)) = segments.split_first() else {
            return Some(self).filter(|node| !node.ends.is_empty());
        };
        if let Some(found) = self.literals.get(segment).and_then(|node| node.walk(rest, captured)) {
            return Some(found);
        }
        for (before, after, node) in &self.fields {
            let value = segment.strip_prefix(before.as_str()).and_then(|value| value.strip_suffix(after.as_str()));
            let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
            let kept = captured.len();
            captured.push(value.to_owned());
            if let Some(found) = node.walk(rest, captured) {
                return Some(found);
            }
            captured.truncate(kept);
        }
        None
    }
}

/// Percent-decoded, after splitting, so that `%2F` stays inside its segment.
fn decode(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, tail)) = rest.split_first() {
        let escaped = (*byte == b'%').then(|| tail.split_at_checked(2)).flatten();
        let value = escaped.and_then(|(hex, after)| Some((u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?, after)));
        match value {
            Some((value, after)) => {
                decoded.push(value);
                rest = after;
            }
            None => {
                decoded.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
