//! The REST edge over the sample service: what a program outside sends and gets.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test tells by panicking")]

mod doorman;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use kit_rpc::{Link, Links};
use kit_sample::Stand;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::doorman::{BUYER, Doorman, OPERATOR, SELLER};

struct Client {
    stand: Stand,
    router: axum::Router,
    document: Value,
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn violations(&self) -> Vec<String> {
        assert_eq!((self.status, self.header("content-type")), (StatusCode::BAD_REQUEST, "application/problem+json"));
        let text = |violation: &Value, key: &str| violation[key].as_str().unwrap().to_owned();
        self.json()["violations"].as_array().into_iter().flatten().map(|v| format!("{}: {}", text(v, "field"), text(v, "message"))).collect()
    }
}

impl Client {
    async fn open(config: edge_rest::Config) -> Self {
        let stand = Stand::open().await.unwrap();
        let contracts: Vec<(&'static str, &'static [u8])> = vec![("shelf", kit_sample::api::DESCRIPTORS)];
        let doorman = Link::local();
        doorman.serve(tonic::service::Routes::new(Doorman));
        let links = [("shelf", stand.house.links().to("shelf").unwrap()), ("identity", doorman)];
        let links = Links::new("edge", &["shelf", "identity"], Arc::new(links.into()));
        let settings = edge_rest::Settings {
            config,
            contracts: contracts.clone(),
            links,
            ids: stand.ids.clone(),
            stop: stand.house.stopping(),
            public_url: "http://shelf.example".to_owned(),
            grpc_address: "shelf.example:8081".to_owned(),
        };
        let document = edge_rest::document(&contracts, "http://shelf.example", "shelf.example:8081").unwrap().json;
        Self { router: edge_rest::router(settings).unwrap(), stand, document }
    }

    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 1], 4000))));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer { status: head.status, headers: head.headers, body: body.collect().await.unwrap().to_bytes().to_vec() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], Body::empty()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[BUYER, JSON], body.to_string()).await
    }

    /// A book that is there, by its id.
    async fn book(&self, title: &str) -> String {
        let answer = self.post("/v1/books", json!({ "title": title, "copies": 2 })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", String::from_utf8_lossy(&answer.body));
        answer.json()["book"]["book_id"].as_str().unwrap().to_owned()
    }

    /// An answer is what the OpenAPI document says of it.
    fn conforms(&self, method: &str, template: &str, answer: &Answer) {
        let operation = &self.document["paths"][template][method];
        assert!(operation.is_object(), "{method} {template} is not in the document");
        let (case, kind) = if answer.status == StatusCode::OK { ("200", "application/json") } else { ("default", "application/problem+json") };
        let schema = &operation["responses"][case]["content"][kind]["schema"];
        let wrong = doorman::violations(&self.document, schema, &answer.json(), "");
        assert_eq!(wrong, Vec::<String>::new(), "{method} {template} answered {}", answer.json());
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn lenient() -> edge_rest::Config {
    edge_rest::Config {
        address_per_second: 0,
        account_per_second: 0,
        json_body_bytes: 4096,
        cors_origins: vec!["https://shop.example".to_owned()],
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_are_served_as_rest() {
    let client = Client::open(lenient()).await;
    everything_survives_the_way_in_and_out(&client).await;
    wrong_input_is_named(&client).await;
    paths_and_queries_fill_fields(&client).await;
    access_and_tokens(&client).await;
    versions_and_caches(&client).await;
    raw_bodies_and_streams(&client).await;
    repeated_writes(&client).await;
    problems_have_one_form(&client).await;
    other_origins_and_compression(&client).await;
    the_document_and_its_page(&client).await;
    client.stand.house.stop().await;
}

async fn everything_survives_the_way_in_and_out(client: &Client) {
    let sent = json!({
        "title": "Ünïcode \"quoted\"", "genre": "poetry",
        "pages": [{ "number": 1, "text": "a" }, { "number": 2, "text": "" }],
        "price": { "amount_minor": 9_007_199_254_740_993_i64, "currency": "EUR" },
        "added_at": "2026-02-03T04:05:06.789Z", "print": "AAEC/w==",
        "notes": { "b": "2", "a": "1" }, "copies": 9_223_372_036_854_775_807_i64, "weight": 0.25, "signed": true, "box": 0,
    });
    let answer = client.post("/v1/books", sent.clone()).await;
    client.conforms("post", "/v1/books", &answer);
    let book = &answer.json()["book"];
    for field in ["title", "genre", "pages", "price", "added_at", "print", "notes", "copies", "weight", "signed", "box"] {
        assert_eq!(book[field], sent[field], "{field}");
    }
    assert!(book.get("room").is_none() && book.get("subtitle").is_none(), "what is absent is left out");
    let plain = client.post("/v1/books", json!({ "title": "t", "copies": 1, "genre": null, "notes": null })).await.json();
    assert_eq!((&plain["book"]["pages"], &plain["book"]["signed"], plain["book"].get("genre")), (&json!([]), &json!(false), None));
}

async fn wrong_input_is_named(client: &Client) {
    let violations = async |body: Value| client.post("/v1/books", body).await.violations();
    let wrong = json!({ "titel": "x", "title": 5, "genre": "crime", "pages": [{ "number": 1.5 }, { "numbr": 1 }, null], "price": [], "added_at": "yesterday",
        "print": "%", "notes": { "a": 1 }, "copies": "3", "weight": "heavy", "signed": 1 });
    let told = violations(wrong).await;
    for expected in [
        "titel: is not a known field",
        "title: must be a text",
        "genre: must be one of novel, poetry",
        "pages[0].number: must be a whole number",
        "pages[1].numbr: is not a known field",
        "pages[2]: must not be null",
        "price: must be an object",
        "added_at: must be a time like 2026-01-31T12:00:00Z",
        "print: must be base64",
        "notes.a: must be a text",
        "copies: must be a whole number",
        "weight: must be a number",
        "signed: must be true or false",
    ] {
        assert!(told.iter().any(|told| told == expected), "{expected} is not among {told:#?}");
    }
    assert_eq!(violations(json!({ "title": "x", "copies": 1e20 })).await, ["copies: must be a whole number"]);
    assert_eq!(violations(json!({ "title": "x", "copies": 1, "box": 4_294_967_296_i64 })).await, ["box: must be between 0 and 9999"]);
    assert_eq!(violations(json!({ "title": "x", "copies": 1, "box": 1, "room": "hall" })).await.len(), 1, "one of a group");
    assert_eq!(violations(json!({ "copies": -1 })).await, ["copies: must be at least 1", "title: is required"]);
    let broken = client.send(Method::POST, "/v1/books", &[BUYER, JSON], "{\n \"title\": }").await;
    assert_eq!(broken.violations(), [": not JSON at line 2, column 11"]);
    assert_eq!(broken.json()["reason"], "MALFORMED_JSON");
    let not_json = client.send(Method::POST, "/v1/books", &[BUYER, ("content-type", "text/csv")], "a,b").await;
    assert_eq!((not_json.status, not_json.json()["reason"].clone()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, json!("UNSUPPORTED_MEDIA_TYPE")));
    let large = client.post("/v1/books", json!({ "title": "x".repeat(5000) })).await;
    assert_eq!((large.status, large.json()["reason"].clone()), (StatusCode::PAYLOAD_TOO_LARGE, json!("BODY_TOO_LARGE")));
    let list = client.send(Method::POST, "/v1/books", &[BUYER, JSON], "[]").await;
    assert_eq!(list.json()["detail"], "the body must be a JSON object");
}

async fn paths_and_queries_fill_fields(client: &Client) {
    let id = client.book("By path").await;
    let found = client.get(&format!("/v1/books/{id}")).await;
    assert_eq!(found.json()["book"]["title"], "By path");
    client.conforms("get", "/v1/books/{book_id}", &found);
    let listed = client.get("/v1/books?limit=1&genre=novel&genre=poetry&signed=true").await;
    client.conforms("get", "/v1/books", &listed);
    assert_eq!(listed.json()["books"][0]["genre"], "poetry");
    assert_eq!(client.get("/v1/books?limit=many&signed=maybe&page=2&limit.x=1").await.violations().len(), 4);
    assert_eq!(client.get("/v1/books?limit=101").await.violations(), ["limit: must be at most 100"]);
    assert_eq!(client.get("/v1/books?limit=1&limit=2").await.violations(), ["limit: is given more than once"]);
    assert_eq!(client.get("/v1/books/42").await.violations(), ["book_id: must be an id: \"bok_\" followed by 32 hexadecimal digits"]);
    let twice = client.send(Method::PATCH, &format!("/v1/books/{id}?x=1"), &[SELLER, JSON], json!({ "book_id": id }).to_string()).await;
    assert_eq!(twice.violations().len(), 2, "the path's field is not the body's, and there is no query");
}

async fn access_and_tokens(client: &Client) {
    let add = json!({ "title": "x", "copies": 1 }).to_string();
    let unsigned = client.send(Method::POST, "/v1/books", &[JSON], add.clone()).await;
    assert_eq!(
        (unsigned.status, unsigned.header("www-authenticate"), unsigned.json()["reason"].clone()),
        (StatusCode::UNAUTHORIZED, "Bearer", json!("SIGN_IN_REQUIRED"))
    );
    client.conforms("post", "/v1/books", &unsigned);
    let stranger = client.send(Method::POST, "/v1/books", &[("authorization", "Bearer nonsense"), JSON], add.clone()).await;
    assert_eq!((stranger.status, stranger.json()["reason"].clone()), (StatusCode::UNAUTHORIZED, json!("TOKEN_INVALID")));
    let id = client.book("To go").await;
    let path = format!("/v1/books/{id}");
    assert_eq!(client.send(Method::DELETE, &path, &[BUYER], Body::empty()).await.status, StatusCode::FORBIDDEN);
    let removed = client.send(Method::DELETE, &path, &[OPERATOR], Body::empty()).await;
    assert_eq!((removed.status, removed.json()), (StatusCode::OK, json!({})));
    let gone = client.get(&path).await;
    assert_eq!(
        (gone.status, gone.json()["reason"].clone(), gone.json()["code"].clone()),
        (StatusCode::NOT_FOUND, json!("BOOK_NOT_FOUND"), json!("not_found"))
    );
    let odd = client.send(Method::GET, "/v1/books", &[BUYER, ("x-tenant-id", "mine")], Body::empty()).await;
    assert!(odd.violations()[0].starts_with("X-Tenant-Id: "));
}

async fn versions_and_caches(client: &Client) {
    let id = client.book("Versioned").await;
    let path = format!("/v1/books/{id}");
    let read = client.get(&path).await;
    let tag = read.header("etag").to_owned();
    assert!(tag.starts_with("\"1-"), "{tag}");
    assert_eq!(read.header("cache-control"), "public, no-cache");
    let again = client.send(Method::GET, &path, &[("if-none-match", &tag)], Body::empty()).await;
    assert_eq!((again.status, again.body.len(), again.header("etag")), (StatusCode::NOT_MODIFIED, 0, tag.as_str()));
    let change = |title: &str| json!({ "title": title }).to_string();
    let changed = client.send(Method::PATCH, &path, &[SELLER, JSON, ("if-match", &tag)], change("Changed")).await;
    assert_eq!((changed.status, changed.json()["book"]["version"].clone()), (StatusCode::OK, json!(2)));
    let stale = client.send(Method::PATCH, &path, &[SELLER, JSON, ("if-match", &tag)], change("Lost")).await;
    assert_eq!((stale.status, stale.json()["reason"].clone()), (StatusCode::PRECONDITION_FAILED, json!("BOOK_CHANGED")));
    let unversioned = client.send(Method::POST, "/v1/books", &[BUYER, JSON, ("if-match", "\"1\"")], change("x")).await;
    assert!(unversioned.violations().contains(&"If-Match: this operation does not check versions".to_owned()));
    let untouched = client.send(Method::PATCH, &path, &[SELLER, JSON], "{}").await;
    assert_eq!(untouched.json()["book"]["title"], "Changed", "what is not given stays");
}

async fn raw_bodies_and_streams(client: &Client) {
    let id = client.book("Scanned").await;
    let path = format!("/v1/books/{id}/scan");
    let bytes: Vec<u8> = (0..=255).collect();
    let put = client.send(Method::PUT, &format!("{path}?name=front"), &[BUYER, ("content-type", "image/png")], bytes.clone()).await;
    assert_eq!(put.json(), json!({ "bytes": 256 }));
    let got = client.get(&path).await;
    assert_eq!((got.header("content-type"), &got.body), ("image/png", &bytes));
    assert_eq!(got.header("content-disposition"), "attachment; filename=\"scan.png\"");
    let varies = |answer: &Answer| answer.headers.get_all("vary").iter().any(|value| value.to_str().unwrap().contains("authorization"));
    assert!(varies(&got));
    let cover = client.get("/v1/covers/0badcafe").await;
    assert_eq!((cover.header("cache-control"), cover.header("content-disposition")), ("public, max-age=31536000, immutable", ""));
    assert!(!varies(&cover), "what never changes is the same for everybody");
    let large = client.send(Method::PUT, &path, &[BUYER], vec![0; 100_001]).await;
    assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE);
    let aloud = client.get(&format!("/v1/books/{id}/aloud?lines=3")).await;
    assert_eq!(aloud.header("content-type"), "text/event-stream");
    assert_eq!(
        String::from_utf8(aloud.body).unwrap(),
        "data: {\"line\":\"line 0\"}\n\ndata: {\"line\":\"line 1\"}\n\ndata: {\"line\":\"line 2\"}\n\n"
    );
}

async fn repeated_writes(client: &Client) {
    let add = async |title: &str| {
        let body = json!({ "title": title, "copies": 1 }).to_string();
        client.send(Method::POST, "/v1/books", &[BUYER, JSON, ("idempotency-key", "once")], body).await
    };
    let first = add("Once").await.json();
    assert_eq!(add("Once").await.json(), first);
    let other = add("Twice").await;
    assert_eq!((other.status, other.json()["reason"].clone()), (StatusCode::UNPROCESSABLE_ENTITY, json!("IDEMPOTENCY_KEY_REUSED")));
}

async fn problems_have_one_form(client: &Client) {
    let answer = client.send(Method::GET, "/v1/nowhere", &[("x-request-id", "my-id.1")], Body::empty()).await;
    assert_eq!((answer.status, answer.header("x-request-id")), (StatusCode::NOT_FOUND, "my-id.1"));
    assert_eq!(answer.json()["request_id"], "my-id.1");
    let answer = client.send(Method::DELETE, "/v1/books", &[], Body::empty()).await;
    assert_eq!((answer.status, answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET, POST"));
    assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
    for how in ["panic", "internal"] {
        let answer = client.post("/v1/break", json!({ "how": how })).await;
        assert_eq!((answer.status, answer.json()["reason"].clone()), (StatusCode::INTERNAL_SERVER_ERROR, json!("INTERNAL")));
        assert!(!String::from_utf8_lossy(&answer.body).contains("secret"));
        assert!(answer.json()["request_id"].as_str().unwrap().starts_with("req_"));
    }
}

async fn other_origins_and_compression(client: &Client) {
    let asked = [("origin", "https://shop.example"), ("access-control-request-method", "POST"), ("access-control-request-headers", "authorization")];
    let preflight = client.send(Method::OPTIONS, "/v1/books", &asked, Body::empty()).await;
    assert_eq!(preflight.header("access-control-allow-origin"), "https://shop.example");
    let stranger = client.send(Method::GET, "/v1/books", &[("origin", "https://evil.example")], Body::empty()).await;
    assert_eq!(stranger.header("access-control-allow-origin"), "");
    for encoding in ["gzip", "br", "zstd"] {
        assert_eq!(client.send(Method::GET, "/v1/books", &[("accept-encoding", encoding)], Body::empty()).await.header("content-encoding"), encoding);
    }
}

async fn the_document_and_its_page(client: &Client) {
    let document = client.get("/openapi.json").await.json();
    assert_eq!(document, client.document);
    let add = &document["paths"]["/v1/books"]["post"];
    let title = &add["requestBody"]["content"]["application/json"]["schema"]["properties"]["title"];
    assert_eq!((&title["maxLength"], &title["description"]), (&json!(40), &json!("What it says on the cover.")));
    assert_eq!((&add["x-access"], &add["x-reasons"]), (&json!({ "buyer": true, "seller": "catalog.write" }), &json!(["SHELF_FULL"])));
    assert!(document["paths"].get("/v1/books/{book_id}/aloud").is_some());
    assert!(!document.to_string().contains("CountBooks"), "what only services may call is not published");
    let page = String::from_utf8(client.get("/docs").await.body).unwrap();
    assert!(page.contains("/v1/books/{book_id}/scan") && page.contains("What it says on the cover."));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_told_when_to_come_back() {
    let client = Client::open(edge_rest::Config { address_per_second: 1, address_burst: 3, ..Default::default() }).await;
    for left in ["2", "1", "0"] {
        assert_eq!(client.get("/v1/books").await.header("x-ratelimit-remaining"), left);
    }
    let refused = client.get("/v1/books").await;
    assert_eq!(
        (refused.status, refused.header("retry-after"), refused.json()["reason"].clone()),
        (StatusCode::TOO_MANY_REQUESTS, "1", json!("RATE_LIMITED"))
    );
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(client.get("/v1/books").await.status, StatusCode::OK);
    client.stand.house.stop().await;
}
