//! Checks a request against `kit.v1.rules` before the operation runs, on the wire bytes themselves: nothing is decoded into
//! objects, and every violation is told at once, by its path (`items[2].quantity`).

use std::collections::HashMap;

use kit_rpc::contract;
use kit_rpc::proto::FieldViolation;
use kit_rpc::wire::{Malformed, Reader, Value};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

/// More violations than this help nobody.
const MOST_VIOLATIONS: usize = 50;
/// As deep as prost reads.
const DEEPEST: usize = 100;

/// The rules of all messages reachable from some request messages.
#[derive(Default)]
pub(crate) struct Shapes {
    shapes: Vec<Shape>,
    known: HashMap<String, usize>,
}

#[derive(Default)]
struct Shape {
    /// By number, ascending.
    fields: Vec<Field>,
}

struct Field {
    number: u32,
    name: String,
    kind: FieldKind,
    list: bool,
    /// Absent is not the same as zero.
    explicit: bool,
    required: bool,
    max_len: Option<u32>,
    min: Option<i64>,
    max: Option<i64>,
    id: Option<String>,
    one_of: Vec<String>,
}

#[derive(Clone)]
enum FieldKind {
    Text,
    Bytes,
    Bool,
    /// Read as a signed number; `zigzag` for sint, `unsigned` only matters beyond `i64::MAX`.
    Int {
        zigzag: bool,
        unsigned: bool,
        narrow: bool,
    },
    Fixed64 {
        unsigned: bool,
    },
    Fixed32 {
        unsigned: bool,
    },
    Float,
    Enum(Vec<i32>),
    Message(usize),
}

/// Whose request it is decides how strict we are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// A person or program outside: stated rules and the house's default limits.
    Outside,
    /// A service: stated rules only; services send each other long lists.
    Service,
}

impl Shapes {
    /// Reads the rules of a message and of everything inside it; answers its index.
    pub(crate) fn add(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(known) = self.known.get(message.full_name()) {
            return *known;
        }
        let index = self.shapes.len();
        self.known.insert(message.full_name().to_owned(), index);
        self.shapes.push(Shape::default());
        let mut fields: Vec<Field> = message.fields().map(|field| self.field(&field)).collect();
        fields.sort_by_key(|field| field.number);
        if let Some(shape) = self.shapes.get_mut(index) {
            shape.fields = fields;
        }
        index
    }

    fn field(&mut self, field: &FieldDescriptor) -> Field {
        let rules = contract::rules(field).unwrap_or_default();
        Field {
            number: field.number(),
            name: field.name().to_owned(),
            kind: self.kind(&field.kind()),
            list: field.is_list() || field.is_map(),
            explicit: field.supports_presence(),
            required: rules.required,
            max_len: Some(rules.max_len).filter(|len| *len > 0),
            min: rules.min,
            max: rules.max,
            id: Some(rules.id).filter(|id| !id.is_empty()),
            one_of: rules.one_of,
        }
    }

    fn kind(&mut self, kind: &Kind) -> FieldKind {
        let int = |zigzag, unsigned, narrow| FieldKind::Int { zigzag, unsigned, narrow };
        match kind {
            Kind::String => FieldKind::Text,
            Kind::Bytes => FieldKind::Bytes,
            Kind::Bool => FieldKind::Bool,
            Kind::Int32 => int(false, false, true),
            Kind::Int64 => int(false, false, false),
            Kind::Uint32 => int(false, true, true),
            Kind::Uint64 => int(false, true, false),
            Kind::Sint32 => int(true, false, true),
            Kind::Sint64 => int(true, false, false),
            Kind::Fixed64 => FieldKind::Fixed64 { unsigned: true },
            Kind::Sfixed64 => FieldKind::Fixed64 { unsigned: false },
            Kind::Fixed32 => FieldKind::Fixed32 { unsigned: true },
            Kind::Sfixed32 => FieldKind::Fixed32 { unsigned: false },
            Kind::Double => FieldKind::Float,
            Kind::Float => FieldKind::Float,
            Kind::Enum(of) => FieldKind::Enum(numbers(of)),
            Kind::Message(of) => FieldKind::Message(self.add(of)),
        }
    }

