//! What the market holds afterwards, put beside what the file says, to the last digit.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;

use super::file::{Mills, decimal};
use super::plan::Plan;
use super::shop::Shop;
use crate::http::{Caller, Http, text};

/// How long the last refunds may take.
const SETTLED_WITHIN: Duration = Duration::from_secs(180);
const ASK_EVERY: Duration = Duration::from_secs(2);

/// Sums over everything the shop sold, as the market itself tells them; in minor units.
#[derive(Debug, Default, PartialEq, Eq)]
struct Books {
    orders: usize,
    total: i64,
    refunded: i64,
    commission: i64,
    commission_returned: i64,
}

pub(super) async fn compare(http: &Http, shop: &mut Shop, plan: &Plan) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let orders = plan.days.values().map(|day| day.sales.len()).sum::<usize>();
    let books = settled(http, shop, -plan.taken.sum).await?;
    println!("| the file says | lines | sum | the market says | |\n|---|--:|--:|--:|---|");
    let mut row = |what: &str, lines: usize, says: Mills, market: Mills| {
        let verdict = if says == market { "equal" } else { "DIFFERS" };
        println!("| {what} | {lines} | {} | {} | {verdict} |", decimal(says), decimal(market));
        if says != market {
            wrong.push(what.to_owned());
        }
    };
    row("sold", plan.sold.lines, plan.sold.sum, books.total * 10);
    row("cancelled and refunded", plan.taken.lines, plan.taken.sum, -books.refunded * 10);
    row("kept by the shop", plan.sold.lines + plan.taken.lines, plan.sold.sum + plan.taken.sum, (books.total - books.refunded) * 10);
    println!("| written off, without a price | {} | {} | | |", plan.written_off.lines, decimal(plan.written_off.sum));
    for (why, tally) in &plan.left {
        println!("| not driven: {} | {} | {} | | |", why.says(), tally.lines, decimal(tally.sum));
    }
    let left: Mills = plan.left.values().map(|tally| tally.sum).sum();
    row("everything", plan.all.lines, plan.all.sum, (books.total - books.refunded) * 10 + plan.written_off.sum + left);
    println!(
        "\n{} lines ({}) name no customer: each such invoice has a buyer of its own, and nothing of it is taken back.",
        plan.without_customer.lines,
        decimal(plan.without_customer.sum)
    );
    if books.orders != orders {
        wrong.push(format!("the shop has {} orders, {orders} were placed", books.orders));
    }
    wrong.extend(balance(http, shop, &books).await?);
    wrong.extend(shelf(http, shop, plan).await?);
    ensure!(wrong.is_empty(), "market and file differ: {}", wrong.join("; "));
    println!("holds: market and file agree to the last digit");
    Ok(())
}

/// Reads the shop's books until all that was taken back is refunded.
async fn settled(http: &Http, shop: &Shop, taken: Mills) -> anyhow::Result<Books> {
    let begin = Instant::now();
    loop {
        let books = read(http, &shop.seller(http).await?).await?;
        if books.refunded * 10 == taken || begin.elapsed() > SETTLED_WITHIN {
            return Ok(books);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

async fn read(http: &Http, seller: &Caller) -> anyhow::Result<Books> {
    let (mut books, mut cursor) = (Books::default(), String::new());
    loop {
        let page = http.get(&format!("/v1/seller/sub-orders?limit=100&cursor={cursor}"), seller).await?;
        for part in page.pointer("/sub_orders").and_then(Value::as_array).into_iter().flatten() {
            let amount = |at: &str| part.pointer(at).and_then(Value::as_i64).unwrap_or_default();
            books.orders += 1;
            books.total += amount("/totals/total/amount_minor");
            books.refunded += amount("/refunded/amount_minor");
            books.commission += amount("/commission/amount_minor");
            books.commission_returned += amount("/commission_returned/amount_minor");
        }
        cursor = text(&page, "/next_cursor").unwrap_or_default();
        if cursor.is_empty() {
            return Ok(books);
        }
    }
}

/// The ledger owes the shop what its orders brought, less refunds and commission.
async fn balance(http: &Http, shop: &Shop, books: &Books) -> anyhow::Result<Option<String>> {
    let told = http.get("/v1/seller/balance", &shop.seller(http).await?).await?;
    let balances = told.pointer("/balances").and_then(Value::as_array).cloned().unwrap_or_default();
    let pounds = balances.iter().find(|balance| balance.pointer("/total/currency").and_then(Value::as_str) == Some("GBP"));
    let owed = pounds.and_then(|balance| balance.pointer("/total/amount_minor")).and_then(Value::as_i64).unwrap_or_default();
    let earned = books.total - books.refunded - (books.commission - books.commission_returned);
    println!(
        "ledger: {} is owed to the shop = {} kept − {} commission{}",
        decimal(owed * 10),
        decimal((books.total - books.refunded) * 10),
        decimal((books.commission - books.commission_returned) * 10),
        if owed == earned { "" } else { ": DIFFERS" }
    );
    Ok((owed != earned).then(|| "the ledger owes the shop another sum".to_owned()))
}

/// On the shelf is what was taken back, of each thing; all else was sold or written off.
async fn shelf(http: &Http, shop: &mut Shop, plan: &Plan) -> anyhow::Result<Option<String>> {
    let mut expected: BTreeMap<&str, i64> = plan.goods.keys().map(|sku| (sku.as_str(), 0)).collect();
    for (sku, pieces) in plan.days.values().flat_map(|day| &day.takes).flat_map(|take| &take.lines) {
        *expected.entry(sku).or_default() += pieces;
    }
    let shelf = shop.look(http).await?;
    let differs = expected.iter().filter(|(sku, pieces)| shelf.get(**sku).is_none_or(|stock| (stock.available, stock.reserved) != (**pieces, 0)));
    let differs: Vec<&str> = differs.map(|(sku, _)| *sku).collect();
    println!(
        "stock: {} goods, {} pieces taken back lie on the shelf; {} goods differ",
        expected.len(),
        expected.values().sum::<i64>(),
        differs.len()
    );
    let named = differs.iter().take(5).copied().collect::<Vec<_>>().join(", ");
    Ok((!differs.is_empty()).then(|| format!("the shelf has another count of {} goods, as {named}", differs.len())))
}
