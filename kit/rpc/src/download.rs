//! Files that operations answer with, to be saved under a name. The name travels beside the bytes, as metadata of the answer.

use bytes::Bytes;
use tonic::Response;
use tonic::metadata::MetadataMap;

use crate::proto::google_api::HttpBody;

const DISPOSITION: &str = "content-disposition";

/// A file to save. The name is ours and plain: letters, digits, dots and hyphens.
pub fn download(content: impl Into<Bytes>, content_type: &str, name: &str) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody { content_type: content_type.to_owned(), data: content.into() });
    if let Ok(value) = format!("attachment; filename=\"{name}\"").parse() {
        response.metadata_mut().insert(DISPOSITION, value);
    }
    response
}

/// What an answer says of the file's name, as HTTP's `content-disposition`.
pub fn disposition(answer: &MetadataMap) -> Option<http::HeaderValue> {
    answer.get(DISPOSITION).and_then(|value| http::HeaderValue::from_bytes(value.as_encoded_bytes()).ok())
}
