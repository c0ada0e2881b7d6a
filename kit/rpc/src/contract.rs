//! What contracts say beside their types: who may call an operation, what its fields must satisfy, where REST serves it.
//! Read from descriptors at start, by the layers around services and by the REST edge.

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MethodDescriptor, ReflectMessage, Value};

use crate::proto;
use crate::proto::google_api::{HttpRule, http_rule::Pattern};

/// The House default for `Rules.max_len`: characters of a text, items of a list.
pub const MAX_TEXT: u32 = 10_000;
pub const MAX_ITEMS: u32 = 1_000;

/// Who may call an operation; the default message (nothing set) admits only services.
pub fn access(method: &MethodDescriptor) -> proto::Access {
    extension(&method.options(), "kit.v1.access").unwrap_or_default()
}

/// What a field must satisfy, if the contract says anything.
pub fn rules(field: &FieldDescriptor) -> Option<proto::Rules> {
    extension(&field.options(), "kit.v1.rules")
}

/// The HTTP method and path template of a public operation, and its `body` ("" none, "*" all, or a field).
pub fn http(method: &MethodDescriptor) -> Option<(http::Method, String, String)> {
    let rule: HttpRule = extension(&method.options(), "google.api.http")?;
    let (method, path) = match rule.pattern? {
        Pattern::Get(path) => (http::Method::GET, path),
        Pattern::Put(path) => (http::Method::PUT, path),
        Pattern::Post(path) => (http::Method::POST, path),
        Pattern::Delete(path) => (http::Method::DELETE, path),
        Pattern::Patch(path) => (http::Method::PATCH, path),
    };
    Some((method, path, rule.body))
}

fn extension<M: prost::Message + Default>(options: &DynamicMessage, name: &str) -> Option<M> {
    let pool: &DescriptorPool = &options.descriptor().parent_pool().clone();
    let extension = pool.get_extension_by_name(name)?;
    if !options.has_extension(&extension) {
        return None;
    }
    match options.get_extension(&extension).as_ref() {
        Value::Message(message) => message.transcode_to().ok(),
        _ => None,
    }
}
