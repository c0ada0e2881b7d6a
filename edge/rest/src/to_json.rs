//! Protobuf → JSON, straight from the wire bytes: fields in the order of the contract, zero values written, absent ones left out.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::SecondsFormat;
use kit_core::Time;
use kit_rpc::wire::{Malformed, Reader, Value};

use crate::schema::{Field, FieldShape, Int, Kind, Message, Schema};

/// Appends a message as JSON.
pub(crate) fn write(schema: &Schema, message: usize, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let message = schema.message(message).ok_or(Malformed)?;
    if message.is_time {
        return time(bytes, out);
    }
    let values = gather(message, bytes)?;
    out.push(b'{');
    let mut first = true;
    for (field, values) in message.fields.iter().zip(&values) {
        let absent = values.is_empty() && (field.explicit || field.kind.is_message()) && matches!(field.shape, FieldShape::Single);
        if absent || unspecified(field, values) {
            continue;
        }
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        text(&field.name, out);
        out.push(b':');
        match &field.shape {
            FieldShape::Single => single(schema, &field.kind, values.last().copied(), out)?,
            FieldShape::List => list(schema, &field.kind, values, out)?,
            FieldShape::Map(keys) => map(schema, keys, &field.kind, values, out)?,
        }
    }
    out.push(b'}');
    Ok(())
}

/// A whole number inside a message by the field numbers that lead to it.
pub(crate) fn number_at(mut bytes: &[u8], path: &[u32]) -> Option<u64> {
    let (last, outer) = path.split_last()?;
    for number in outer {
        bytes = match find(bytes, *number)? {
            Value::Bytes(inner) => inner,
            _ => return None,
        };
    }
    match find(bytes, *last)? {
        Value::Varint(value) => Some(value),
        _ => None,
    }
}

fn find(bytes: &[u8], wanted: u32) -> Option<Value<'_>> {
    let mut reader = Reader::new(bytes);
    while let Ok(Some((number, value))) = reader.field() {
        if number == wanted {
            return Some(value);
        }
    }
    None
}

/// The values of each field, in the order of the fields.
fn gather<'a>(message: &Message, bytes: &'a [u8]) -> Result<Vec<Vec<Value<'a>>>, Malformed> {
    let mut values: Vec<Vec<Value>> = vec![Vec::new(); message.fields.len()];
    let mut reader = Reader::new(bytes);
    while let Some((number, value)) = reader.field()? {
        let Some(at) = message.numbered(number) else { continue };
        let (Some(field), Some(slot)) = (message.fields.get(at), values.get_mut(at)) else { continue };
        match value {
            Value::Bytes(packed) if matches!(field.shape, FieldShape::List) && field.kind.wire_type() != 2 => {
                let mut items = Reader::new(packed);
                while !items.is_empty() {
                    slot.push(items.packed(field.kind.wire_type())?);
                }
            }
            value => slot.push(value),
        }
    }
    Ok(values)
}

/// An enum that says nothing is not written.
fn unspecified(field: &Field, values: &[Value<'_>]) -> bool {
    let Kind::Enum(words) = &field.kind else { return false };
    let number = match values.last() {
        Some(Value::Varint(value)) => enum_number(*value),
        _ => 0,
    };
    matches!(field.shape, FieldShape::Single) && !words.said().any(|(_, known)| *known == number)
}

fn single(schema: &Schema, kind: &Kind, value: Option<Value<'_>>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    match (kind, value) {
        (Kind::Text, None | Some(Value::Bytes([]))) | (Kind::Bytes, None) => out.extend_from_slice(b"\"\""),
        (Kind::Text, Some(Value::Bytes(bytes))) => text(std::str::from_utf8(bytes).map_err(|_| Malformed)?, out),
        (Kind::Bytes, Some(Value::Bytes(bytes))) => text(&BASE64.encode(bytes), out),
        (Kind::Bool, value) => out.extend_from_slice(if matches!(value, Some(Value::Varint(1..))) { b"true" } else { b"false" }),
        (Kind::Int(int), value) => whole(*int, value, out)?,
        (Kind::Double, Some(Value::Fixed64(bits))) => real(f64::from_bits(bits), out),
        (Kind::Float, Some(Value::Fixed32(bits))) => real(f64::from(f32::from_bits(bits)), out),
        (Kind::Double | Kind::Float, None) => out.push(b'0'),
        (Kind::Enum(words), value) => {
            let number = if let Some(Value::Varint(value)) = value { enum_number(value) } else { 0 };
            text(words.word(number).unwrap_or("unknown"), out);
        }
        (Kind::Message(of), Some(Value::Bytes(bytes))) => write(schema, *of, bytes, out)?,
        _ => return Err(Malformed),
    }
    Ok(())
}

