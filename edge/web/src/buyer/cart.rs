//! The cart: lines of several sellers, what changed since they were put in, and the way to the checkout.

use api_analytics::BehaviourKind;
use api_cart::{AddItemRequest, CartContents, CartLine, GetCartRequest, NoticeKind, RemoveItemRequest, SellerGroup, UpdateItemRequest};
use api_identity::Country;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue};
use kit_rpc::problem_of;
use maud::{Markup, html};
use serde_json::json;

use crate::behaviour;
use crate::buyer::account::countries;
use crate::buyer::shelves;
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted, with_cookies};
use crate::site::Web;
use crate::ui::form::{Form, Input};
use crate::ui::{self, Head, Tone, amount, form, icon, show};
use crate::visit::Visit;

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    // A visitor without an identity has no cart yet; reading must not make one.
    if here.ctx.user().is_none() {
        return Ok(view(&here, &CartContents::default(), &[]).into_response());
    }
    let mut of_cart = site.cart.clone();
    let (cart, countries) =
        tokio::join!(of_cart.get_cart(here.ctx.request(GetCartRequest { country: here.ships_to.clone() })), countries(&site, &here));
    let cart = cart?.into_inner().cart.unwrap_or_default();
    let cookie = (cart.item_count != here.cart_count).then(|| site.cart_cookie(cart.item_count));
    let visit = Visit { cart_count: cart.item_count, ..(*here.0).clone() };
    Ok(with_cookies(view(&visit, &cart, &countries).into_response(), cookie))
}

pub(crate) async fn add(State(site): State<Web>, here: Here, headers: HeaderMap, Posted(form): Posted) -> Page {
    let by_htmx = headers.contains_key("hx-request");
    let quantity = form.get("quantity").parse().map_err(|_| Failure::invalid("the quantity must be a whole number from 1 to 999"))?;
    let (ctx, cookies) = site.somebody(&here, &headers).await?;
    let request = AddItemRequest { tenant_id: form.text("tenant_id"), variant_id: form.text("variant_id"), quantity: Some(quantity) };
    let answer = match site.cart.clone().add_item(ctx.request(request)).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => {
            let problem = problem_of(&status);
            let answer = if by_htmx { toast(Markup::default(), &problem.message, None) } else { site.redirect("/cart", Tone::Bad, &problem.message) };
            return Ok(with_cookies(answer, cookies));
        }
    };
    let product = form.text("product_id");
    if !product.is_empty() {
        let visit = Visit { ctx, ..(*here.0).clone() };
        site.note(&visit, vec![behaviour::about_product(BehaviourKind::AddToCart, &product, "")]);
    }
    let cookies = cookies.into_iter().chain([site.cart_cookie(answer.item_count)]);
    if !by_htmx {
        return Ok(with_cookies(site.redirect("/cart", Tone::Good, "Added to your cart."), cookies));
    }
    // Two places show the count; both are swapped.
    let count = html! { span.count.cart-count hx-swap-oob="outerHTML:.cart-count" { (answer.item_count) span.sr { " in the cart" } } };
    Ok(with_cookies(toast(count, "Added to your cart", Some(("/cart", "View cart"))), cookies))
}

/// A partial answer that also tells something.
fn toast(body: Markup, text: &str, link: Option<(&str, &str)>) -> Response {
    let told = json!({ "toast": { "text": text, "href": link.map(|link| link.0), "label": link.map(|link| link.1) } }).to_string();
    let mut response = body.into_response();
    // A header is ASCII; JSON has an escape for the rest.
    let ascii: String = told
        .chars()
        .map(|c| if c.is_ascii() { c.to_string() } else { c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect() })
        .collect();
    if let Ok(value) = HeaderValue::from_str(&ascii) {
        response.headers_mut().insert("hx-trigger", value);
    }
    response
}