    /// All violations of a request; an error when it is no such message at all.
    pub(crate) fn check(&self, shape: usize, message: &[u8], strictness: Strictness) -> Result<Vec<FieldViolation>, Malformed> {
        let mut check = Check { shapes: self, strictness, path: String::new(), violations: Vec::new(), depth: 0 };
        check.message(shape, message)?;
        Ok(check.violations)
    }
}

fn numbers(of: &EnumDescriptor) -> Vec<i32> {
    of.values().map(|value| value.number()).collect()
}

struct Check<'a> {
    shapes: &'a Shapes,
    strictness: Strictness,
    path: String,
    violations: Vec<FieldViolation>,
    depth: usize,
}

impl Check<'_> {
    fn message(&mut self, shape: usize, bytes: &[u8]) -> Result<(), Malformed> {
        let Some(shape) = self.shapes.shapes.get(shape) else { return Ok(()) };
        if self.depth >= DEEPEST {
            return Err(Malformed);
        }
        self.depth += 1;
        let mut seen = vec![Seen::default(); shape.fields.len()];
        let mut reader = Reader::new(bytes);
        while let Some((number, value)) = reader.field()? {
            let Ok(at) = shape.fields.binary_search_by_key(&number, |field| field.number) else { continue };
            if let (Some(field), Some(seen)) = (shape.fields.get(at), seen.get_mut(at)) {
                self.value(field, value, seen)?;
            }
        }
        for (field, seen) in shape.fields.iter().zip(&seen) {
            self.absence(field, seen);
        }
        self.depth -= 1;
        Ok(())
    }

    fn value(&mut self, field: &Field, value: Value<'_>, seen: &mut Seen) -> Result<(), Malformed> {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(&field.name);
        match value {
            Value::Bytes(packed) if field.list && field.kind.is_number() => {
                let mut reader = Reader::new(packed);
                while !reader.is_empty() {
                    let item = reader.packed(field.kind.wire_type())?;
                    self.item(field, item, seen)?;
                }
            }
            value => self.item(field, value, seen)?,
        }
        self.path.truncate(length);
        Ok(())
    }

    fn item(&mut self, field: &Field, value: Value<'_>, seen: &mut Seen) -> Result<(), Malformed> {
        let length = self.path.len();
        if field.list {
            self.path.push_str(&format!("[{}]", seen.count));
        }
        seen.count += 1;
        match (&field.kind, value) {
            (FieldKind::Text, Value::Bytes(bytes)) => {
                let text = std::str::from_utf8(bytes).map_err(|_| Malformed)?;
                seen.filled |= kit_core::is_visible(text);
                self.text(field, text);
            }
            (FieldKind::Bytes, Value::Bytes(bytes)) => {
                seen.filled |= !bytes.is_empty();
                if field.max_len.is_some_and(|max| !field.list && exceeds(bytes.len(), max)) {
                    self.violate(format!("must be at most {} bytes long", field.max_len.unwrap_or_default()));
                }
            }
            (FieldKind::Message(shape), Value::Bytes(bytes)) => {
                seen.filled = true;
                self.message(*shape, bytes)?;
            }
            (FieldKind::Enum(known), Value::Varint(value)) => {
                // The low 32 bits are the value, as every protobuf reader takes them.
                let value = i32::from_le_bytes(low_half(value));
                seen.filled |= value != 0;
                if self.strictness == Strictness::Outside && !known.contains(&value) {
                    self.violate("is not a known value".to_owned());
                }
            }
            (FieldKind::Bool, Value::Varint(value)) => seen.filled |= value != 0,
            (FieldKind::Float, Value::Fixed64(_) | Value::Fixed32(_)) => seen.filled = true,
            (kind, value) => {
                let number = kind.number(value).ok_or(Malformed)?;
                seen.filled |= number != 0;
                seen.number = true;
                self.number(field, number);
            }
        }
        self.path.truncate(length);
        Ok(())
    }

    fn text(&mut self, field: &Field, text: &str) {
        let default = (self.strictness == Strictness::Outside).then_some(contract::MAX_TEXT);
        if let Some(max) = field.max_len.filter(|_| !field.list).or(default)
            && exceeds(text.len(), max)
            && exceeds(text.chars().count(), max)
        {
            self.violate(format!("must be at most {max} characters long"));
        }
        if text.is_empty() {
            return;
        }
        // PostgreSQL cannot keep it, so it never gets that far.
        if text.contains('\0') {
            self.violate("must not contain the character U+0000".to_owned());
        }
        if let Some(prefix) = &field.id
            && !is_id(prefix, text)
        {
            self.violate(format!("must be an id: \"{prefix}_\" followed by 32 hexadecimal digits"));
        }
        if !field.one_of.is_empty() && !field.one_of.iter().any(|allowed| allowed == text) {
            self.violate(format!("must be one of {}", field.one_of.join(", ")));
        }
    }

    fn number(&mut self, field: &Field, number: i128) {
        match (field.min, field.max) {
            (Some(min), Some(max)) if number < i128::from(min) || number > i128::from(max) => {
                self.violate(format!("must be between {min} and {max}"))
            }
            (Some(min), None) if number < i128::from(min) => self.violate(format!("must be at least {min}")),
            (None, Some(max)) if number > i128::from(max) => self.violate(format!("must be at most {max}")),
            _ => {}
        }
    }

    /// What can only be said when the whole message has been read.
    fn absence(&mut self, field: &Field, seen: &Seen) {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(&field.name);
        let counted = field.list || (field.explicit && field.kind.is_number());
        let missing = if counted { seen.count == 0 } else { !seen.filled };
        if field.required && missing {
            self.violate("is required".to_owned());
        } else if !field.list && !field.explicit && !seen.number && field.kind.is_integer() {
            // Zero is not written on the wire where absence means zero.
            self.number(field, 0);
        }
        if field.list {
            let default = (self.strictness == Strictness::Outside).then_some(contract::MAX_ITEMS);
            if let Some(max) = field.max_len.or(default)
                && exceeds(seen.count, max)
            {
                self.violate(format!("must have at most {max} items"));
            }
        }
        self.path.truncate(length);
    }

    fn violate(&mut self, message: String) {
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(FieldViolation { field: self.path.clone(), message });
        }
    }
}

