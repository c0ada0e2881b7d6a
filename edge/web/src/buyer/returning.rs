//! Sending something back: asking for it, and following it to the refund. For the buyer, and for whoever has the order's link.

use api_orders::{
    GetOrderRequest, GetReturnLabelRequest, GetReturnRequest, Item, Order, RequestReturnRequest, Return, ReturnLine, ReturnState, SendReturnRequest,
    SubOrder, WithdrawReturnRequest,
};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use kit_core::Code;
use kit_rpc::{Problem, problem_of};
use maud::{Markup, html};
use serde::Deserialize;

use crate::buyer::address;
use crate::buyer::order_pages::address_of;
use crate::failure::{Failure, Page};
use crate::returned::{self, REASONS, reason_value};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Head, Progress, Tone, amount, icon, show};
use crate::visit::Visit;

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(crate) struct Token {
    access_token: String,
}

/// What of a part can still be sent back. The service decides; this only spares a link that cannot work.
pub(crate) fn may_return(visit: &Visit, part: &SubOrder) -> bool {
    let open = part.returnable_until.as_ref().is_some_and(|until| kit_rpc::time(until) >= visit.now);
    open && left(part).next().is_some()
}

fn left(part: &SubOrder) -> impl Iterator<Item = (&Item, u32)> {
    let pieces = |item: &Item| item.quantity.saturating_sub(item.cancelled_quantity + item.returned_quantity);
    part.items.iter().map(move |item| (item, pieces(item))).filter(|(_, pieces)| *pieces > 0)
}

/// "/returns/ret_…/label?access_token=…".
pub(crate) fn return_address(return_id: &str, step: &str, token: &str) -> String {
    let step = if step.is_empty() { String::new() } else { format!("/{step}") };
    if token.is_empty() { format!("/returns/{return_id}{step}") } else { format!("/returns/{return_id}{step}?access_token={token}") }
}

async fn load(site: &Site, here: &Here, order_id: &str, token: &str) -> Result<Order, Failure> {
    let request = GetOrderRequest { order_id: order_id.to_owned(), access_token: token.to_owned() };
    site.orders.clone().get_order(here.ctx.request(request)).await?.into_inner().order.ok_or_else(Failure::not_found)
}

fn part_of<'o>(order: &'o Order, sub_order_id: &str) -> Result<&'o SubOrder, Failure> {
    order.sub_orders.iter().find(|part| part.sub_order_id == sub_order_id).ok_or_else(Failure::not_found)
}

pub(crate) async fn show_request(
    State(site): State<Web>,
    here: Here,
    Path((id, sub_order_id)): Path<(String, String)>,
    Query(token): Query<Token>,
) -> Page {
    let order = load(&site, &here, &id, &token.access_token).await?;
    Ok(view_request(&here, &order, part_of(&order, &sub_order_id)?, &token.access_token, None, &Form::default()).into_response())
}

/// The lines of which something is to go back, each with its place in the form.
fn wanted(form: &Form) -> (Vec<usize>, Vec<ReturnLine>) {
    let mut places = Vec::new();
    let mut lines = Vec::new();
    for index in 0.. {
        let item_id = form.text(&format!("lines[{index}].item_id"));
        if item_id.is_empty() {
            break;
        }
        let quantity = form.get(&format!("lines[{index}].quantity")).parse().unwrap_or(0);
        let reason = form.get(&format!("lines[{index}].reason"));
        let reason = REASONS.iter().find(|(known, _)| reason_value(*known) == reason).map(|(known, _)| *known).unwrap_or_default();
        if quantity > 0 {
            places.push(index);
            lines.push(ReturnLine { item_id, quantity, reason: reason.into() });
        }
    }
    (places, lines)
}

/// Violations name lines of the request; the form has more.
fn placed(mut problem: Problem, places: &[usize]) -> Problem {
    for violation in &mut problem.violations {
        for (line, place) in places.iter().enumerate().rev() {
            if let Some(field) = violation.field.strip_prefix(&format!("lines[{line}].")) {
                violation.field = format!("lines[{place}].{field}");
                break;
            }
        }
    }
    problem
}