pub(crate) async fn update(State(site): State<Web>, here: Here, Path(variant_id): Path<String>, Posted(form): Posted) -> Page {
    let quantity = form.get("quantity").parse().map_err(|_| Failure::invalid("the quantity must be a whole number from 0 to 999"))?;
    let answer = site.cart.clone().update_item(here.ctx.request(UpdateItemRequest { variant_id, quantity })).await;
    match answer {
        Ok(answer) => Ok(with_cookies(Redirect::to("/cart").into_response(), [site.cart_cookie(answer.into_inner().item_count)])),
        Err(status) => Ok(site.redirect("/cart", Tone::Bad, &problem_of(&status).message)),
    }
}

/// Where to: the cart tells what shipping there costs, before any address is given.
pub(crate) async fn ship_to(State(site): State<Web>, _: Here, Posted(form): Posted) -> Page {
    Ok(with_cookies(Redirect::to("/cart").into_response(), [site.ships_to_cookie(form.get("country"))]))
}

pub(crate) async fn remove(State(site): State<Web>, here: Here, Path(variant_id): Path<String>, Posted(_): Posted) -> Page {
    let answer = site.cart.clone().remove_item(here.ctx.request(RemoveItemRequest { variant_id })).await?.into_inner();
    Ok(with_cookies(Redirect::to("/cart").into_response(), [site.cart_cookie(answer.item_count)]))
}

pub(crate) fn view(visit: &Visit, cart: &CartContents, countries: &[Country]) -> Markup {
    let head = Head { title: "Cart", tab: "cart", ..Head::default() };
    if cart.groups.is_empty() {
        let body = html! {
            div.page-head { h1 { "Cart" } }
            (ui::empty("shopping-cart", "Your cart is empty", "Put in things from any shop; they wait here for you, with or without an account.", Some(("/search", "Browse everything"))))
        };
        return ui::page(visit, &head, body);
    }
    let shops = cart.groups.len();
    ui::page(
        visit,
        &head,
        html! {
            div.page-head {
                div {
                    h1 { "Cart" }
                    p {
                        (show::counted(u64::from(cart.item_count), "piece", "pieces"))
                        " from "
                        (show::counted(u64::try_from(shops).unwrap_or(0), "shop", "shops"))
                    }
                }
            }
            div.with-aside {
                div.stack.loose { @for group in &cart.groups { (group_view(visit, group)) } }
                aside.stack { (summary(cart)) (ships_to(visit, countries)) }
            }
            (shelves::later("cart"))
        },
    )
}

fn group_view(visit: &Visit, group: &SellerGroup) -> Markup {
    html! {
        section.parcel {
            header {
                h2 { (icon("store")) a href={ "/s/" (group.store_slug) } { (group.store_name) } }
                @if let Some(subtotal) = amount(group.subtotal.as_ref()) { span.num.strong { (show::money(subtotal)) } }
            }
            @for line in &group.lines { (line_view(visit, line)) }
            @if let Some(shipping) = &group.shipping {
                footer {
                    span.row.tight { (icon("truck")) (shipping.method) ", " (days(shipping.min_days, shipping.max_days)) }
                    @if let Some(price) = amount(shipping.price.as_ref()) { span { (free_or(price)) } }
                }
            }
        }
    }
}

/// "2–4 days".
pub(crate) fn days(min: u32, max: u32) -> String {
    if min == max { show::counted(u64::from(max), "day", "days") } else { format!("{min}–{max} days") }
}

pub(crate) fn free_or(price: kit_core::Money) -> String {
    if price.is_zero() { "Free".to_owned() } else { show::money(price) }
}

