//! The shape of every message a contract mentions, worked out once, so that JSON and protobuf are translated without reflection.

use std::collections::HashMap;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor};

#[derive(Default)]
pub(crate) struct Schema {
    messages: Vec<Message>,
    known: HashMap<String, usize>,
}

#[derive(Default)]
pub(crate) struct Message {
    /// `google.protobuf.Timestamp`, which JSON writes as RFC 3339.
    pub(crate) is_time: bool,
    /// In the order of the contract.
    pub(crate) fields: Vec<Field>,
    by_name: HashMap<String, usize>,
    by_number: HashMap<u32, usize>,
}

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) shape: FieldShape,
    /// Absent is not the same as zero.
    pub(crate) explicit: bool,
    /// The group of fields of which one may be given.
    pub(crate) oneof: Option<String>,
    /// The bounds the contract's rules set for a number.
    pub(crate) min: Option<i64>,
    pub(crate) max: Option<i64>,
}

#[derive(Clone)]
pub(crate) enum FieldShape {
    Single,
    List,
    /// Keys of this kind; the values are the field's kind.
    Map(Kind),
}

#[derive(Clone)]
pub(crate) enum Kind {
    Text,
    Bytes,
    Bool,
    Int(Int),
    Double,
    Float,
    Enum(std::sync::Arc<Words>),
    Message(usize),
}

/// How a whole number is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Int {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
}

/// An enum's values as JSON writes them: lower-case words without the enum's name.
pub(crate) struct Words {
    pub(crate) words: Vec<(String, i32)>,
}

impl Schema {
    pub(crate) fn add(&mut self, message: &MessageDescriptor) -> usize {
        if let Some(known) = self.known.get(message.full_name()) {
            return *known;
        }
        let index = self.messages.len();
        self.known.insert(message.full_name().to_owned(), index);
        self.messages.push(Message::default());
        let fields: Vec<Field> = message.fields().map(|field| self.field(&field)).collect();
        let built = Message {
            is_time: message.full_name() == "google.protobuf.Timestamp",
            by_name: fields.iter().enumerate().map(|(at, field)| (field.name.clone(), at)).collect(),
            by_number: fields.iter().enumerate().map(|(at, field)| (field.number, at)).collect(),
            fields,
        };
        if let Some(slot) = self.messages.get_mut(index) {
            *slot = built;
        }
        index
    }

    fn field(&mut self, field: &FieldDescriptor) -> Field {
        let (kind, shape) = match field.kind() {
            ProtoKind::Message(entry) if field.is_map() => {
                (self.kind(&entry.map_entry_value_field().kind()), FieldShape::Map(self.kind(&entry.map_entry_key_field().kind())))
            }
            kind => (self.kind(&kind), if field.is_list() { FieldShape::List } else { FieldShape::Single }),
        };
        let oneof = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()).map(|oneof| oneof.name().to_owned());
        let rules = kit_rpc::contract::rules(field).unwrap_or_default();
        Field {
            name: field.name().to_owned(),
            number: field.number(),
            kind,
            shape,
            explicit: field.supports_presence(),
            oneof,
            min: rules.min,
            max: rules.max,
        }
    }

    fn kind(&mut self, kind: &ProtoKind) -> Kind {
        match kind {
            ProtoKind::String => Kind::Text,
            ProtoKind::Bytes => Kind::Bytes,
            ProtoKind::Bool => Kind::Bool,
            ProtoKind::Int32 => Kind::Int(Int::Int32),
            ProtoKind::Int64 => Kind::Int(Int::Int64),
            ProtoKind::Uint32 => Kind::Int(Int::Uint32),
            ProtoKind::Uint64 => Kind::Int(Int::Uint64),
            ProtoKind::Sint32 => Kind::Int(Int::Sint32),
            ProtoKind::Sint64 => Kind::Int(Int::Sint64),
            ProtoKind::Fixed32 => Kind::Int(Int::Fixed32),
            ProtoKind::Fixed64 => Kind::Int(Int::Fixed64),
            ProtoKind::Sfixed32 => Kind::Int(Int::Sfixed32),
            ProtoKind::Sfixed64 => Kind::Int(Int::Sfixed64),
            ProtoKind::Double => Kind::Double,
            ProtoKind::Float => Kind::Float,
            ProtoKind::Enum(of) => Kind::Enum(std::sync::Arc::new(Words::of(of))),
            ProtoKind::Message(of) => Kind::Message(self.add(of)),
        }
    }

    pub(crate) fn message(&self, index: usize) -> Option<&Message> {
        self.messages.get(index)
    }
}

impl Message {
    pub(crate) fn named(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).and_then(|at| self.fields.get(*at))
    }

    /// The place of a field among `fields`.
    pub(crate) fn numbered(&self, number: u32) -> Option<usize> {
        self.by_number.get(&number).copied()
    }
}

impl Words {
    pub(crate) fn of(of: &EnumDescriptor) -> Self {
        let prefix = format!("{}_", screaming(of.name()));
        let word = |name: &str| name.strip_prefix(&prefix).unwrap_or(name).to_lowercase();
        Self { words: of.values().map(|value| (word(value.name()), value.number())).collect() }
    }

    pub(crate) fn word(&self, number: i32) -> Option<&str> {
        self.words.iter().find(|(_, known)| *known == number).map(|(word, _)| word.as_str())
    }

    pub(crate) fn number(&self, word: &str) -> Option<i32> {
        self.said().find(|(known, _)| known == word).map(|(_, number)| *number)
    }

    /// The words a caller may say: zero means that nothing was said, and has no word.
    pub(crate) fn said(&self) -> impl Iterator<Item = &(String, i32)> {
        self.words.iter().filter(|(word, number)| *number != 0 || word != "unspecified")
    }
}

/// `OrderState` → `ORDER_STATE`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(c.to_ascii_uppercase());
    }
    text
}

impl Int {
    /// The smallest and largest number of the kind.
    pub(crate) fn range(self) -> (i128, i128) {
        match self {
            Self::Int32 | Self::Sint32 | Self::Sfixed32 => (i32::MIN.into(), i32::MAX.into()),
            Self::Int64 | Self::Sint64 | Self::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
            Self::Uint32 | Self::Fixed32 => (0, u32::MAX.into()),
            Self::Uint64 | Self::Fixed64 => (0, u64::MAX.into()),
        }
    }
}

impl Kind {
    /// Protobuf's wire type of one value.
    pub(crate) fn wire_type(&self) -> u8 {
        match self {
            Self::Text | Self::Bytes | Self::Message(_) => 2,
            Self::Int(Int::Fixed64 | Int::Sfixed64) | Self::Double => 1,
            Self::Int(Int::Fixed32 | Int::Sfixed32) | Self::Float => 5,
            Self::Bool | Self::Int(_) | Self::Enum(_) => 0,
        }
    }
}