pub(crate) async fn request(State(site): State<Web>, here: Here, Path((id, sub_order_id)): Path<(String, String)>, Posted(form): Posted) -> Page {
    let token = form.text("access_token");
    let preview = !form.get("preview").is_empty();
    let (places, lines) = wanted(&form);
    let asked = RequestReturnRequest { sub_order_id: sub_order_id.clone(), lines, note: form.text("note"), access_token: token.clone(), preview };
    let (form, previewed) = if asked.lines.is_empty() {
        (form.refused("Say how many pieces of at least one item go back."), None)
    } else {
        match site.orders.clone().request_return(here.ctx.request(asked)).await.map(|answer| answer.into_inner().r#return.unwrap_or_default()) {
            Ok(shown) if preview => (form, Some(shown)),
            Ok(shown) => {
                let told = if shown.state() == ReturnState::Approved {
                    "The shop takes it back. Print the label and send it."
                } else {
                    "The shop knows, and answers soon."
                };
                return Ok(site.redirect(&return_address(&shown.return_id, "", &token), Tone::Good, told));
            }
            Err(status) => match problem_of(&status) {
                problem if matches!(problem.code, Code::Invalid | Code::Refused | Code::Conflict) => (form.rejected(&placed(problem, &places)), None),
                _ => return Err(status.into()),
            },
        }
    };
    let order = load(&site, &here, &id, &token).await?;
    let code = if previewed.is_some() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let page = view_request(&here, &order, part_of(&order, &sub_order_id)?, &token, previewed.as_ref(), &form);
    Ok((code, page).into_response())
}

fn view_request(visit: &Visit, order: &Order, part: &SubOrder, token: &str, previewed: Option<&Return>, form: &Form) -> Markup {
    let head = Head { title: "Send something back", tab: "orders", ..Head::default() };
    let back = address_of(&order.order_id, "", token);
    let action = format!("/orders/{}/parts/{}/return", order.order_id, part.sub_order_id);
    let body = html! {
        div.medium {
            (ui::crumbs(&[("/orders".to_owned(), "Orders".to_owned()), (back.clone(), order.number.clone())], "Send something back"))
            div.page-head { div {
                h1 { "What do you send back?" }
                p { "To " (part.store_name) "." @if let Some(until) = &part.returnable_until { " You can ask for it until " (show::date(kit_rpc::time(until))) "." } }
            } }
            @if let Some(previewed) = previewed { div.mb4 { (ui::notice(Tone::Info, html! {
                strong { (amount(previewed.amount.as_ref()).map(show::money).unwrap_or_default()) " would go back to your card" }
                @if let Some(shipping) = amount(previewed.shipping.as_ref()).filter(|shipping| !shipping.is_zero()) { ", " (show::money(shipping)) " of it for shipping" }
                ", when the shop has looked at the goods."
            })) } }
            section.card { (form::post(visit, &action, html! {
                input type="hidden" name="access_token" value=(token);
                div.stack.loose {
                    (form.summary())
                    @for (index, (item, pieces)) in left(part).enumerate() { (line_fields(index, item, pieces, form)) }
                    (Input::area("note", "What should the shop know?").max_len(1000).optional().show(form))
                    div.row {
                        button.btn type="submit" { "Ask to send it back" }
                        button.btn.outline type="submit" name="preview" value="1" { "See what goes back to you" }
                        a.btn.quiet href=(back) { "Keep everything" }
                    }
                }
            })) }
        }
    };
    ui::page(visit, &head, body)
}

fn line_fields(index: usize, item: &Item, pieces: u32, form: &Form) -> Markup {
    let (quantity, reason) = (format!("lines[{index}].quantity"), format!("lines[{index}].reason"));
    let price = amount(item.unit_price.as_ref()).map(show::money).unwrap_or_default();
    let hint = format!("0 to {pieces}, {price} each. {}", item.options);
    let filled = if form.get(&quantity).is_empty() { form.clone().with(&quantity, "0") } else { form.clone() };
    html! {
        fieldset.columns {
            legend.strong { (item.title) }
            input type="hidden" name={ "lines[" (index) "].item_id" } value=(item.item_id);
            (Input::number(&quantity, "Pieces").class("third").hint(hint.trim()).show(&filled))
            (Input::select(&reason, "Why", REASONS.map(|(reason, words)| (reason_value(reason), words))).class("two-thirds").show(form))
        }
    }
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(return_id): Path<String>, Query(token): Query<Token>) -> Page {
    let shown = load_return(&site, &here, &return_id, &token.access_token).await?;
    Ok(view(&here, &shown, &token.access_token, &Form::default()).into_response())
}

async fn load_return(site: &Site, here: &Here, return_id: &str, token: &str) -> Result<Return, Failure> {
    let request = GetReturnRequest { return_id: return_id.to_owned(), access_token: token.to_owned() };
    site.orders.clone().get_return(here.ctx.request(request)).await?.into_inner().r#return.ok_or_else(Failure::not_found)
}