fn line_view(visit: &Visit, line: &CartLine) -> Markup {
    let address = ui::product_url(&line.product_id, "");
    let action = format!("/cart/items/{}", line.variant_id);
    html! {
        article.line {
            a.shot href=(address) tabindex="-1" aria-hidden="true" { (ui::picture_at(&line.image_url, "", &line.title)) }
            h3 { a href=(address) { span.clamp-2 { (line.title) } } }
            p.sum {
                @if let Some(total) = amount(line.line_total.as_ref()) { (show::price(total)) }
                @if line.quantity > 1 { @if let Some(each) = amount(line.unit_price.as_ref()) { span.each { (show::money(each)) " each" } } }
            }
            @if !line.options.is_empty() { p.meta { (line.options) } }
            @for notice in &line.notices {
                p.remark.bad[notice.kind() == NoticeKind::Unavailable] { (icon("triangle-alert")) span { (notice.message) } }
            }
            div.acts {
                form.qty-form method="post" action=(action) data-autosubmit {
                    (form::csrf(visit))
                    div.stepper {
                        button.js-only type="button" data-step="-1" aria-label={ "One less of " (line.title) } { (icon("minus")) }
                        input type="text" inputmode="numeric" name="quantity" value=(line.quantity) min="0" max="999" maxlength="3" autocomplete="off" aria-label={ "Quantity of " (line.title) };
                        button.js-only type="button" data-step="1" aria-label={ "One more of " (line.title) } { (icon("plus")) }
                    }
                    button.btn.quiet.small.no-js type="submit" { "Update" }
                }
                form method="post" action={ (action) "/remove" } {
                    (form::csrf(visit))
                    button.btn.quiet.small type="submit" aria-label={ "Remove " (line.title) } { (icon("trash-2")) span.only-wide { "Remove" } }
                }
            }
        }
    }
}

fn ships_to(visit: &Visit, countries: &[Country]) -> Markup {
    let form = Form::default().with("country", visit.ships_to.clone());
    html! {
        form.card.stack.tight method="post" action="/cart/ships-to" data-autosubmit {
            (form::csrf(visit))
            (Input::country("country", "Shipping to", countries).optional().hint("To see what shipping costs before you check out.").show(&form))
            button.btn.quiet.small.no-js type="submit" { "Estimate" }
        }
    }
}

fn summary(cart: &CartContents) -> Markup {
    let estimated = cart.groups.iter().all(|group| group.shipping.is_some());
    html! {
        section.card.stack {
            h2 { "Summary" }
            @for totals in &cart.totals {
                dl.sums {
                    @if let Some(items) = amount(totals.items.as_ref()) { dt { "Goods" } dd { (show::money(items)) } }
                    @if let Some(discount) = amount(totals.discount.as_ref()).filter(|discount| !discount.is_zero()) {
                        dt { "Discount" }
                        dd { "−" (show::money(discount)) }
                    }
                    dt { "Shipping" }
                    dd {
                        @match amount(totals.shipping.as_ref()).filter(|_| estimated) {
                            Some(shipping) if shipping.is_zero() => "Free",
                            Some(shipping) => { "from " (show::money(shipping)) },
                            None => span.hush { "at checkout" },
                        }
                    }
                    @if let Some(tax) = amount(totals.tax.as_ref()).filter(|tax| !tax.is_zero()) { dt { "Tax" } dd { (show::money(tax)) } }
                    @if let Some(total) = amount(totals.total.as_ref()) { dt.total { "Total" } dd.total { (show::money(total)) } }
                }
            }
            @if cart.ready_for_checkout {
                a.btn.large.block href="/checkout" { "Check out" (icon("arrow-right")) }
            } @else {
                (ui::notice(Tone::Warn, "Something in the cart cannot be bought as it stands. Change or remove the marked lines to go on."))
                span.btn.large.block aria-disabled="true" { "Check out" }
            }
            p.tiny.hush.center { "One payment for all shops. Stock is held for you once you place the order." }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{cart, countries};
    use crate::visit::sample;
    let mut troubled = cart();
    troubled.ready_for_checkout = false;
    troubled.groups[0].lines[0].notices = vec![api_cart::Notice { kind: NoticeKind::Unavailable.into(), message: "Out of stock".to_owned() }];
    vec![
        ("cart", view(&Visit { ships_to: "US".to_owned(), ..sample::buyer() }, &cart(), &countries())),
        ("cart-troubled", view(&sample::buyer(), &troubled, &countries())),
        ("cart-empty", view(&sample::nobody(), &CartContents::default(), &[])),
    ]
}
