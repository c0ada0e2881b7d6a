//! What pages are made of besides HTML: style, scripts, icons. Embedded in the binary, named by their hash, cached for ever.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;
use tower::ServiceExt;
use tower_http::CompressionLevel;
use tower_http::compression::Compression;

const FOREVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

struct Asset {
    url: String,
    kind: &'static str,
    plain: Bytes,
    /// Compressed as well as it goes, at first use: a start must not wait for it.
    brotli: OnceCell<Bytes>,
    gzip: OnceCell<Bytes>,
}

const STYLE: &str = concat!(
    include_str!("../assets/css/1-tokens.css"),
    include_str!("../assets/css/2-base.css"),
    include_str!("../assets/css/3-layout.css"),
    include_str!("../assets/css/4-components.css"),
    include_str!("../assets/css/5-buyer.css"),
    include_str!("../assets/css/6-portal.css"),
);

/// Name, media type, content. The icon sprite carries its licence in a comment, scripts of others theirs beside them in `vendor/`.
const FILES: &[(&str, &str, &[u8])] = &[
    ("app.css", "text/css; charset=utf-8", STYLE.as_bytes()),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../assets/js/app.js")),
    ("live.js", "text/javascript; charset=utf-8", include_bytes!("../assets/js/live.js")),
    ("card.js", "text/javascript; charset=utf-8", include_bytes!("../assets/js/card.js")),
    ("upload.js", "text/javascript; charset=utf-8", include_bytes!("../assets/js/upload.js")),
    ("htmx.js", "text/javascript; charset=utf-8", include_bytes!("../assets/vendor/htmx.min.js")),
    ("icons.svg", "image/svg+xml", include_bytes!("../assets/img/icons.svg")),
    ("favicon.svg", "image/svg+xml", include_bytes!("../assets/img/favicon.svg")),
    ("icon-180.png", "image/png", include_bytes!("../assets/img/icon-180.png")),
    ("icon-192.png", "image/png", include_bytes!("../assets/img/icon-192.png")),
    ("icon-512.png", "image/png", include_bytes!("../assets/img/icon-512.png")),
];

static ASSETS: LazyLock<BTreeMap<&'static str, Asset>> = LazyLock::new(|| {
    let hashed = FILES.iter().map(|(name, kind, content)| {
        let digest: String = Sha256::digest(content).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
        let url = format!("/assets/{stem}.{digest}.{ending}");
        (*name, Asset { url, kind, plain: Bytes::from_static(content), brotli: OnceCell::new(), gzip: OnceCell::new() })
    });
    hashed.collect()
});

/// Where a file is served; an unknown name gives an address that answers 404, and the test of every page notices it.
pub(crate) fn url(name: &str) -> &'static str {
    ASSETS.get(name).map_or("/assets/unknown", |asset| asset.url.as_str())
}

/// Every address and its content, for writing pages to disk.
#[cfg(test)]
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().map(|(name, _, content)| (url(name), *content))
}

pub(crate) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some(asset) = ASSETS.values().find(|asset| asset.url.strip_prefix("/assets/") == Some(name.as_str())) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let accepts = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (encoding, body) = if asset.kind == "image/png" {
        (None, asset.plain.clone())
    } else if accepts.contains("br") {
        (Some("br"), asset.brotli.get_or_init(|| compress(&asset.plain, "br")).await.clone())
    } else if accepts.contains("gzip") {
        (Some("gzip"), asset.gzip.get_or_init(|| compress(&asset.plain, "gzip")).await.clone())
    } else {
        (None, asset.plain.clone())
    };
    let mut response = Response::new(Body::from(body));
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    out.insert(header::CACHE_CONTROL, FOREVER);
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// Runs the content once through the compression layer that pages use, at its best level.
async fn compress(plain: &Bytes, encoding: &'static str) -> Bytes {
    let content = plain.clone();
    let source = tower::service_fn(move |_request: Request<()>| {
        let response = http::Response::builder().header(header::CONTENT_TYPE, "text/plain").body(Body::from(content.clone()));
        async move { response }
    });
    let request = Request::builder().header(header::ACCEPT_ENCODING, encoding).body(()).unwrap_or_default();
    let answer = Compression::new(source).quality(CompressionLevel::Best).oneshot(request).await;
    match answer {
        Ok(response) => axum::body::to_bytes(Body::new(response.into_body()), usize::MAX).await.unwrap_or_default(),
        Err(_) => Bytes::new(),
    }
}
