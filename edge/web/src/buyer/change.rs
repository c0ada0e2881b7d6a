//! Changing an order that is under way: fewer pieces of a part, another address. For its buyer.

use api_identity::Country;
use api_orders::{CancelItemsRequest, Cancellation, ChangeShippingAddressRequest, GetOrderRequest, Item, KeptLine, Order, OrderState, SubOrder};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kit_core::Code;
use kit_rpc::problem_of;
use maud::{Markup, html};

use crate::buyer::account::countries;
use crate::buyer::address;
use crate::buyer::order_pages::address_of;
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Head, Tone, amount, show};
use crate::visit::Visit;

const FIELD: &str = "shipping_address.";

/// Pieces can be taken out until they leave. The service decides; this only spares a link that cannot work.
pub(crate) const fn may_shrink(state: OrderState) -> bool {
    matches!(state, OrderState::Paid | OrderState::Processing | OrderState::Packed)
}

/// The address can be changed until a part is packed.
pub(crate) fn may_move(order: &Order) -> bool {
    order.sub_orders.iter().any(|part| matches!(part.state(), OrderState::Paid | OrderState::Processing))
        || matches!(order.state(), OrderState::PaymentPending | OrderState::PaymentFailed | OrderState::Reserved)
}

async fn load(site: &Site, here: &Here, order_id: &str) -> Result<Order, Failure> {
    let request = GetOrderRequest { order_id: order_id.to_owned(), access_token: String::new() };
    site.orders.clone().get_order(here.ctx.request(request)).await?.into_inner().order.ok_or_else(Failure::not_found)
}

fn part_of<'o>(order: &'o Order, sub_order_id: &str) -> Result<&'o SubOrder, Failure> {
    order.sub_orders.iter().find(|part| part.sub_order_id == sub_order_id).ok_or_else(Failure::not_found)
}

/// The page again with what was refused; other failures are the page's.
fn refused(form: Form, status: &tonic::Status) -> Result<Form, Failure> {
    let problem = problem_of(status);
    match problem.code {
        Code::Invalid | Code::Refused | Code::Conflict => Ok(form.rejected(&problem)),
        _ => Err(status.clone().into()),
    }
}

fn again(page: Markup) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

pub(crate) async fn show_items(State(site): State<Web>, here: Here, Path((id, sub_order_id)): Path<(String, String)>) -> Page {
    let order = load(&site, &here, &id).await?;
    let part = part_of(&order, &sub_order_id)?;
    let kept = |form: Form, (index, item): (usize, &Item)| {
        form.with(&format!("lines[{index}].quantity"), item.quantity.saturating_sub(item.cancelled_quantity).to_string())
    };
    let form = left(part).enumerate().fold(Form::default(), kept);
    Ok(view_items(&here, &order, part, None, &form).into_response())
}

/// The lines of a posted form, as "lines[0].item_id" and "lines[0].quantity"; a quantity that is no number is told at its field.
pub(crate) fn kept_lines(form: Form) -> Result<(Vec<KeptLine>, Form), Form> {
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    for index in 0.. {
        let item_id = form.text(&format!("lines[{index}].item_id"));
        if item_id.is_empty() {
            break;
        }
        let field = format!("lines[{index}].quantity");
        match form.get(&field).parse() {
            Ok(quantity) => lines.push(KeptLine { item_id, quantity }),
            Err(_) => wrong.push(field),
        }
    }
    if wrong.is_empty() { Ok((lines, form)) } else { Err(wrong.iter().fold(form, |form, field| form.wrong(field, "Must be a number of pieces."))) }
}

pub(crate) async fn set_items(State(site): State<Web>, here: Here, Path((id, sub_order_id)): Path<(String, String)>, Posted(form): Posted) -> Page {
    let preview = !form.get("preview").is_empty();
    let mut previewed = None;
    let form = match kept_lines(form) {
        Err(form) => form,
        Ok((lines, form)) => {
            let request = CancelItemsRequest { sub_order_id: sub_order_id.clone(), lines, reason: form.text("reason"), preview };
            match site.orders.clone().cancel_items(here.ctx.request(request)).await {
                Ok(answer) if preview => {
                    previewed = Some(answer.into_inner().preview.unwrap_or_default());
                    form
                }
                Ok(_) => {
                    return Ok(site.redirect(&address_of(&id, "", ""), Tone::Good, "Done. What you do not want any more goes back to your card."));
                }
                Err(status) => refused(form, &status)?,
            }
        }
    };
    let order = load(&site, &here, &id).await?;
    let page = view_items(&here, &order, part_of(&order, &sub_order_id)?, previewed.as_ref(), &form);
    Ok(if previewed.is_some() { page.into_response() } else { again(page) })
}

