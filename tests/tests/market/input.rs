//! What a program outside may get wrong: a refusal that names what is wrong, never an error of ours, and nothing done.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Caller, Goods, Http, Market, PASSWORD, Seller, address, eventually, list, text};

struct Case {
    name: &'static str,
    method: &'static str,
    path: String,
    caller: Caller,
    content_type: &'static str,
    body: Vec<u8>,
    statuses: &'static [u16],
    /// A field that the refusal must name; empty when no field is to blame.
    field: &'static str,
}

fn case(
    name: &'static str,
    method: &'static str,
    path: &str,
    caller: &Caller,
    body: impl Into<Vec<u8>>,
    statuses: &'static [u16],
    field: &'static str,
) -> Case {
    Case { name, method, path: path.to_owned(), caller: caller.clone(), content_type: "application/json", body: body.into(), statuses, field }
}

/// Asks every case and tells all that came out otherwise at once.
async fn refuse(http: &Http, cases: impl IntoIterator<Item = Case>) {
    let mut sins = Vec::new();
    for case in cases {
        let answer = http.send(case.method, &case.path, &case.caller, &[("content-type", case.content_type)], case.body.clone()).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                sins.push(format!("{}: no answer: {error}", case.name));
                continue;
            }
        };
        let told = String::from_utf8_lossy(&answer.bytes).chars().take(400).collect::<String>();
        let named = case.field.is_empty() || answer.fields().iter().any(|field| field.contains(case.field));
        let says = |what: &str| answer.json.get(what).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let explained = answer.content_type == "application/problem+json" && says("reason") && says("detail");
        if !case.statuses.contains(&answer.status) || !named || !explained {
            sins.push(format!("{}: wanted {:?} naming {:?}, got {} {told}", case.name, case.statuses, case.field, answer.status));
        }
    }
    assert!(sins.is_empty(), "{}", sins.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_by_its_name() {
    let mut market = Market::open().await;
    let seller = market.seller("anna").await;
    let goods = seller.sells("Stoneware Mug", 1200, 10).await;
    let buyer = market.buyer("ada").await;
    let cases =
        [not_json(&seller), products(&seller), numbers_and_ids(&seller, &goods), tokens(&seller), buying(&buyer.caller, &goods), uploads(&seller)];
    refuse(&market.http, cases.into_iter().flatten()).await;
    keys_of_idempotency(&market.http, &seller).await;
    feeds_of_all_kinds(&seller).await;
    feeds_with_bad_rows(&seller).await;
    assert_eq!(seller.stock(&goods).await, (10, 0), "nothing of all this did anything");
    assert_eq!(list(&seller.get("/v1/products").await, "/products").len(), 2, "the mug, and the one good row of the bad feed");
    market.kill();
    tokens_end(&mut market).await;
    let errors = market.complaints();
    assert!(!errors.contains("panicked") && !errors.contains("internal error"), "{errors}");
}

fn not_json(seller: &Seller) -> Vec<Case> {
    let by = &seller.caller;
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let long = json!({ "title": "x".repeat(10 << 20) }).to_string();
    let mut form = case("a form where JSON belongs", "POST", "/v1/warehouses", by, "code=x", &[400, 415], "");
    form.content_type = "application/x-www-form-urlencoded";
    vec![
        case("broken off", "POST", "/v1/products", by, r#"{"title": "#, &[400], ""),
        case("no body", "POST", "/v1/products", by, "", &[400], ""),
        case("a list", "POST", "/v1/products", by, "[]", &[400], ""),
        case("a text", "POST", "/v1/products", by, "\"mug\"", &[400], ""),
        case("not UTF-8", "POST", "/v1/products", by, b"{\"title\": \"\xff\xfe\"}".to_vec(), &[400], ""),
        case("nested without end", "POST", "/v1/products", by, deep, &[400], ""),
        case("a title of 10 MB", "POST", "/v1/products", by, long.clone(), &[413], ""),
        case("a title of 10 MB from nobody", "POST", "/v1/products", &Caller::default(), long.clone(), &[401, 413], ""),
        case("a title of 10 MB to nowhere", "POST", "/v1/prodcuts", by, long.clone(), &[404], ""),
        case("a title of 10 MB by another method", "PUT", "/v1/products", by, long.clone(), &[404, 405], ""),
        case("no such operation", "POST", "/v1/prodcuts", by, "{}", &[404], ""),
        case("no such method", "PUT", "/v1/products", by, "{}", &[404, 405], ""),
        form,
    ]
}

fn products(seller: &Seller) -> Vec<Case> {
    let by = &seller.caller;
    let variant = json!({ "sku": "x", "price": { "amount_minor": 100, "currency": "USD" } });
    let product = |change: &str, value: Value| {
        let mut body = json!({ "title": "Mug", "variants": [variant] });
        match change.strip_prefix("variant.") {
            Some(name) => body["variants"][0][name] = value,
            None => body[change] = value,
        }
        body.to_string()
    };
    let price = |amount: Value, currency: &str| product("variant.price", json!({ "amount_minor": amount, "currency": currency }));
    let at = "/v1/products";
    vec![
        case("a field that does not exist", "POST", at, by, product("titel", json!("x")), &[400], "titel"),
        case("a number for a text", "POST", at, by, product("title", json!(5)), &[400], "title"),
        case("nothing for a text", "POST", at, by, product("title", json!("")), &[400], "title"),
        case("a text too long", "POST", at, by, product("title", json!("x".repeat(1001))), &[400], "title"),
        case("a text that no database holds", "POST", at, by, product("title", json!("a\u{0}b")), &[400], "title"),
        case("a text for a list", "POST", at, by, product("variants", json!("x")), &[400], "variants"),
        case("no variants", "POST", at, by, product("variants", json!([])), &[400], "variants"),
        case("too many variants", "POST", at, by, product("variants", json!(vec![variant.clone(); 201])), &[400], "variants"),
        case("the same SKU twice", "POST", at, by, product("variants", json!([variant, variant])), &[400, 409], ""),
        case("a text for a switch", "POST", at, by, product("activate", json!("yes")), &[400], "activate"),
        case("no SKU", "POST", at, by, product("variant.sku", json!("")), &[400], "sku"),
        case("a weight below nothing", "POST", at, by, product("variant.weight_grams", json!(-1)), &[400], "weight_grams"),
        case("a price below nothing", "POST", at, by, price(json!(-1), "USD"), &[400], "price"),
        case("a fraction of a cent", "POST", at, by, price(json!(12.5), "USD"), &[400], "amount_minor"),
        case("more than a number holds", "POST", at, by, price(json!(1e30), "USD"), &[400], "amount_minor"),
        case("a currency that does not exist", "POST", at, by, price(json!(100), "QQQ"), &[400], "currency"),
        case(
            "a store in a currency that does not exist",
            "POST",
            "/v1/tenants",
            by,
            json!({ "store_name": "Second", "business": { "legal_name": "A", "contact_email": "a@b.example", "address": "1 Lane" }, "country": "US", "currency": "QQQ" }).to_string(),
            &[400],
            "currency",
        ),
        case("somebody's picture", "POST", at, by, product("media_ids", json!(["med_00000000000000000000000000000000"])), &[400, 404], ""),
        case("a category that does not exist", "POST", at, by, product("category", json!("no such")), &[400, 404], ""),
    ]
}

fn numbers_and_ids(seller: &Seller, goods: &Goods) -> Vec<Case> {
    let by = &seller.caller;
    let set = |quantity: Value| json!({ "variant_id": goods.variant, "quantity": quantity }).to_string();
    vec![
        case("an id of another kind", "GET", &format!("/v1/products/{}", goods.variant), by, "", &[400], "product_id"),
        case("an id that is none", "GET", "/v1/products/prd_x", by, "", &[400], "product_id"),
        case("an id of nothing", "GET", "/v1/products/prd_00000000000000000000000000000000", by, "", &[404], ""),
        case("an escaped way out", "GET", "/v1/products/..%2f..%2fetc%2fpasswd", by, "", &[400, 404], ""),
        case("a version that is no number", "GET", &format!("/v1/products/{}/versions/first", goods.product), by, "", &[400], "version"),
        case("a stock below nothing", "POST", "/v1/stock/set", by, set(json!(-1)), &[400], "quantity"),
        case("a stock beyond all bounds", "POST", "/v1/stock/set", by, set(json!(9_007_199_254_740_993_i64)), &[400], "quantity"),
        case("a stock in words", "POST", "/v1/stock/set", by, set(json!("ten")), &[400], "quantity"),
        case(
            "more taken than there is",
            "POST",
            "/v1/stock/adjust",
            by,
            json!({ "variant_id": goods.variant, "delta": -11, "kind": "adjustment" }).to_string(),
            &[400, 409, 412, 422],
            "",
        ),
        case(
            "a movement of no kind",
            "POST",
            "/v1/stock/adjust",
            by,
            json!({ "variant_id": goods.variant, "delta": 1, "kind": "magic" }).to_string(),
            &[400],
            "kind",
        ),
        case("too long a page", "GET", "/v1/products?limit=101", by, "", &[400], "limit"),
        case("a page in words", "GET", "/v1/products?limit=many", by, "", &[400], "limit"),
        case("a cursor of one's own", "GET", "/v1/products?cursor=!!!", by, "", &[400], "cursor"),
        case("a state that does not exist", "GET", "/v1/seller/sub-orders?state=lost", by, "", &[400], "state"),
        case("a day that does not exist", "GET", "/v1/seller/sub-orders?placed_from=2026-02-31T00:00:00Z", by, "", &[400], "placed_from"),
        case("a question nobody asks", "GET", "/v1/products?colour=red", by, "", &[400], "colour"),
        case("a price range upside down or below nothing", "GET", "/v1/search?price_min_minor=-5", by, "", &[400], "price_min_minor"),
    ]
}

fn tokens(seller: &Seller) -> Vec<Case> {
    let good = seller.caller.token.clone().unwrap_or_default();
    let with = |token: &str| Caller { token: Some(token.to_owned()), tenant: Some(seller.tenant.clone()) };
    let (head, signature) = good.rsplit_once('.').unwrap_or_default();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap_or_default());
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    let elsewhere = Caller { tenant: Some("ten_00000000000000000000000000000000".to_owned()), ..seller.caller.clone() };
    let nowhere = Caller { tenant: Some("me".to_owned()), ..seller.caller.clone() };
    vec![
        case("no token", "GET", "/v1/products", &Caller::default(), "", &[401], ""),
        case("a token of nonsense", "GET", "/v1/products", &with("nonsense"), "", &[401], ""),
        case("a token signed by nobody", "GET", "/v1/products", &with(&unsigned), "", &[401], ""),
        case("a token signed by somebody", "GET", "/v1/products", &with(&forged), "", &[401], ""),
        case("a token of 20 kB", "GET", "/v1/products", &with(&"x".repeat(20_000)), "", &[400, 401, 431], ""),
        case("a session of nonsense", "GET", "/v1/products", &with("mhs_00000000000000000000000000000000x"), "", &[401], ""),
        case("a refresh with nonsense", "POST", "/v1/auth/refresh", &Caller::default(), r#"{"refresh_token": "x"}"#, &[400, 401], ""),
        case("a tenant that does not exist", "GET", "/v1/products", &elsewhere, "", &[403], ""),
        case("a tenant that is no id", "GET", "/v1/products", &nowhere, "", &[400, 403], ""),
        case("a seller as operator", "GET", "/v1/tenants", &seller.caller, "", &[403], ""),
        case(
            "a wrong password",
            "POST",
            "/v1/auth/sign-in",
            &Caller::default(),
            r#"{"email": "anna@sellers.example", "password": "not this one"}"#,
            &[401],
            "",
        ),
        case(
            "an address that is none",
            "POST",
            "/v1/auth/sign-up",
            &Caller::default(),
            r#"{"email": "anna", "password": "a quiet lamp sells 47 mugs", "name": "A"}"#,
            &[400],
            "email",
        ),
        case(
            "a password too short",
            "POST",
            "/v1/auth/sign-up",
            &Caller::default(),
            r#"{"email": "a@b.example", "password": "x", "name": "A"}"#,
            &[400],
            "password",
        ),
    ]
}

fn buying(by: &Caller, goods: &Goods) -> Vec<Case> {
    let line = |quantity: Value| json!({ "tenant_id": goods.tenant, "variant_id": goods.variant, "quantity": quantity });
    let nowhere = {
        let mut nowhere = address();
        nowhere["country"] = json!("ZZ");
        nowhere
    };
    let unknown = json!({ "tenant_id": goods.tenant, "variant_id": "var_00000000000000000000000000000000", "quantity": 1 });
    vec![
        case("none of it", "POST", "/v1/cart/items", by, line(json!(0)).to_string(), &[400], "quantity"),
        case("less than none", "POST", "/v1/cart/items", by, line(json!(-1)).to_string(), &[400], "quantity"),
        case("a thousand of it", "POST", "/v1/cart/items", by, line(json!(1000)).to_string(), &[400], "quantity"),
        case("what nobody sells", "POST", "/v1/cart/items", by, unknown.to_string(), &[400, 404, 409, 412, 422], ""),
        case("an empty cart to the till", "POST", "/v1/checkouts", by, "{}", &[400, 409, 412, 422], ""),
        case(
            "to a country that does not exist",
            "POST",
            "/v1/checkouts",
            by,
            json!({ "items": [line(json!(1))], "shipping_address": nowhere }).to_string(),
            &[400],
            "country",
        ),
        case(
            "a checkout that does not exist",
            "POST",
            "/v1/checkouts/chk_00000000000000000000000000000000/place",
            by,
            r#"{"payment_method": "tok_visa"}"#,
            &[404],
            "",
        ),
        case("an order without a card", "POST", "/v1/checkouts/chk_00000000000000000000000000000000/place", by, "{}", &[400], "payment_method"),
        case("a webhook of nobody", "POST", "/v1/webhooks/sandbox", &Caller::default(), r#"{"events": []}"#, &[400, 401, 403], ""),
        case("a webhook of no provider", "POST", "/v1/webhooks/nobody", &Caller::default(), "{}", &[400, 404], ""),
    ]
}

fn endless_picture() -> Vec<u8> {
    let header = [0x49, 0x48, 0x44, 0x52, 0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 8, 2, 0, 0, 0, 0x0f, 0xb0, 0xe2, 0x15];
    let end = [0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82];
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0d".as_slice(), &header, &end].concat()
}

fn uploads(seller: &Seller) -> Vec<Case> {
    let by = &seller.caller;
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0, 1, 2, 255].repeat(300)].concat();
    let raw = |name, path: &str, body: Vec<u8>, statuses| Case {
        content_type: "application/octet-stream",
        ..case(name, "POST", path, by, body, statuses, "")
    };
    vec![
        raw("a picture for a feed", "/v1/uploads?file_name=feed.csv", png.clone(), &[400, 415, 422]),
        raw("a feed with no delimiter we know", "/v1/uploads?file_name=feed.csv", b"sku^title^price\n1^Mug^12.00\n".to_vec(), &[400, 422]),
        raw("a feed of a header only", "/v1/uploads?file_name=feed.csv", b"sku,title,price\n".to_vec(), &[400, 422]),
        raw("an empty feed", "/v1/uploads?file_name=feed.csv", Vec::new(), &[400, 422]),
        raw("a workbook that is none", "/v1/uploads?file_name=feed.xlsx", b"PK\x03\x04 not a workbook".to_vec(), &[400, 415, 422]),
        raw("a picture of 60,000 by 60,000 pixels in 45 bytes", "/v1/media?alt=x", endless_picture(), &[400, 415, 422]),
        raw("a page for a picture", "/v1/media?alt=x", b"<html><script>alert(1)</script></html>".to_vec(), &[400, 415, 422]),
        raw("nothing for a picture", "/v1/media?alt=x", Vec::new(), &[400, 415, 422]),
        raw("half a picture", "/v1/media?alt=x", png, &[400, 415, 422]),
        raw("a feed for a picture", "/v1/media?alt=x", b"sku,title\n1,Mug\n".to_vec(), &[400, 415, 422]),
    ]
}

/// Rows that cannot be sold are told by line, column and reason; the good one among them is on sale.
async fn feeds_with_bad_rows(seller: &Seller) {
    let endless = "x".repeat(10 << 20);
    let feed = format!(
        "sku,title,price,currency,stock\n1,Good Mug,12.00,USD,5\n2,{endless},12.00,USD,5\n3,Mug,12.00,QQQ,5\n4,Mug,-1.00,USD,5\n5,Mug,12.00,USD,-5\n6,,12.00,USD,5\n"
    );
    let upload = text(&seller.upload("feed.csv", feed.into_bytes()).await, "/upload/upload_id");
    let fields = ["sku", "title", "price", "currency", "stock"];
    let columns: serde_json::Map<String, Value> = fields.iter().map(|field| ((*field).to_owned(), json!(field))).collect();
    let done = seller.imported(&seller.import(&upload, &json!({ "columns": columns })).await).await;
    let report = seller.bytes(&format!("/v1/imports/{}/errors.csv", text(&done, "/import_id"))).await;
    let report = String::from_utf8(report).unwrap();
    assert_eq!((&done["created"], &done["rejected"]), (&json!(1), &json!(5)), "{done} {report}");
    for (line, column) in [(3, "title"), (4, "currency"), (5, "price"), (6, "stock"), (7, "title")] {
        let told = report.lines().any(|told| told.starts_with(&format!("{line},")) && told.contains(column));
        assert!(told, "line {line} has something wrong with {column}, but: {report}");
    }
    assert!(report.len() < 10_000, "a value is shown shortened");
}

/// An access token works until its time is over; then it is refused with the way out, which works.
async fn tokens_end(market: &mut Market) {
    const ENDS_AFTER: Duration = Duration::from_secs(2);
    let seconds = ENDS_AFTER.as_secs().to_string();
    market.restart_with(&[("MARKETHUB__SERVICES__IDENTITY__ACCESS_SECONDS", &seconds)]).await;
    let account = json!({ "email": "anna@sellers.example", "password": PASSWORD });
    let session = market.http.post("/v1/auth/sign-in", &Caller::default(), &account).await;
    let with = |session: &Value| Caller { token: Some(text(session, "/session/access_token")), tenant: None };
    tokio::time::sleep(ENDS_AFTER + Duration::from_secs(1)).await;
    let refused = market.http.refused("GET", "/v1/me", &with(&session), &Value::Null, 401).await;
    assert_eq!((refused.content_type.as_str(), text(&refused.json, "/reason").as_str()), ("application/problem+json", "TOKEN_INVALID"));
    assert!(text(&refused.json, "/detail").contains("expired"), "{}", refused.json);
    let mut refresh = text(&session, "/session/refresh_token");
    eventually("a fresh token to be believed", async || {
        let session = market.http.post("/v1/auth/refresh", &Caller::default(), &json!({ "refresh_token": refresh })).await;
        refresh = text(&session, "/session/refresh_token");
        let answer = market.http.ask("GET", "/v1/me", &with(&session), &Value::Null).await.unwrap();
        (answer.status == 200).then_some(())
    })
    .await;
}

async fn keys_of_idempotency(http: &Http, seller: &Seller) {
    let open = |key: String, code: &str| {
        let (http, by) = (http.clone(), seller.caller.clone());
        let body = json!({ "code": code, "name": "Second" }).to_string().into_bytes();
        async move {
            http.send("POST", "/v1/warehouses", &by, &[("content-type", "application/json"), ("idempotency-key", key.as_str())], body).await.unwrap()
        }
    };
    let first = open("key 1".to_owned(), "second").await;
    assert_eq!(first.status, 200, "{}", first.json);
    let again = open("key 1".to_owned(), "second").await;
    assert_eq!((again.status, &again.json), (200, &first.json), "the same request under the same key is answered, not repeated");
    let other = open("key 1".to_owned(), "third").await;
    assert_eq!((other.status, text(&other.json, "/reason").as_str()), (422, "IDEMPOTENCY_KEY_REUSED"), "{}", other.json);
    assert_eq!(open("k".repeat(300), "fourth").await.status, 400);
    assert_eq!(list(&seller.get("/v1/warehouses").await, "/warehouses").len(), 2);
}

/// Feeds as shops really send them: each is read as what it is.
async fn feeds_of_all_kinds(seller: &Seller) {
    let feeds: [(&str, Vec<u8>, &str); 7] = [
        ("plain", b"sku,title,price\n1,Mug,12.00\n".to_vec(), "Mug"),
        ("semicolons", b"sku;title;price\n1;Mug, large;12,00\n".to_vec(), "Mug, large"),
        ("tabs", b"sku\ttitle\tprice\n1\tMug\t12.00\n".to_vec(), "Mug"),
        ("a byte order mark", b"\xef\xbb\xbfsku,title,price\n1,Mug,12.00\n".to_vec(), "Mug"),
        ("Latin-1", b"sku,title,price\n1,Caf\xe9 Mug,12.00\n".to_vec(), "Caf\u{e9} Mug"),
        ("quotes in quotes", b"sku,title,price\n1,\"12\"\" Mug, \"\"large\"\"\",12.00\n".to_vec(), "12\" Mug, \"large\""),
        ("lines of Windows", b"sku,title,price\r\n1,\"Mug\r\nof two lines\",12.00\r\n".to_vec(), "of two lines"),
    ];
    for (name, content, title) in feeds {
        let upload = seller.upload("feed.csv", content).await;
        assert_eq!(upload["upload"]["columns"], json!(["sku", "title", "price"]), "{name}: {upload}");
        assert_eq!(upload["upload"]["rows"], json!(1), "{name}: {upload}");
        let sample = upload["upload"]["sample"][0].to_string();
        let wanted = json!(title).to_string();
        assert!(sample.contains(wanted.trim_matches('"')), "{name}: {wanted} is not in {sample}");
    }
}
