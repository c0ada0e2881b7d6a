//! Products that wait for the market's approval: all that a buyer would see of each, and the decision about it.

use std::collections::BTreeMap;

use api_catalog::{ApproveProductRequest, DeclineProductRequest, ListReviewRequest, ListReviewResponse, Product, ProductStatus};
use api_tenants::GetRequest;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use futures::future::join_all;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{ListQuery, console, link, moment, staff};
use crate::failure::{Failure, Page};
use crate::offered;
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form};
use crate::ui::{self, Tone, badge};
use crate::visit::Visit;

const TABS: [(&str, &str); 4] = [("", "Waiting"), ("active", "On sale"), ("draft", "Drafts"), ("inactive", "Off sale")];
/// Products on one page, each in full.
const PAGE: u32 = 10;

/// A page of products, the names of their shops by tenant, and the decision that was refused, by product.
#[derive(Default)]
struct Queue {
    found: ListReviewResponse,
    shops: BTreeMap<String, String>,
    refused: Option<(String, Form)>,
}

async fn load(site: &Site, visit: &Visit, wanted: &ListQuery) -> Result<Queue, Failure> {
    let status = ProductStatus::from_str_name(&format!("PRODUCT_STATUS_{}", wanted.state.to_uppercase())).unwrap_or_default();
    let request = ListReviewRequest { tenant_id: wanted.query.clone(), status: status.into(), limit: PAGE, cursor: wanted.cursor.clone() };
    let found = site.catalog.clone().list_review(visit.ctx.request(request)).await?.into_inner();
    let tenants: BTreeMap<&str, ()> = found.products.iter().map(|product| (product.tenant_id.as_str(), ())).collect();
    // A shop whose name cannot be had is shown by its id.
    let names = tenants.into_keys().map(|tenant_id| async move {
        let request = GetRequest { tenant_id: tenant_id.to_owned() };
        let tenant = site.tenants.clone().get(visit.ctx.request(request)).await.ok()?.into_inner().tenant?;
        Some((tenant_id.to_owned(), tenant.store?.name))
    });
    let shops = join_all(names).await.into_iter().flatten().collect();
    Ok(Queue { found, shops, refused: None })
}

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let queue = load(&site, &here, &wanted).await?;
    Ok(view(&here, &wanted, &queue).into_response())
}

/// Approves or declines one product, by the last word of the address.
pub(crate) async fn act(
    State(site): State<Web>,
    here: Here,
    Path((tenant_id, product_id, act)): Path<(String, String, String)>,
    Query(wanted): Query<ListQuery>,
    Posted(form): Posted,
) -> Page {
    staff(&here)?;
    let (mut catalog, if_version, id) = (site.catalog.clone(), form.get("if_version").parse().unwrap_or(0), product_id.clone());
    let (failed, told) = match act.as_str() {
        "approve" => {
            let request = ApproveProductRequest { tenant_id, product_id: id, if_version };
            (catalog.approve_product(here.ctx.request(request)).await.err(), "Approved: it is on sale.")
        }
        "decline" => {
            let request = DeclineProductRequest { tenant_id, product_id: id, decline_reason: form.text("decline_reason"), if_version };
            (catalog.decline_product(here.ctx.request(request)).await.err(), "Declined; the seller reads why.")
        }
        _ => return Err(Failure::not_found()),
    };
    let Some(status) = failed else {
        return Ok(site.redirect(&at(&wanted, &wanted.state, ""), Tone::Good, told));
    };
    let queue = load(&site, &here, &wanted).await?;
    let refused = Some((product_id, form.rejected(&problem_of(&status))));
    Ok((StatusCode::UNPROCESSABLE_ENTITY, view(&here, &wanted, &Queue { refused, ..queue })).into_response())
}

fn at(wanted: &ListQuery, state: &str, cursor: &str) -> String {
    link("/operator/review", &[("query", &wanted.query), ("state", state), ("cursor", cursor)])
}

fn view(visit: &Visit, wanted: &ListQuery, queue: &Queue) -> Markup {
    let shop = queue.shops.get(&wanted.query).map_or(wanted.query.as_str(), String::as_str);
    let body = html! {
        nav.tabs aria-label="Status" { ul { @for (state, label) in TABS { li { a href=(at(wanted, state, "")) aria-current=[(state == wanted.state).then_some("page")] { (label) } } } } }
        @if !wanted.query.is_empty() { p.mb4 { "Only of " a href={ "/operator/tenants/" (wanted.query) } { (shop) } ". " a href=(link("/operator/review", &[("state", &wanted.state)])) { "Of all shops" } } }
        @if queue.found.products.is_empty() {
            div.card.flush { (ui::empty("badge-check", "Nothing waits", "Products come here from shops whose products need approval. Which ones do is set at each shop.", Some(("/operator/tenants", "To the shops")))) }
        } @else {
            div.stack.loose { @for product in &queue.found.products { (card(visit, wanted, queue, product)) } }
        }
        (ui::pager((!wanted.cursor.is_empty()).then(|| at(wanted, &wanted.state, "")).as_deref(), (!queue.found.next_cursor.is_empty()).then(|| at(wanted, &wanted.state, &queue.found.next_cursor)).as_deref()))
    };
    console(visit, "/operator/review", "Product review", "What sellers want to put on sale, as buyers would see it.", html! {}, body)
}