fn view_items(visit: &Visit, order: &Order, part: &SubOrder, previewed: Option<&Cancellation>, form: &Form) -> Markup {
    let head = Head { title: "Fewer pieces", tab: "orders", ..Head::default() };
    let back = address_of(&order.order_id, "", "");
    let action = format!("/orders/{}/parts/{}/items", order.order_id, part.sub_order_id);
    let body = html! {
        div.medium {
            (ui::crumbs(&[("/orders".to_owned(), "Orders".to_owned()), (back.clone(), order.number.clone())], "Fewer pieces"))
            div.page-head { div { h1 { "How many do you still want?" } p { "From " (part.store_name) ". What is not wanted any more goes back to your card; shipping goes back when nothing is left." } } }
            section.card { (form::post(visit, &action, html! {
                div.stack.loose {
                    (form.summary())
                    (kept_fields(part, form))
                    (Input::text("reason", "Why").max_len(300).optional().hint("The shop reads it.").show(form))
                    @if let Some(previewed) = previewed { (ui::notice(Tone::Info, html! {
                        strong { (amount(previewed.amount.as_ref()).map(show::money).unwrap_or_else(|| "Nothing".to_owned())) " would go back to your card" }
                        @if previewed.whole { ", shipping included, because nothing would be left" } "."
                    })) }
                    div.row { button.btn.danger type="submit" { "Cancel the others" } button.btn.outline type="submit" name="preview" value="1" { "See what goes back" } a.btn.quiet href=(back) { "Keep everything" } }
                }
            })) }
        }
    };
    ui::page(visit, &head, body)
}

/// The lines of which something is left.
pub(crate) fn left(part: &SubOrder) -> impl Iterator<Item = &Item> {
    part.items.iter().filter(|item| item.quantity > item.cancelled_quantity)
}

/// A number for each line of which something is left.
pub(crate) fn kept_fields(part: &SubOrder, form: &Form) -> Markup {
    html! {
        @for (index, item) in left(part).enumerate() {
            @let field = format!("lines[{index}].quantity");
            @let pieces = item.quantity - item.cancelled_quantity;
            @let price = amount(item.unit_price.as_ref()).map(show::money).unwrap_or_default();
            @let hint = format!("0 to {pieces}, {price} each. {}", item.options);
            input type="hidden" name={ "lines[" (index) "].item_id" } value=(item.item_id);
            (Input::number(&field, &item.title).hint(hint.trim()).show(form))
        }
    }
}

pub(crate) async fn show_address(State(site): State<Web>, here: Here, Path(id): Path<String>) -> Page {
    let order = load(&site, &here, &id).await?;
    let form = address::fill(Form::default(), FIELD, &order.shipping_address.clone().unwrap_or_default());
    Ok(view_address(&here, &order, &form, &countries(&site, &here).await).into_response())
}

pub(crate) async fn set_address(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    let request = ChangeShippingAddressRequest { order_id: id.clone(), shipping_address: Some(address::read(&form, FIELD)) };
    match site.orders.clone().change_shipping_address(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&address_of(&id, "", ""), Tone::Good, "The shops know the new address.")),
        Err(status) => {
            let form = refused(form, &status)?;
            let order = load(&site, &here, &id).await?;
            Ok(again(view_address(&here, &order, &form, &countries(&site, &here).await)))
        }
    }
}

fn view_address(visit: &Visit, order: &Order, form: &Form, countries: &[Country]) -> Markup {
    let head = Head { title: "Another address", tab: "orders", ..Head::default() };
    let back = address_of(&order.order_id, "", "");
    let country = order.shipping_address.as_ref().map(|address| address.country.as_str()).unwrap_or_default();
    // Prices and shipping are for the country; another one is another order.
    let same: Vec<Country> = countries.iter().filter(|known| known.code == country).cloned().collect();
    let body = html! {
        div.medium {
            (ui::crumbs(&[("/orders".to_owned(), "Orders".to_owned()), (back.clone(), order.number.clone())], "Another address"))
            div.page-head { div { h1 { "Send it elsewhere" } p { "Everything that is not packed yet goes to the new address, in the same country." } } }
            section.card { (form::post(visit, &format!("/orders/{}/address", order.order_id), html! {
                div.stack {
                    (form.summary())
                    (address::fields(form, FIELD, &same))
                    div.row { button.btn type="submit" { "Use this address" } a.btn.quiet href=(back) { "Leave it as it is" } }
                }
            })) }
        }
    };
    ui::page(visit, &head, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{countries, order as sample_order};
    use crate::visit::sample::buyer;
    let order = sample_order();
    let part = order.sub_orders.get(1).cloned().unwrap_or_default();
    let wrong = Form::default().with("lines[0].quantity", "99").wrong("lines[0].quantity", "Can only become less; 2 are ordered.");
    let previewed = part.cancellations.first().cloned().unwrap_or_default();
    let address = address::fill(Form::default(), FIELD, &order.shipping_address.clone().unwrap_or_default());
    vec![
        ("order-items", view_items(&buyer(), &order, &part, Some(&previewed), &Form::default().with("lines[0].quantity", "1"))),
        ("order-items-wrong", view_items(&buyer(), &order, &part, None, &wrong)),
        ("order-address", view_address(&buyer(), &order, &address, &countries())),
        ("order-address-packed", view_address(&buyer(), &order, &address.refused("The address cannot be changed: everything of it is packed."), &[])),
    ]
}