pub(crate) async fn label(State(site): State<Web>, here: Here, Path(return_id): Path<String>, Query(token): Query<Token>) -> Page {
    let request = GetReturnLabelRequest { return_id, access_token: token.access_token };
    let file = site.orders.clone().get_return_label(here.ctx.request(request)).await?.into_inner();
    let mut response = Response::new(axum::body::Body::from(file.data));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
    response.headers_mut().insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"return-label.pdf\""));
    Ok(response)
}

/// Withdraws it, or tells that it was sent, by the last word of the address.
pub(crate) async fn act(State(site): State<Web>, here: Here, Path((return_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    let (mut orders, ctx, access_token) = (site.orders.clone(), &here.ctx, form.text("access_token"));
    let back = return_address(&return_id, "", &access_token);
    let (failed, told) = match act.as_str() {
        "withdraw" => {
            let request = WithdrawReturnRequest { return_id: return_id.clone(), access_token: access_token.clone() };
            (orders.withdraw_return(ctx.request(request)).await.err(), "You keep everything.")
        }
        "send" => {
            let request = SendReturnRequest {
                return_id: return_id.clone(),
                carrier: form.text("carrier"),
                tracking_number: form.text("tracking_number"),
                access_token: access_token.clone(),
            };
            (orders.send_return(ctx.request(request)).await.err(), "Thank you; the shop knows that it is on its way.")
        }
        _ => return Err(Failure::not_found()),
    };
    match failed.map(|status| (problem_of(&status), status)) {
        None => Ok(site.redirect(&back, Tone::Good, told)),
        Some((problem, _)) if matches!(problem.code, Code::Invalid | Code::Conflict | Code::Refused) => {
            let shown = load_return(&site, &here, &return_id, &access_token).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, view(&here, &shown, &access_token, &form.rejected(&problem))).into_response())
        }
        Some((_, status)) => Err(status.into()),
    }
}

const STEPS: [(ReturnState, &str, &str); 5] = [
    (ReturnState::Requested, "rotate-ccw", "Asked for"),
    (ReturnState::Approved, "check", "Approved"),
    (ReturnState::Sent, "truck", "On its way"),
    (ReturnState::Received, "package-open", "Looked at"),
    (ReturnState::Refunded, "banknote", "Money back"),
];

fn track(state: ReturnState) -> Markup {
    let rank = |state: ReturnState| STEPS.iter().position(|(step, ..)| *step == state).unwrap_or_default();
    html! {
        ol.track {
            @for (step, picture, words) in STEPS {
                @let done = rank(step) < rank(state) || (step == state && state == ReturnState::Refunded);
                @let at = if done { Progress::Done } else if step == state { Progress::Now } else { Progress::Ahead };
                li class=(at.class()) aria-current=[(at == Progress::Now).then_some("step")] {
                    span.dot { (icon(if done { "check" } else { picture })) }
                    span { (words) }
                }
            }
        }
    }
}

fn view(visit: &Visit, shown: &Return, token: &str, form: &Form) -> Markup {
    let head = Head { title: "Return", tab: "orders", ..Head::default() };
    let order = address_of(&shown.order_id, "", token);
    let state = shown.state();
    let ended = matches!(state, ReturnState::Refused | ReturnState::Withdrawn | ReturnState::Expired);
    let body = html! {
        (ui::crumbs(&[("/orders".to_owned(), "Orders".to_owned()), (order.clone(), "The order".to_owned())], "Return"))
        div.page-head { div { h1 { "Return to " (shown.store_name) } p { span.order-number { (shown.number) } } } }
        div.with-aside {
            div.stack.loose {
                section.card.stack {
                    div.row.between { h2 { (next_words(state)) } (returned::state_badge(shown)) }
                    @if !ended { (track(state)) }
                    @if !shown.answer.is_empty() { p { strong { "The shop says: " } "“" (shown.answer) "”" } }
                    @if shown.answered_by == "market" { p.small { "The shop did not answer in time, so the marketplace did." } }
                    @if let Some(due) = shown.due_at.as_ref().filter(|_| !ended) { p.small.hush { (due_words(state)) " " (show::moment(kit_rpc::time(due))) "." } }
                }
                @if matches!(state, ReturnState::Approved | ReturnState::Sent) { (parcel(visit, shown, token, form)) }
                section.card.flush { header { h2 { "What goes back" } } (returned::lines(shown)) }
                @if !shown.note.is_empty() { section.card.stack { h2 { "What you wrote" } p { (shown.note) } } }
            }
            aside.stack {
                section.card.stack { h2 { "Your money" } (returned::sums(shown)) }
                @if matches!(state, ReturnState::Requested | ReturnState::Approved) {
                    section.card { (form::post(visit, &return_address(&shown.return_id, "withdraw", ""), html! {
                        input type="hidden" name="access_token" value=(token);
                        button.btn.quiet.danger.small type="submit" data-confirm="Keep everything?" { (icon("ban")) "I keep it after all" }
                    })) }
                }
                a.btn.quiet href=(order) { (icon("arrow-left")) "Back to the order" }
            }
        }
    };
    ui::page(visit, &head, body)
}

