//! Visits of the demo: people who agreed to be recorded look around, each among the things they like, so that shelves have something to go by.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::{Value, json};

use super::{Dice, progress};
use crate::http::{Caller, Http, text};

const VISITORS: u32 = 240;
const VISITS_EACH: u32 = 3;
/// Visitors whose events go in one request, which takes 500 events.
const VISITORS_AT_ONCE: usize = 60;
/// Products looked at in one visit, at least, and so many more at most.
const SHORTEST: u32 = 3;
const LONGER: u32 = 5;
/// Pages of listings read to know what there is.
const PAGES: usize = 20;
/// A department of fewer products is nobody's taste.
const SMALLEST_DEPARTMENT: usize = 6;

/// Makes the visits, unless anybody was ever recorded here; how many.
pub(super) async fn play(http: &Http, operator: &Caller) -> anyhow::Result<usize> {
    let models = http.get("/v1/operator/recommendations/models", operator).await?;
    let intake = http.get("/v1/operator/analytics/intake?minutes=1440", operator).await?;
    let views = intake.pointer("/minutes").and_then(Value::as_array).into_iter().flatten().any(|minute| minute.get("kind") == Some(&json!("view")));
    let any_model = models.pointer("/models").and_then(Value::as_array).is_some_and(|models| !models.is_empty());
    if views || any_model {
        return Ok(0);
    }
    let departments: Vec<Vec<String>> = departments(http).await?.into_values().filter(|products| products.len() >= SMALLEST_DEPARTMENT).collect();
    if departments.is_empty() {
        return Ok(0);
    }
    let mut visitors: Vec<Visitor> = (0..VISITORS).map(|number| Visitor::new(number, &departments)).collect();
    let (mut made, all) = (0, usize::try_from(VISITORS * VISITS_EACH)?);
    // Everybody's first visits, then everybody's second: what one visitor does in one request is one visit.
    for _visit in 0..VISITS_EACH {
        for visitors in visitors.chunks_mut(VISITORS_AT_ONCE) {
            let events: Vec<Value> = visitors.iter_mut().flat_map(Visitor::visit).collect();
            http.post("/v1/events", &Caller::default(), &json!({ "consented": true, "events": events })).await.context("visits of the demo")?;
            made += visitors.len();
            progress("visits", made, all);
        }
    }
    http.post("/v1/operator/recommendations/models", operator, &json!({})).await?;
    Ok(made)
}

/// Somebody who likes one department most and another sometimes.
struct Visitor<'d> {
    id: String,
    likes: [Option<&'d Vec<String>>; 2],
    dice: Dice,
}

impl<'d> Visitor<'d> {
    fn new(number: u32, departments: &'d [Vec<String>]) -> Self {
        let mut dice = Dice(u64::from(number) + 77);
        let likes = [dice.one_of(departments), dice.one_of(departments)];
        Self { id: format!("demo-visitor-{number:06}"), likes, dice }
    }

    fn visit(&mut self) -> Vec<Value> {
        let [most, sometimes] = self.likes;
        let department = if self.dice.below(3) == 0 { sometimes } else { most };
        let looks = SHORTEST + self.dice.below(LONGER);
        (0..looks).filter_map(|_| Some(event(&self.id, department?, &mut self.dice))).collect()
    }
}

/// Mostly looking; what stands first in a department is looked at most.
fn event(visitor: &str, department: &[String], dice: &mut Dice) -> Value {
    let size = u32::try_from(department.len()).unwrap_or(1);
    let at = dice.below(size).min(dice.below(size));
    let product = usize::try_from(at).ok().and_then(|at| department.get(at));
    json!({ "kind": if dice.below(8) == 0 { "add_to_cart" } else { "view" }, "product_id": product, "visitor_id": visitor })
}

async fn departments(http: &Http) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut cursor = String::new();
    for _page in 0..PAGES {
        let page = http.get(&format!("/v1/search?available_only=true&limit=100&cursor={cursor}"), &Caller::default()).await?;
        for hit in page.pointer("/hits").and_then(Value::as_array).into_iter().flatten() {
            let path = hit.pointer("/category_path").and_then(Value::as_array).into_iter().flatten();
            let department: Vec<&str> = path.filter_map(Value::as_str).collect();
            found.entry(department.join(" / ")).or_default().push(text(hit, "/product_id")?);
        }
        cursor = text(&page, "/next_cursor").unwrap_or_default();
        if cursor.is_empty() {
            break;
        }
    }
    Ok(found)
}
