//! From a change to the search that shows it: a seller sets a stock to nothing or to some, and search must show it, while sellers make
//! other changes as often as asked.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::open_loop;
use crate::engine::{self, Plan};
use crate::http::{Caller, Http};
use crate::market::Sellable;
use crate::report::Report;
use crate::{BenchArgs, market};

/// How often search is asked whether it shows the change yet; the resolution of the result.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Changes followed per second unless told.
const FOLLOWED_PER_SECOND: u32 = 20;
const PIECES: u64 = 25;

/// A seller's variants: the first few are followed, the others change beside them.
struct Shop {
    seller: Caller,
    followed: Vec<Sellable>,
    others: Vec<Sellable>,
}

pub(super) async fn run(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let seller = market::seller(http, 1).await?;
    let mut sellables = market::all_sellables_of(http, seller.tenant.as_deref().unwrap_or_default()).await?;
    // More than are asked about within the longest latency that counts, so that each rests between two changes.
    let others = sellables.split_off(sellables.len().min(20 * usize::try_from(FOLLOWED_PER_SECOND)?) / 2);
    anyhow::ensure!(!sellables.is_empty() && !others.is_empty(), "the demo's first seller has too few listed products");
    let what = format!("a stock set until search shows it, beside {} other changes a second of {} products", args.beside, others.len());
    let shop = Arc::new(Shop { seller, followed: sellables, others });
    let beside = beside(args, http, &shop);
    let followed = open_loop("freshness", what, FOLLOWED_PER_SECOND, args, http, |number| {
        let (http, shop) = (http.clone(), Arc::clone(&shop));
        async move {
            let (sellable, some) = turn(&shop.followed, number)?;
            set(&http, &shop.seller, sellable, some).await?;
            while shown(&http, sellable).await? != some {
                tokio::time::sleep(ASK_EVERY).await;
            }
            Ok(())
        }
    });
    let (followed, beside) = tokio::join!(followed, beside);
    let mut report = followed?;
    report.figures.extend(beside?);
    Ok(report)
}

/// The changes beside, and how many of them came through.
async fn beside(args: &BenchArgs, http: &Http, shop: &Arc<Shop>) -> anyhow::Result<Vec<(&'static str, String)>> {
    if args.beside == 0 {
        return Ok(Vec::new());
    }
    let plan = Plan {
        rate: args.beside,
        warm_up: Duration::from_secs(args.warm_up.into()),
        measured: Duration::from_secs(args.seconds.max(1).into()),
        in_flight: args.in_flight,
    };
    let outcome = engine::run(plan, |number| {
        let (http, shop) = (http.clone(), Arc::clone(shop));
        async move {
            let (sellable, some) = turn(&shop.others, number)?;
            set(&http, &shop.seller, sellable, some).await
        }
    });
    let outcome = outcome.await?;
    let told = format!("{:.0}/s, {} failed, {} not started", outcome.per_second_mean(), outcome.failed, outcome.shed);
    Ok(vec![("changes beside, saved", told)])
}

/// The `number`-th change: nothing, then some, of each in turn.
fn turn(sellables: &[Sellable], number: u64) -> anyhow::Result<(&Sellable, bool)> {
    let length = u64::try_from(sellables.len())?.max(1);
    let sellable = sellables.get(usize::try_from(number % length)?).ok_or_else(|| anyhow::anyhow!("there is nothing to change"))?;
    Ok((sellable, (number / length) % 2 == 1))
}

async fn set(http: &Http, seller: &Caller, sellable: &Sellable, some: bool) -> anyhow::Result<()> {
    let quantity = if some { PIECES } else { 0 };
    http.post("/v1/stock/set", seller, &json!({ "variant_id": sellable.variant_id, "quantity": quantity })).await.map(drop)
}

/// Whether search says that it can be bought.
async fn shown(http: &Http, sellable: &Sellable) -> anyhow::Result<bool> {
    let query = crate::http::encoded(&sellable.title);
    let page = http.get(&format!("/v1/search?limit=20&tenant_id={}&query={query}", sellable.tenant_id), &Caller::default()).await?;
    let hits = page.pointer("/hits").and_then(Value::as_array).into_iter().flatten();
    let hit = hits.into_iter().find(|hit| hit.get("product_id").and_then(Value::as_str) == Some(&sellable.product_id));
    let hit = hit.ok_or_else(|| anyhow::anyhow!("search does not find {} by its title", sellable.title))?;
    Ok(hit.get("stock_state").and_then(Value::as_str).is_some_and(|state| state != "out_of_stock"))
}
