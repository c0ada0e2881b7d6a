//! The web edge over links that nobody serves: what it must do by itself, and how it stands while the market behind it is away.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use kit_core::{Clock, Ids};
use kit_rpc::{Link, Links};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

fn market(public_url: &str) -> Router {
    let all: BTreeMap<&'static str, Link> = edge_web::CALLS.iter().map(|name| (*name, Link::local())).collect();
    let links = Links::new("web", edge_web::CALLS, Arc::new(all));
    let settings = edge_web::Settings { public_url: public_url.to_owned(), ..Default::default() };
    edge_web::router(settings, &links, Clock::System, Ids::new(Clock::System), CancellationToken::new()).unwrap()
}

async fn ask(market: &Router, request: Request<Body>) -> (Response<()>, String) {
    let (parts, body) = market.clone().oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(Body::new(body), usize::MAX).await.unwrap();
    (Response::from_parts(parts, ()), String::from_utf8_lossy(&body).into_owned())
}

async fn get(market: &Router, path: &str) -> (Response<()>, String) {
    ask(market, Request::get(path).body(Body::empty()).unwrap()).await
}

fn text(response: &Response<()>, name: header::HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn cookies(response: &Response<()>) -> Vec<&str> {
    response.headers().get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn the_front_door_opens_while_the_market_is_away() {
    let market = market("http://127.0.0.1:8080");
    let (response, body) = get(&market, "/").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(body.contains("The stalls are still going up"));
    for page in ["/sign-in", "/sign-up", "/forgot", "/cart", "/sell", "/offline", "/robots.txt", "/manifest.webmanifest", "/sw.js"] {
        assert_eq!(get(&market, page).await.0.status(), StatusCode::OK, "{page}");
    }
    let (response, body) = get(&market, "/search?q=lamp").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("We will be right back") && body.contains("req_"));
}

#[tokio::test]
async fn an_unknown_address_has_a_page_of_its_own() {
    let (response, body) = get(&market("http://127.0.0.1:8080"), "/no/such/page").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(body.contains("There is nothing here"));
}

#[tokio::test]
async fn every_answer_says_what_the_browser_may_do() {
    let market = market("https://market.example");
    for page in ["/", "/no/such/page", "/search", "/cart"] {
        let (response, _) = get(&market, page).await;
        let policy = text(&response, header::CONTENT_SECURITY_POLICY);
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{page}: {policy}");
        assert_eq!(text(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
        assert!(!text(&response, header::STRICT_TRANSPORT_SECURITY).is_empty());
        assert!(cookies(&response).iter().all(|cookie| cookie.starts_with("__Host-")
            && cookie.contains("Secure")
            && cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Lax")));
    }
}

#[tokio::test]
async fn a_form_without_its_proof_is_refused() {
    let market = market("http://127.0.0.1:8080");
    let (response, _) = get(&market, "/sign-in").await;
    let token = cookies(&response).iter().find_map(|cookie| cookie.strip_prefix("mh_csrf=")?.split(';').next().map(str::to_owned)).unwrap();
    let post = |cookie: &str, body: &str, site: &str| {
        let request = Request::post("/theme")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::COOKIE, format!("mh_csrf={cookie}"));
        let request = if site.is_empty() { request } else { request.header("sec-fetch-site", site) };
        request.body(Body::from(body.to_owned())).unwrap()
    };
    let proven = format!("theme=dark&next=%2Fcart&csrf={token}");
    for (cookie, body, site) in [
        (token.as_str(), "theme=dark", ""),
        ("", proven.as_str(), ""),
        (&token, "theme=dark&csrf=00000000000000000000000000000000", ""),
        (&token, &proven, "cross-site"),
        (&token, &proven, "same-site"),
    ] {
        let (response, _) = ask(&market, post(cookie, body, site)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{cookie} {body} {site}");
        assert!(cookies(&response).iter().all(|cookie| !cookie.starts_with("mh_theme")));
    }
    let (response, _) = ask(&market, post(&token, &proven, "same-origin")).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(text(&response, header::LOCATION), "/cart");
    assert!(cookies(&response).iter().any(|cookie| cookie.starts_with("mh_theme=dark")));
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused_and_not_read_to_its_end() {
    let market = market("http://127.0.0.1:8080");
    let request = Request::post("/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(vec![b'a'; 10 * 1024 * 1024]))
        .unwrap();
    let (response, _) = ask(&market, request).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_has_to_sign_in_comes_back_to_where_they_were() {
    let (response, _) = get(&market("http://127.0.0.1:8080"), "/account/addresses?x=1").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(text(&response, header::LOCATION), "/sign-in?next=%2Faccount%2Faddresses%3Fx%3D1");
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_compressed_once() {
    let market = market("http://127.0.0.1:8080");
    let (_, page) = get(&market, "/").await;
    let style = page.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let (plain, body) = get(&market, style).await;
    assert!(text(&plain, header::CACHE_CONTROL).contains("immutable"));
    for encoding in ["br", "gzip"] {
        let request = Request::get(style).header(header::ACCEPT_ENCODING, encoding).body(Body::empty()).unwrap();
        let (parts, compressed) = market.clone().oneshot(request).await.unwrap().into_parts();
        let compressed = axum::body::to_bytes(Body::new(compressed), usize::MAX).await.unwrap();
        assert_eq!(parts.headers.get(header::CONTENT_ENCODING).unwrap(), encoding);
        assert!(compressed.len() * 3 < body.len(), "{encoding}: {} of {}", compressed.len(), body.len());
    }
    assert_eq!(get(&market, "/assets/app.000000000000.css").await.0.status(), StatusCode::NOT_FOUND);
}