fn card(visit: &Visit, wanted: &ListQuery, queue: &Queue, product: &Product) -> Markup {
    let shop = queue.shops.get(&product.tenant_id).unwrap_or(&product.tenant_id);
    let (tone, state) = match product.status() {
        ProductStatus::InReview => (Tone::Warn, "waits"),
        ProductStatus::Active => (Tone::Good, "on sale"),
        ProductStatus::Draft => (Tone::Info, "draft"),
        _ => (Tone::Plain, "off sale"),
    };
    html! {
        article.card.stack {
            header.row.between { h2 { (product.title) } (badge(tone, state)) }
            p.small { a href={ "/operator/tenants/" (product.tenant_id) } { (shop) } span.hush { " · version " (product.version) ", changed " (moment(product.updated_at.as_ref())) } }
            @if !product.decline_reason.is_empty() { (ui::notice(Tone::Warn, html! { strong { "Declined before" } p { (product.decline_reason) } })) }
            @if !product.media.is_empty() { ul.shots { @for media in &product.media { li { (ui::picture(&media.hash, &media.alt, &product.title, ui::IN_ROW)) } } } }
            (offered::content(product))
            @if product.status() == ProductStatus::InReview { (decision(visit, wanted, queue, product)) }
        }
    }
}

fn decision(visit: &Visit, wanted: &ListQuery, queue: &Queue, product: &Product) -> Markup {
    let refused = queue.refused.as_ref().filter(|(id, _)| *id == product.product_id).map(|(_, form)| form);
    let blank = Form::default();
    let form = refused.unwrap_or(&blank);
    let field = format!("reason-{}", product.product_id);
    let error = form.error("decline_reason");
    let action = |act: &str| {
        let path = format!("/operator/review/{}/{}/{act}", product.tenant_id, product.product_id);
        link(&path, &[("query", &wanted.query), ("state", &wanted.state), ("cursor", &wanted.cursor)])
    };
    let seen = html! { input type="hidden" name="if_version" value=(product.version); };
    let told = error.map(|_| format!("{field}-error"));
    html! {
        @if error.is_none() { (form.summary()) }
        (form::post(visit, &action("approve"), html! { (seen) button.btn type="submit" { (ui::icon("badge-check")) "Approve" span.sr { " " (product.title) } } }))
        details.fold open[refused.is_some()] {
            summary { "Decline…" }
            (form::post(visit, &action("decline"), html! {
                (seen)
                div.stack {
                    div.field.invalid[error.is_some()] {
                        label for=(field) { "Reason" }
                        textarea id=(field) name="decline_reason" rows="3" required maxlength="1000" aria-describedby=[told.as_deref()] aria-invalid=[error.map(|_| "true")] { (form.get("decline_reason")) }
                        @if let Some(error) = error { p.error id={ (field) "-error" } { (ui::icon("circle-alert")) span { (error) } } } @else { p.hint { "The seller reads this, and can send the product again." } }
                    }
                    div { button.btn.danger type="submit" { "Decline" span.sr { " " (product.title) } } }
                }
            }))
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    use api_catalog::{Attribute, Media, Option as Choice, Variant};
    let product = |id: &str, status: ProductStatus| Product {
        product_id: id.to_owned(),
        tenant_id: "ten_1".to_owned(),
        status: status.into(),
        title: "Kilnhouse Classic Stoneware Mug 212".to_owned(),
        description: "<p>Fired twice, <em>glazed</em> by hand.</p><ul><li>Safe in the dishwasher</li></ul>".to_owned(),
        brand: "Kilnhouse".to_owned(),
        category_path: vec!["Home & Garden".to_owned(), "Kitchen & Dining".to_owned(), "Mugs".to_owned()],
        attributes: vec![Attribute { name: "Volume".to_owned(), values: vec!["350".to_owned()], unit: "ml".to_owned(), ..Default::default() }],
        media: vec![Media { hash: "a".repeat(64), ..Default::default() }],
        tags: vec!["mug".to_owned()],
        variants: vec![Variant {
            sku: "D01-000".to_owned(),
            gtin: "4006381333931".to_owned(),
            options: vec![Choice { name: "Size".to_owned(), value: "350 ml".to_owned() }],
            price: Some(kit_rpc::proto::Money { amount_minor: 1999, currency: "USD".to_owned() }),
            ..Default::default()
        }],
        version: 3,
        decline_reason: if id == "prd_2" { "The picture shows another product.".to_owned() } else { String::new() },
        ..Default::default()
    };
    let queue = |status| Queue {
        found: ListReviewResponse { products: vec![product("prd_1", status), product("prd_2", status)], next_cursor: "n".to_owned() },
        shops: BTreeMap::from([("ten_1".to_owned(), "Kiln and Clay".to_owned())]),
        refused: None,
    };
    let of_shop = ListQuery { query: "ten_1".to_owned(), state: "active".to_owned(), cursor: "c".to_owned(), ..Default::default() };
    let refused = |form: Form| Queue { refused: Some(("prd_1".to_owned(), form)), ..queue(ProductStatus::InReview) };
    vec![
        ("operator-review", view(&operator(), &ListQuery::default(), &queue(ProductStatus::InReview))),
        ("operator-review-of-shop", view(&operator(), &of_shop, &queue(ProductStatus::Active))),
        ("operator-review-none", view(&operator(), &ListQuery::default(), &Queue::default())),
        ("operator-review-wrong", view(&operator(), &ListQuery::default(), &refused(Form::default().wrong("decline_reason", "Is required.")))),
        ("operator-review-stale", view(&operator(), &ListQuery::default(), &refused(Form::default().refused("The product has changed since.")))),
    ]
}