#[derive(Clone, Default)]
struct Seen {
    count: usize,
    /// Something that is not empty was there.
    filled: bool,
    number: bool,
}

impl FieldKind {
    fn is_number(&self) -> bool {
        !matches!(self, Self::Text | Self::Bytes | Self::Message(_))
    }

    fn is_integer(&self) -> bool {
        matches!(self, Self::Int { .. } | Self::Fixed32 { .. } | Self::Fixed64 { .. })
    }

    fn wire_type(&self) -> u8 {
        match self {
            Self::Fixed64 { .. } | Self::Float => 1,
            Self::Fixed32 { .. } => 5,
            Self::Text | Self::Bytes | Self::Message(_) => 2,
            Self::Bool | Self::Int { .. } | Self::Enum(_) => 0,
        }
    }

    fn number(&self, value: Value<'_>) -> Option<i128> {
        Some(match (self, value) {
            (Self::Int { zigzag: true, .. }, Value::Varint(raw)) => {
                let half = i128::from(raw >> 1);
                if raw & 1 == 1 { -half - 1 } else { half }
            }
            (Self::Int { unsigned: true, narrow: true, .. }, Value::Varint(raw)) => i128::from(u32::from_le_bytes(low_half(raw))),
            (Self::Int { unsigned: true, .. }, Value::Varint(raw)) => i128::from(raw),
            (Self::Int { narrow: true, .. }, Value::Varint(raw)) => i128::from(i32::from_le_bytes(low_half(raw))),
            (Self::Int { .. }, Value::Varint(raw)) => i128::from(raw.cast_signed()),
            (Self::Fixed64 { unsigned: true }, Value::Fixed64(raw)) => i128::from(raw),
            (Self::Fixed64 { .. }, Value::Fixed64(raw)) => i128::from(raw.cast_signed()),
            (Self::Fixed32 { unsigned: true }, Value::Fixed32(raw)) => i128::from(raw),
            (Self::Fixed32 { .. }, Value::Fixed32(raw)) => i128::from(raw.cast_signed()),
            _ => return None,
        })
    }
}

fn low_half(raw: u64) -> [u8; 4] {
    let [a, b, c, d, ..] = raw.to_le_bytes();
    [a, b, c, d]
}

fn exceeds(length: usize, max: u32) -> bool {
    u32::try_from(length).map_or(true, |length| length > max)
}

fn is_id(prefix: &str, text: &str) -> bool {
    let hex = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_'));
    hex.is_some_and(|hex| hex.len() == 32 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}
