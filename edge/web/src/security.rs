//! What every answer says to the browser about what it may do.

use axum::response::Response;
use http::{HeaderName, HeaderValue, header};

/// Origins besides our own that a page's forms may be sent to (the payment provider's card form and its redirects); put into a
/// response's extensions by the handler.
#[derive(Debug, Clone)]
pub(crate) struct FormsTo(pub(crate) Vec<String>);

/// Origins whose scripts a page runs, and whose frames it shows (the card fields of a payment provider).
#[derive(Debug, Clone)]
pub(crate) struct ScriptsFrom(pub(crate) Vec<String>);

/// Marks a document that is a letter of ours, as mail programs show it: it brings its styles, and nothing else in it works.
#[derive(Debug, Clone)]
pub(crate) struct Letter;

const LETTER_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static("camera=(), microphone=(self), geolocation=(), payment=(), usb=()")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// Nothing inline, nothing from elsewhere but what a page names, nobody frames us.
fn policy(forms_to: &str, scripts_from: &str) -> String {
    let frames = if scripts_from.is_empty() { String::new() } else { format!("frame-src{scripts_from}; ") };
    format!(
        "default-src 'none'; script-src 'self'{scripts_from}; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{scripts_from}; {frames}manifest-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self'{forms_to}"
    )
}

/// An origin is scheme, host and port; anything else would open the policy to more than it says.
fn listed(origins: &[String]) -> String {
    let origins = origins.iter().filter(|origin| url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == **origin));
    origins.map(|origin| format!(" {origin}")).collect()
}

pub(crate) fn protect(response: &mut Response, secure: bool) {
    let forms_to = response.extensions_mut().remove::<FormsTo>().map(|forms| listed(&forms.0)).unwrap_or_default();
    let scripts_from = response.extensions_mut().remove::<ScriptsFrom>().map(|scripts| listed(&scripts.0)).unwrap_or_default();
    let letter = response.extensions_mut().remove::<Letter>().is_some();
    let policy = if letter { LETTER_POLICY.to_owned() } else { policy(&forms_to, &scripts_from) };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
}
