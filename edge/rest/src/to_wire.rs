//! JSON, path and query → protobuf. Every field that is wrong is named by its path; nothing is guessed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use kit_rpc::proto::FieldViolation;
use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::{Map, Value};

use crate::schema::{Field, FieldShape, Int, Kind, Message, Schema};

/// More violations than this help nobody.
const MOST_VIOLATIONS: usize = 50;

/// Writes one request message, from several sources.
pub(crate) struct Writer<'a> {
    schema: &'a Schema,
    out: Vec<u8>,
    path: String,
    pub(crate) violations: Vec<FieldViolation>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(schema: &'a Schema) -> Self {
        Self { schema, out: Vec::with_capacity(256), path: String::new(), violations: Vec::new() }
    }

    /// The message, or all that is wrong with it.
    pub(crate) fn finish(self) -> Result<Vec<u8>, Vec<FieldViolation>> {
        if self.violations.is_empty() { Ok(self.out) } else { Err(self.violations) }
    }

    pub(crate) fn violate(&mut self, message: impl Into<String>) {
        if self.violations.len() < MOST_VIOLATIONS {
            self.violations.push(FieldViolation { field: self.path.clone(), message: message.into() });
        }
    }

    pub(crate) fn violate_at(&mut self, path: &str, message: impl Into<String>) {
        let kept = std::mem::replace(&mut self.path, path.to_owned());
        self.violate(message);
        self.path = kept;
    }

    /// All members of a JSON object; `taken` are the fields that the address gives.
    pub(crate) fn object(&mut self, message: usize, object: &Map<String, Value>, taken: &[&str]) {
        let Some(message) = self.schema.message(message) else { return };
        for (name, value) in object {
            self.within(name, |writer| match message.named(name) {
                None => writer.violate("is not a known field"),
                Some(_) if taken.contains(&name.as_str()) => writer.violate("is given by the address, not in the body"),
                Some(field) => writer.field(field, value),
            });
        }
        self.one_of_each(message, object);
    }

    fn one_of_each(&mut self, message: &Message, object: &Map<String, Value>) {
        let given: Vec<&Field> = object.iter().filter(|(_, value)| !value.is_null()).filter_map(|(name, _)| message.named(name)).collect();
        for (at, field) in given.iter().enumerate() {
            let Some(group) = &field.oneof else { continue };
            let earlier = given.iter().take(at).find(|other| other.oneof.as_ref() == Some(group));
            if let Some(other) = earlier {
                self.within(&field.name, |writer| writer.violate(format!("cannot be given together with {}", other.name)));
            }
        }
    }

    /// Bytes of the body as they came.
    pub(crate) fn raw(&mut self, field: &Field, bytes: &[u8]) {
        self.length_delimited(field.number, bytes);
    }

    pub(crate) fn text(&mut self, field: &Field, text: &str) {
        if !text.is_empty() {
            self.length_delimited(field.number, text.as_bytes());
        }
    }

    /// One entry of a `map<string, string>`.
    pub(crate) fn entry(&mut self, field: &Field, key: &str, value: &str) {
        let kept = std::mem::take(&mut self.out);
        self.length_delimited(1, key.as_bytes());
        self.length_delimited(2, value.as_bytes());
        let entry = std::mem::replace(&mut self.out, kept);
        self.length_delimited(field.number, &entry);
    }

    /// A value from the path or the query, by the dotted path of its field.
    pub(crate) fn parameter(&mut self, message: usize, name: &str, texts: &[String]) {
        let path = name.to_owned();
        let kept = std::mem::replace(&mut self.path, path);
        self.parameter_within(message, name, texts);
        self.path = kept;
    }

    fn parameter_within(&mut self, message: usize, name: &str, texts: &[String]) {
        let Some(message) = self.schema.message(message) else { return };
        if let Some((outer, inner)) = name.split_once('.') {
            return match message.named(outer) {
                Some(Field { kind: Kind::Message(index), shape: FieldShape::Single, number, .. }) => {
                    let kept = std::mem::take(&mut self.out);
                    self.parameter_within(*index, inner, texts);
                    let nested = std::mem::replace(&mut self.out, kept);
                    self.length_delimited(*number, &nested);
                }
                Some(field @ Field { kind: Kind::Text, shape: FieldShape::Map(Kind::Text), .. }) => {
                    let field = field.clone();
                    for text in texts {
                        self.entry(&field, inner, text);
                    }
                }
                _ => self.violate("is not a known parameter"),
            };
        }
        let Some(field) = message.named(name) else { return self.violate("is not a known parameter") };
        match (&field.shape, texts) {
            (FieldShape::Single, [text]) => self.parameter_value(field, text),
            (FieldShape::Single, _) => self.violate("is given more than once"),
            (FieldShape::List, texts) => texts.iter().for_each(|text| self.parameter_value(field, text)),
            (FieldShape::Map(_), _) => self.violate(format!("is given as {name}.key=value")),
        }
    }

    /// Text is read as the field's kind would be written in JSON.
    fn parameter_value(&mut self, field: &Field, text: &str) {
        let value = match &field.kind {
            Kind::Text | Kind::Bytes | Kind::Enum(_) => Value::String(text.to_owned()),
            Kind::Bool => match text {
                "true" | "1" => Value::Bool(true),
                "false" | "0" => Value::Bool(false),
                _ => return self.violate("must be true or false"),
            },
            Kind::Int(_) | Kind::Double | Kind::Float => match serde_json::from_str::<serde_json::Number>(text) {
                Ok(number) => Value::Number(number),
                Err(_) => return self.violate("must be a number"),
            },
            Kind::Message(of) if self.schema.message(*of).is_some_and(|message| message.is_time) => Value::String(text.to_owned()),
            Kind::Message(_) => return self.violate("is given by its parts, as in name.part=value"),
        };
        self.value(field, &value, matches!(field.shape, FieldShape::List));
    }

    fn field(&mut self, field: &Field, value: &Value) {
        match (&field.shape, value) {
            // Null says the same as nothing.
            (_, Value::Null) => {}
            (FieldShape::Single, value) => self.value(field, value, false),
            (FieldShape::List, Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    let length = self.path.len();
                    self.path.push_str(&format!("[{at}]"));
                    if item.is_null() {
                        self.violate("must not be null")
                    } else {
                        self.value(field, item, true)
                    }
                    self.path.truncate(length);
                }
            }
            (FieldShape::List, _) => self.violate("must be a list"),
            (FieldShape::Map(keys), Value::Object(entries)) => {
                for (key, value) in entries {
                    self.within(key, |writer| writer.map_entry(field, keys, key, value));
                }
            }
            (FieldShape::Map(_), _) => self.violate("must be an object"),
        }
    }

    fn map_entry(&mut self, field: &Field, keys: &Kind, key: &str, value: &Value) {
        let kept = std::mem::take(&mut self.out);
        let key_field = Field {
            name: String::new(),
            number: 1,
            kind: keys.clone(),
            shape: FieldShape::Single,
            explicit: true,
            oneof: None,
            min: None,
            max: None,
        };
        let value_field = Field { number: 2, kind: field.kind.clone(), ..key_field.clone() };
        self.parameter_value(&key_field, key);
        self.value(&value_field, value, true);
        let entry = std::mem::replace(&mut self.out, kept);
        self.length_delimited(field.number, &entry);
    }

    /// Writes one value. `always`: also when it is zero, because leaving it out would lose it.
    fn value(&mut self, field: &Field, value: &Value, always: bool) {
        let always = always || field.explicit;
        match (&field.kind, value) {
            (Kind::Text, Value::String(text)) => {
                if always || !text.is_empty() {
                    self.length_delimited(field.number, text.as_bytes());
                }
            }
            (Kind::Text, _) => self.violate("must be a text"),
            (Kind::Bytes, Value::String(text)) => match BASE64.decode(text) {
                Ok(bytes) if always || !bytes.is_empty() => self.length_delimited(field.number, &bytes),
                Ok(_) => {}
                Err(_) => self.violate("must be base64"),
            },
            (Kind::Bytes, _) => self.violate("must be base64 text"),
            (Kind::Bool, Value::Bool(value)) => {
                if always || *value {
                    self.varint(field.number, u64::from(*value));
                }
            }
            (Kind::Bool, _) => self.violate("must be true or false"),
            (Kind::Int(int), Value::Number(number)) => self.whole(field, *int, number, always),
            (Kind::Int(_), _) => self.violate("must be a whole number"),
            (Kind::Double | Kind::Float, Value::Number(number)) => self.real(field, number, always),
            (Kind::Double | Kind::Float, _) => self.violate("must be a number"),
            (Kind::Enum(words), Value::String(word)) => match words.number(word) {
                Some(number) => self.varint(field.number, i64::from(number).cast_unsigned()),
                None => {
                    let known: Vec<&str> = words.said().map(|(word, _)| word.as_str()).collect();
                    self.violate(format!("must be one of {}", known.join(", ")));
                }
            },
            (Kind::Enum(_), _) => self.violate("must be a word"),
            (Kind::Message(of), value) => self.nested(field.number, *of, value),
        }
    }

    fn nested(&mut self, number: u32, message: usize, value: &Value) {
        let is_time = self.schema.message(message).is_some_and(|message| message.is_time);
        let kept = std::mem::take(&mut self.out);
        match value {
            Value::String(text) if is_time => match chrono::DateTime::parse_from_rfc3339(text) {
                Ok(time) if (0..=9999).contains(&chrono::Datelike::year(&time)) => {
                    let time = time.to_utc();
                    if time.timestamp() != 0 {
                        self.varint(1, time.timestamp().cast_unsigned());
                    }
                    if time.timestamp_subsec_nanos() != 0 {
                        self.varint(2, u64::from(time.timestamp_subsec_nanos()));
                    }
                }
                _ => self.violate("must be a time like 2026-01-31T12:00:00Z"),
            },
            _ if is_time => self.violate("must be a time like 2026-01-31T12:00:00Z"),
            Value::Object(object) => self.object(message, object, &[]),
            _ => self.violate("must be an object"),
        }
        let nested = std::mem::replace(&mut self.out, kept);
        self.length_delimited(number, &nested);
    }

    fn whole(&mut self, field: &Field, int: Int, value: &serde_json::Number, always: bool) {
        let (number, (min, max)) = (field.number, int.range());
        let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
        let Some(whole) = whole else { return self.violate("must be a whole number") };
        if whole < min || whole > max {
            // What the rules ask is narrower than what the type holds, and is what the caller has to meet.
            let (least, most) = (field.min.map_or(min, |least| min.max(least.into())), field.max.map_or(max, |most| max.min(most.into())));
            return self.violate(format!("must be between {least} and {most}"));
        }
        if whole == 0 && !always {
            return;
        }
        // In range, so one of the two holds it.
        let signed = i64::try_from(whole).unwrap_or_else(|_| u64::try_from(whole).unwrap_or_default().cast_signed());
        match int {
            Int::Int32 | Int::Int64 | Int::Uint32 | Int::Uint64 => self.varint(number, signed.cast_unsigned()),
            Int::Sint32 | Int::Sint64 => self.varint(number, ((signed << 1) ^ (signed >> 63)).cast_unsigned()),
            Int::Fixed64 | Int::Sfixed64 => {
                encode_key(number, WireType::SixtyFourBit, &mut self.out);
                self.out.extend_from_slice(&signed.to_le_bytes());
            }
            Int::Fixed32 | Int::Sfixed32 => {
                encode_key(number, WireType::ThirtyTwoBit, &mut self.out);
                self.out.extend(signed.to_le_bytes().into_iter().take(4));
            }
        }
    }

    fn real(&mut self, field: &Field, value: &serde_json::Number, always: bool) {
        let Some(value) = value.as_f64().filter(|value| value.is_finite()) else { return self.violate("must be a number") };
        if value == 0.0 && !always {
            return;
        }
        if matches!(field.kind, Kind::Float) {
            encode_key(field.number, WireType::ThirtyTwoBit, &mut self.out);
            self.out.extend_from_slice(&narrow(value).to_le_bytes());
        } else {
            encode_key(field.number, WireType::SixtyFourBit, &mut self.out);
            self.out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn varint(&mut self, number: u32, value: u64) {
        encode_key(number, WireType::Varint, &mut self.out);
        encode_varint(value, &mut self.out);
    }

    fn length_delimited(&mut self, number: u32, bytes: &[u8]) {
        encode_key(number, WireType::LengthDelimited, &mut self.out);
        encode_varint(u64::try_from(bytes.len()).unwrap_or_default(), &mut self.out);
        self.out.extend_from_slice(bytes);
    }

    fn within(&mut self, name: &str, work: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(name);
        work(self);
        self.path.truncate(length);
    }
}

#[expect(clippy::as_conversions, reason = "rounding to the nearest single-precision number is what is wanted")]
fn narrow(value: f64) -> f32 {
    value as f32
}