fn list(schema: &Schema, kind: &Kind, values: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), Malformed> {
    out.push(b'[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        single(schema, kind, Some(*value), out)?;
    }
    out.push(b']');
    Ok(())
}

/// Entries sorted by key, so that one content has one text.
fn map(schema: &Schema, keys: &Kind, kind: &Kind, values: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut entries = std::collections::BTreeMap::new();
    for value in values {
        let Value::Bytes(entry) = value else { return Err(Malformed) };
        let mut key = Vec::new();
        single(schema, keys, find(entry, 1), &mut key)?;
        if key.first() != Some(&b'"') {
            key.insert(0, b'"');
            key.push(b'"');
        }
        let value = match (find(entry, 2), kind) {
            (None, Kind::Message(_)) => Some(Value::Bytes(&[])),
            (value, _) => value,
        };
        let mut text = Vec::new();
        single(schema, kind, value, &mut text)?;
        entries.insert(key, text);
    }
    out.push(b'{');
    for (at, (key, value)) in entries.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&key);
        out.push(b':');
        out.extend_from_slice(&value);
    }
    out.push(b'}');
    Ok(())
}

fn whole(int: Int, value: Option<Value<'_>>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let narrow = |raw: u64| {
        let [a, b, c, d, ..] = raw.to_le_bytes();
        [a, b, c, d]
    };
    let written = match (int, value) {
        (_, None) => write!(out, "0"),
        (Int::Int32, Some(Value::Varint(raw))) => write!(out, "{}", i32::from_le_bytes(narrow(raw))),
        (Int::Int64, Some(Value::Varint(raw))) => write!(out, "{}", raw.cast_signed()),
        (Int::Uint32, Some(Value::Varint(raw))) => write!(out, "{}", u32::from_le_bytes(narrow(raw))),
        (Int::Uint64, Some(Value::Varint(raw))) => write!(out, "{raw}"),
        (Int::Sint32 | Int::Sint64, Some(Value::Varint(raw))) => write!(out, "{}", (raw >> 1).cast_signed() ^ -((raw & 1).cast_signed())),
        (Int::Fixed32, Some(Value::Fixed32(raw))) => write!(out, "{raw}"),
        (Int::Sfixed32, Some(Value::Fixed32(raw))) => write!(out, "{}", raw.cast_signed()),
        (Int::Fixed64, Some(Value::Fixed64(raw))) => write!(out, "{raw}"),
        (Int::Sfixed64, Some(Value::Fixed64(raw))) => write!(out, "{}", raw.cast_signed()),
        _ => return Err(Malformed),
    };
    written.map_err(|_| Malformed)
}

/// JSON has no word for what is not a number.
fn real(value: f64, out: &mut Vec<u8>) {
    match serde_json::Number::from_f64(value) {
        Some(number) => out.extend_from_slice(number.to_string().as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

fn time(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let seconds = number_at(bytes, &[1]).unwrap_or_default().cast_signed();
    let nanos = u32::try_from(number_at(bytes, &[2]).unwrap_or_default()).map_err(|_| Malformed)?;
    let time = Time::from_timestamp(seconds, nanos).ok_or(Malformed)?;
    text(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true), out);
    Ok(())
}

fn text(text: &str, out: &mut Vec<u8>) {
    // Writing text to a vector does not fail.
    let _written = serde_json::to_writer(out, text);
}

fn enum_number(raw: u64) -> i32 {
    let [a, b, c, d, ..] = raw.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

impl Kind {
    fn is_message(&self) -> bool {
        matches!(self, Self::Message(_))
    }
}
