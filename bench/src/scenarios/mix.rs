//! The API as buyers' apps use it: mostly reading, some searching, a cart now and then.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use http::Method;
use hyper::body::Bytes;
use serde_json::json;

use super::open_loop;
use crate::BenchArgs;
use crate::http::{Caller, Http, encoded};
use crate::market::{self, Sellable};
use crate::report::Report;

/// Guests with carts, among whom the requests go round.
const GUESTS: u32 = 200;

#[derive(Clone, Copy)]
enum Request {
    Listing,
    Search,
    Suggest,
    Cart,
    Add,
}

/// Of twenty requests so many are of each kind.
const MIX: [(Request, usize); 5] = [(Request::Listing, 9), (Request::Search, 5), (Request::Suggest, 3), (Request::Cart, 2), (Request::Add, 1)];

pub(super) async fn run(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let sellables = Arc::new(market::sellables(http).await?);
    let guests: Vec<Caller> = stream::iter(0..GUESTS).map(|_| market::guest(http)).buffer_unordered(8).try_collect().await?;
    let guests = Arc::new(guests);
    let mix: Vec<Request> = MIX.iter().flat_map(|(request, count)| std::iter::repeat_n(*request, *count)).collect();
    let what = format!("of {} API requests 9 read a listing, 5 search with facets, 3 complete a word, 2 read a cart, 1 adds to one", mix.len());
    let report = open_loop("api", what, 1000, args, http, |number| {
        let (http, sellables, guests, mix) = (http.clone(), Arc::clone(&sellables), Arc::clone(&guests), mix.clone());
        async move {
            let request = *super::pick(&mix, number)?;
            ask(&http, request, super::pick(&sellables, number)?, super::pick(&guests, number / 20)?).await
        }
    });
    report.await
}

async fn ask(http: &Http, request: Request, item: &Sellable, guest: &Caller) -> anyhow::Result<()> {
    let words: Vec<&str> = item.title.split_whitespace().filter(|word| word.is_ascii()).take(2).collect();
    let (path, caller) = match request {
        Request::Add => {
            let line = json!({ "tenant_id": item.tenant_id, "variant_id": item.variant_id, "quantity": 1 });
            return http.post("/v1/cart/items", guest, &line).await.map(drop);
        }
        Request::Listing => (format!("/v1/listings/{}", item.product_id), &Caller::default()),
        Request::Search => (format!("/v1/search?facets=true&limit=20&query={}", encoded(&words.join(" "))), &Caller::default()),
        Request::Suggest => {
            (format!("/v1/search/suggest?query={}", encoded(&words.concat().chars().take(4).collect::<String>())), &Caller::default())
        }
        Request::Cart => ("/v1/cart".to_owned(), guest),
    };
    http.send(Method::GET, &path, caller, "", Bytes::new()).await?.ok(&path).map(drop)
}
