//! What became of a product: its versions, one of them as it was, and the way back to it.

use api_catalog::{GetVersionRequest, GetVersionResponse, ListVersionsRequest, ListVersionsResponse, Product, RollBackProductRequest};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::{desk, products, working};
use crate::failure::{Failure, Page};
use crate::offered;
use crate::portal::{ListQuery, link, moment, word};
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::{self, Tone, badge, form};
use crate::visit::Visit;

const PAGE: u32 = 25;

pub(crate) async fn list(State(site): State<Web>, here: Here, Path(product_id): Path<String>, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let product = products::load(&site, &here, &product_id).await?;
    let request = ListVersionsRequest { product_id, limit: PAGE, cursor: wanted.cursor };
    let found = site.catalog.clone().list_versions(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &product, &found).into_response())
}

fn view_list(visit: &Visit, product: &Product, found: &ListVersionsResponse) -> Markup {
    let address = format!("/seller/products/{}", product.product_id);
    let body = html! {
        (ui::crumbs(&[("/seller/products".to_owned(), "Products".to_owned()), (address.clone(), product.title.clone())], "Versions"))
        div.stack {
            @for version in &found.versions {
                section.card.stack.tight {
                    header.row.between {
                        h2 { a href={ (address) "/versions/" (version.version) } { "Version " (version.version) } " " span.small.hush { (word(&version.action, "")) } }
                        (back_to(visit, product, version.version))
                    }
                    p.small.hush { (moment(version.at.as_ref())) " by " span.mono.tiny { (version.actor) } }
                    @if !version.changes.is_empty() { (changes(&version.changes)) }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link(&format!("{address}/versions"), &[("cursor", &found.next_cursor)])).as_deref()))
    };
    desk(visit, "/seller/products", "Versions", "What changed, when, by whom. Nothing is lost: any version can come back.", html! {}, body)
}

/// The way back to a version that is not the present one.
fn back_to(visit: &Visit, product: &Product, version: i32) -> Markup {
    let action = format!("/seller/products/{}/versions/{version}/roll-back", product.product_id);
    let button = html! { button.btn.outline.small type="submit" data-confirm="Make the product what it was in this version?" { (ui::icon("rotate-ccw")) "Roll back to this" } };
    html! { @if version == product.version { (badge(Tone::Good, "as it is now")) } @else if visit.may("seller:catalog.write") { (form::post(visit, &action, button)) } }
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path((product_id, version)): Path<(String, i32)>) -> Page {
    working(&here)?;
    let product = products::load(&site, &here, &product_id).await?;
    let found = site.catalog.clone().get_version(here.ctx.request(GetVersionRequest { product_id, version })).await?.into_inner();
    Ok(view(&here, &product, &found).into_response())
}

fn view(visit: &Visit, product: &Product, found: &GetVersionResponse) -> Markup {
    let (version, then) = (found.version.clone().unwrap_or_default(), found.product.clone().unwrap_or_default());
    let address = format!("/seller/products/{}", product.product_id);
    let way = [
        ("/seller/products".to_owned(), "Products".to_owned()),
        (address.clone(), product.title.clone()),
        (format!("{address}/versions"), "Versions".to_owned()),
    ];
    let title = format!("Version {}", version.version);
    let body = html! {
        (ui::crumbs(&way, &title))
        div.stack.loose {
            section.card.stack.tight {
                header.row.between { h2 { "What was done: " (word(&version.action, "")) } (back_to(visit, product, version.version)) }
                p.small.hush { (moment(version.at.as_ref())) " by " span.mono.tiny { (version.actor) } }
                @if !version.changes.is_empty() { (changes(&version.changes)) }
            }
            section.card.stack {
                h2 { (then.title) }
                @if !then.media.is_empty() { ul.shots { @for media in &then.media { li { (ui::picture(&media.hash, &media.alt, &then.title, ui::IN_ROW)) } } } }
                (offered::content(&then))
            }
        }
    };
    desk(
        visit,
        "/seller/products",
        &title,
        "The product as it was then. Rolling back makes this its content again, as a new version.",
        html! {},
        body,
    )
}

fn changes(changes: &[api_catalog::Change]) -> Markup {
    html! {
        div.card.flush {
            table.table.cards {
                thead { tr { th scope="col" { "Field" } th scope="col" { "Before" } th scope="col" { "After" } } }
                tbody { @for change in changes { tr { th scope="row" { span.mono.tiny { (change.field) } } td data-label="Before" { span.small.clamp-2 { (change.before) } } td data-label="After" { span.small.clamp-2 { (change.after) } } } } }
            }
        }
    }
}

pub(crate) async fn roll_back(
    State(site): State<Web>,
    here: Here,
    Path((product_id, version)): Path<(String, i32)>,
    Posted(_): Posted,
) -> Result<Response, Failure> {
    working(&here)?;
    let request = RollBackProductRequest { product_id: product_id.clone(), version, ..Default::default() };
    match site.catalog.clone().roll_back_product(here.ctx.request(request)).await {
        Ok(_) => Ok(Redirect::to(&format!("/seller/products/{product_id}")).into_response()),
        Err(status) => products::refused(&site, &here, &product_id, &status).await,
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    use api_catalog::{Attribute, Change, Variant, Version};
    let product =
        Product { product_id: "prd_1".to_owned(), title: "Kilnhouse Classic Stoneware Mug 212".to_owned(), version: 3, ..Default::default() };
    let versions = ListVersionsResponse {
        versions: vec![
            Version {
                version: 3,
                action: "updated".to_owned(),
                actor: "usr_1".to_owned(),
                changes: vec![Change { field: "variants[D01-000].price".to_owned(), before: "USD 24.99".to_owned(), after: "USD 19.99".to_owned() }],
                ..Default::default()
            },
            Version { version: 2, action: "activated".to_owned(), ..Default::default() },
        ],
        next_cursor: "n".to_owned(),
    };
    let then = Product {
        title: "Kilnhouse Mug 212".to_owned(),
        description: "<p>Fired once.</p>".to_owned(),
        attributes: vec![Attribute { name: "Glaze".to_owned(), values: vec!["Matt".to_owned()], ..Default::default() }],
        variants: vec![Variant { sku: "D01-000".to_owned(), ..Default::default() }],
        ..Default::default()
    };
    let at = |index: usize, product: &Product| GetVersionResponse { version: versions.versions.get(index).cloned(), product: Some(product.clone()) };
    vec![
        ("seller-product-versions", view_list(&seller(), &product, &versions)),
        ("seller-product-version", view(&seller(), &product, &at(1, &then))),
        ("seller-product-version-now", view(&seller(), &product, &at(0, &product))),
    ]
}