const fn next_words(state: ReturnState) -> &'static str {
    match state {
        ReturnState::Requested => "The shop is to answer",
        ReturnState::Approved => "Now send it",
        ReturnState::Sent => "On its way to the shop",
        ReturnState::Received => "The shop has looked at it",
        ReturnState::Refunded => "All done",
        ReturnState::Refused => "The shop does not take it back",
        ReturnState::Withdrawn => "You keep it",
        ReturnState::Expired => "It was not sent in time",
        ReturnState::Unspecified => "",
    }
}

const fn due_words(state: ReturnState) -> &'static str {
    match state {
        ReturnState::Requested => "The shop has to answer until",
        ReturnState::Approved => "Send it until",
        _ => "The shop has to look at it until",
    }
}

fn parcel(visit: &Visit, shown: &Return, token: &str, form: &Form) -> Markup {
    let sent = shown.state() == ReturnState::Sent;
    html! {
        section.card.stack {
            h2 { "The parcel" }
            @if let Some(to) = &shown.send_to { (address::lines(to)) }
            @if !shown.instructions.is_empty() { p { (shown.instructions) } }
            a.btn.outline href=(return_address(&shown.return_id, "label", token)) { (icon("printer")) "Label and slip (PDF)" }
            @if sent { p { (icon("truck")) " " (shown.carrier) " " span.mono { (shown.tracking_number) } } }
            details.fold open[!sent] { summary { @if sent { "Correct the tracking number" } @else { "I have sent it" } }
                (form::post(visit, &return_address(&shown.return_id, "send", ""), html! {
                    input type="hidden" name="access_token" value=(token);
                    div.stack {
                        (form.summary())
                        (Input::text("carrier", "Carrier").max_len(60).placeholder("UPS").show(form))
                        (Input::text("tracking_number", "Tracking number").max_len(60).show(form))
                        button.btn type="submit" { (icon("send")) "Tell the shop" }
                    }
                }))
            }
        }
    }
}

/// The returns of a part, on the order's page.
pub(crate) fn of_part(part: &SubOrder, token: &str) -> Markup {
    html! {
        @for shown in &part.returns {
            @let back = amount(shown.amount.as_ref()).map(show::money).unwrap_or_default();
            (ui::notice(Tone::Info, html! {
                @if shown.without_goods {
                    strong { "The shop gave " (back) " back." } @if !shown.answer.is_empty() { " “" (shown.answer) "”" }
                } @else {
                    strong { "Return of " (returned::goods(shown)) } " " (returned::state_badge(shown)) " · " (back) " "
                    a href=(return_address(&shown.return_id, "", token)) { "See the return" }
                }
            }))
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::order as sample_order;
    use crate::visit::sample::{buyer, nobody};
    let order = sample_order();
    let part = order.sub_orders.get(1).cloned().unwrap_or_default();
    let wrong = Form::default().with("lines[0].quantity", "9").wrong("lines[0].quantity", "2 can be returned.");
    let see = |state| view(&buyer(), &returned::sample(state), "", &Form::default());
    let refused = Return { answer: crate::buyer::sample::LONG.to_owned(), ..returned::sample(ReturnState::Refused) };
    vec![
        ("return-request", view_request(&buyer(), &order, &part, "", None, &Form::default())),
        (
            "return-request-preview",
            view_request(&nobody(), &order, &part, "t0ken", Some(&returned::sample(ReturnState::Requested)), &Form::default()),
        ),
        ("return-request-wrong", view_request(&buyer(), &order, &part, "", None, &wrong)),
        ("return-requested", see(ReturnState::Requested)),
        ("return-approved", view(&nobody(), &returned::sample(ReturnState::Approved), "t0ken", &Form::default())),
        ("return-sent", see(ReturnState::Sent)),
        ("return-refunded", see(ReturnState::Refunded)),
        ("return-refused", view(&buyer(), &refused, "", &Form::default())),
    ]
}
