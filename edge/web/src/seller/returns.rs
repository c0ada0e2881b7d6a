//! What buyers send back: answering, looking at what came, and the shop's policy. The operator's pages use the same boxes.

use api_orders::{
    DecideReturnRequest, GetReturnLabelRequest, GetReturnPolicyRequest, GetReturnRequest, InspectReturnRequest, InspectedLine, ListReturnsRequest,
    Return, ReturnPolicy, ReturnState, SetReturnPolicyRequest,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_core::{Currency, Money};
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::buyer::{account, address};
use crate::failure::{Failure, Page};
use crate::portal::{ListQuery, download, link, moment};
use crate::returned::{self, state_badge};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input, check};
use crate::ui::{self, Tone, amount, show};
use crate::visit::Visit;

const TABS: [(&str, &str); 6] =
    [("", "All"), ("requested", "To answer"), ("approved", "Approved"), ("sent", "On their way"), ("refunded", "Refunded"), ("refused", "Refused")];
const PAGE: u32 = 25;
const SEND_TO: &str = "policy.send_to.";

pub(crate) fn state_of(text: &str) -> ReturnState {
    ReturnState::from_str_name(&format!("RETURN_STATE_{}", text.to_uppercase())).unwrap_or_default()
}

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let request = ListReturnsRequest { limit: PAGE, cursor: wanted.cursor.clone(), state: state_of(&wanted.state).into() };
    let found = site.orders.clone().list_returns(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found.returns, &found.next_cursor).into_response())
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &[Return], next: &str) -> Markup {
    let body = html! {
        (table(visit, "/seller/returns", &wanted.state, found))
        (ui::pager(None, (!next.is_empty()).then(|| link("/seller/returns", &[("state", &wanted.state), ("cursor", next)])).as_deref()))
    };
    let policy = html! { a.btn.outline href="/seller/return-policy" { (ui::icon("settings")) "Policy" } };
    desk(visit, "/seller/returns", "Returns", "What buyers send back, and money you gave back.", policy, body)
}

/// The tabs and the rows; one that waits for a person too long is marked.
pub(crate) fn table(visit: &Visit, path: &str, state: &str, found: &[Return]) -> Markup {
    let overdue = |shown: &Return| {
        let waits = matches!(shown.state(), ReturnState::Requested | ReturnState::Sent);
        waits && shown.due_at.as_ref().is_some_and(|due| kit_rpc::time(due) < visit.now)
    };
    html! {
        nav.tabs aria-label="State" { ul { @for (value, label) in TABS { li { a href=(link(path, &[("state", value)])) aria-current=[(value == state).then_some("page")] { (label) } } } } }
        div.card.flush {
            @if found.is_empty() { (ui::empty("rotate-ccw", "No returns here", "When a buyer wants to send something back, it appears here.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Return" } th scope="col" { "State" } th scope="col" { "What" } th.num scope="col" { "Amount" } th scope="col" { "Since" } } }
                    tbody {
                        @for shown in found {
                            tr {
                                th scope="row" { a.mono.nowrap href={ (path) "/" (shown.return_id) } { (shown.number) } }
                                td data-label="State" { span.row.tight { (state_badge(shown)) @if overdue(shown) { (ui::badge(Tone::Bad, "overdue")) } } }
                                td data-label="What" { span.clamp-2 { (returned::goods(shown)) } }
                                td.num data-label="Amount" { (amount(shown.amount.as_ref()).map(show::money).unwrap_or_default()) }
                                td data-label="Since" { (moment(shown.created_at.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(crate) async fn load(site: &Site, visit: &Visit, return_id: &str) -> Result<Return, Failure> {
    let request = GetReturnRequest { return_id: return_id.to_owned(), access_token: String::new() };
    site.orders.clone().get_return(visit.ctx.request(request)).await?.into_inner().r#return.ok_or_else(Failure::not_found)
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(return_id): Path<String>) -> Page {
    working(&here)?;
    let shown = load(&site, &here, &return_id).await?;
    Ok(view(&here, &shown, &Form::default()).into_response())
}

pub(crate) async fn label(State(site): State<Web>, here: Here, Path(return_id): Path<String>) -> Page {
    working(&here)?;
    let request = GetReturnLabelRequest { return_id, access_token: String::new() };
    Ok(download(site.orders.clone().get_return_label(here.ctx.request(request)).await?))
}

pub(crate) async fn act(State(site): State<Web>, here: Here, Path((return_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    working(&here)?;
    match decide(&site, &here, &return_id, &act, form).await? {
        Ok(told) => Ok(site.redirect(&format!("/seller/returns/{return_id}"), Tone::Good, told)),
        Err(form) => {
            let shown = load(&site, &here, &return_id).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, view(&here, &shown, &form)).into_response())
        }
    }
}

/// Approves, refuses or inspects, by the last word of the address: what to tell, or the form with what is wrong.
pub(crate) async fn decide(site: &Site, visit: &Visit, return_id: &str, act: &str, form: Form) -> Result<Result<&'static str, Form>, Failure> {
    let (mut orders, ctx) = (site.orders.clone(), &visit.ctx);
    let answer = |field: &str| form.text(field);
    let (failed, told, field) = match act {
        "approve" => {
            let request = DecideReturnRequest { return_id: return_id.to_owned(), approve: true, answer: answer("approval") };
            (orders.decide_return(ctx.request(request)).await.err(), "Approved. The buyer has the label.", "approval")
        }
        "refuse" => {
            let request = DecideReturnRequest { return_id: return_id.to_owned(), approve: false, answer: answer("refusal") };
            (orders.decide_return(ctx.request(request)).await.err(), "Refused. The buyer reads why.", "refusal")
        }
        "inspect" => {
            let shown = load(site, visit, return_id).await?;
            let request = match inspection(&shown, &form) {
                Ok(request) => request,
                Err(form) => return Ok(Err(form)),
            };
            (orders.inspect_return(ctx.request(request)).await.err(), "Noted. The buyer's share goes back.", "finding")
        }
        _ => return Err(Failure::not_found()),
    };
    let Some(status) = failed else { return Ok(Ok(told)) };
    let mut problem = problem_of(&status);
    for violation in problem.violations.iter_mut().filter(|violation| violation.field == "answer") {
        field.clone_into(&mut violation.field);
    }
    Ok(Err(form.rejected(&problem)))
}

fn inspection(shown: &Return, form: &Form) -> Result<InspectReturnRequest, Form> {
    let mut wrong = form.clone();
    let mut fine = true;
    let mut number = |field: &str| match form.get(field).parse::<u32>() {
        Ok(number) => number,
        Err(_) => {
            wrong = wrong.clone().wrong(field, "Write a number of pieces.");
            fine = false;
            0
        }
    };
    let line = |(index, line): (usize, &api_orders::ReturnedLine)| InspectedLine {
        item_id: line.item_id.clone(),
        accepted: number(&format!("lines[{index}].accepted")),
        restocked: number(&format!("lines[{index}].restocked")),
    };
    let lines = shown.lines.iter().enumerate().map(line).collect();
    let currency = amount(shown.amount.as_ref()).map_or(Currency::USD, |amount| amount.currency);
    let deduction = match form.get("deduction") {
        "" => None,
        text => match Money::parse_decimal(text, currency) {
            Ok(money) => Some(money.into()),
            Err(_) => {
                wrong = wrong.wrong("deduction", "Write an amount, as in 4.50.");
                fine = false;
                None
            }
        },
    };
    let request = InspectReturnRequest { return_id: shown.return_id.clone(), lines, deduction, answer: form.text("finding") };
    if fine { Ok(request) } else { Err(wrong) }
}

fn view(visit: &Visit, shown: &Return, form: &Form) -> Markup {
    let body = html! {
        (ui::crumbs(&[("/seller/returns".to_owned(), "Returns".to_owned())], &shown.number))
        (detail(visit, shown, "/seller/returns", "/seller/orders", visit.may("seller:orders.write"), form))
    };
    desk(visit, "/seller/returns", &shown.number, "", html! {}, body)
}

/// All about one return, with what there is to do.
pub(crate) fn detail(visit: &Visit, shown: &Return, path: &str, orders: &str, may_act: bool, form: &Form) -> Markup {
    let state = shown.state();
    let action = |act: &str| format!("{path}/{}/{act}", shown.return_id);
    let order = if orders == "/seller/orders" { format!("{orders}/{}", shown.sub_order_id) } else { format!("{orders}/{}", shown.order_id) };
    html! {
        div.mb4 { (form.summary()) }
        div.with-aside {
            div.stack.loose {
                @if !shown.without_goods { section.card.flush { header { h2 { "What comes back" } (state_badge(shown)) } (returned::lines(shown)) } }
                @if !shown.note.is_empty() { section.card.stack { h2 { "The buyer wrote" } p { (shown.note) } } }
                @if !shown.answer.is_empty() { section.card.stack { h2 { "The answer" } p { (shown.answer) } p.small.hush { "by the " (shown.answered_by) } } }
                @if may_act && matches!(state, ReturnState::Approved | ReturnState::Sent) { (inspect_box(visit, shown, &action("inspect"), form)) }
            }
            aside.stack {
                @if may_act && state == ReturnState::Requested { (decide_box(visit, &action("approve"), &action("refuse"), form)) }
                section.card.stack {
                    h2 { "Money" }
                    (returned::sums(shown))
                }
                section.card.stack {
                    h2 { "Facts" }
                    dl.facts {
                        dt { "Buyer" } dd { (shown.buyer_email) }
                        dt { "Since" } dd { (moment(shown.created_at.as_ref())) }
                        @if let Some(due) = &shown.due_at { dt { "Due" } dd { (moment(Some(due))) } }
                        @if !shown.tracking_number.is_empty() { dt { "Parcel" } dd { (shown.carrier) " " span.mono { (shown.tracking_number) } } }
                        dt { "Order" } dd { a href=(order) { "Open the order" } }
                    }
                    @if path == "/seller/returns" && matches!(state, ReturnState::Approved | ReturnState::Sent) { a.btn.outline.block href=(action("label")) { (ui::icon("printer")) "Label and slip" } }
                }
            }
        }
    }
}

fn decide_box(visit: &Visit, approve: &str, refuse: &str, form: &Form) -> Markup {
    html! {
        section.card.stack {
            h2 { "Take it back?" }
            (form::post(visit, approve, html! { div.stack {
                (Input::area("approval", "Words for the buyer").max_len(500).optional().hint("Where to send it, if your policy names no address.").show(form))
                button.btn.block type="submit" { (ui::icon("check")) "Approve" }
            } }))
            details.fold open[form.error("refusal").is_some()] { summary { "Refuse…" }
                (form::post(visit, refuse, html! { div.stack {
                    (Input::area("refusal", "Why not").max_len(500).hint("The buyer reads this.").show(form))
                    button.btn.danger.block type="submit" { "Refuse" }
                } }))
            }
        }
    }
}

fn inspect_box(visit: &Visit, shown: &Return, action: &str, form: &Form) -> Markup {
    let unit = shown.amount.as_ref().map(|amount| amount.currency.clone()).unwrap_or_default();
    let filled =
        |form: &Form, field: &str, value: u32| if form.get(field).is_empty() { form.clone().with(field, value.to_string()) } else { form.clone() };
    html! {
        section.card {
            h2.mb4 { "It has arrived: what did you find?" }
            (form::post(visit, action, html! { div.stack.loose {
                @for (index, line) in shown.lines.iter().enumerate() {
                    @let (accepted, restocked) = (format!("lines[{index}].accepted"), format!("lines[{index}].restocked"));
                    @let hint = format!("0 to {}", line.quantity);
                    fieldset.columns {
                        legend.strong { (line.title) }
                        (Input::number(&accepted, "Taken back").class("half").hint(&hint).show(&filled(form, &accepted, line.quantity)))
                        (Input::number(&restocked, "Fit to be sold again").class("half").hint("The others are written off.").show(&filled(form, &restocked, line.quantity)))
                    }
                }
                (Input::amount("deduction", "Deduct for wear", &unit).optional().hint("Kept from what goes back.").show(form))
                (Input::area("finding", "Words for the buyer").max_len(500).optional().hint("Needed when something is deducted or not taken back.").show(form))
                button.btn type="submit" { (ui::icon("package-open")) "Note it and refund" }
            } }))
        }
    }
}

pub(crate) async fn show_policy(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    let found = site.orders.clone().get_return_policy(here.ctx.request(GetReturnPolicyRequest {})).await?.into_inner();
    let policy = found.policy.unwrap_or_default();
    let on = |on: bool| if on { "on" } else { "" };
    let form = Form::default()
        .with("policy.window_days", policy.window_days.to_string())
        .with("policy.approve_at_once", on(policy.approve_at_once))
        .with("policy.refund_shipping", on(policy.refund_shipping))
        .with("policy.instructions", &policy.instructions);
    let form = address::fill(form, SEND_TO, &policy.send_to.unwrap_or_default());
    Ok(view_policy(&here, found.least_window_days, &form, &account::countries(&site, &here).await).into_response())
}

pub(crate) async fn save_policy(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let send_to = address::read(&form, SEND_TO);
    let policy = ReturnPolicy {
        window_days: form.get("policy.window_days").parse().unwrap_or_default(),
        approve_at_once: form.get("policy.approve_at_once") == "on",
        refund_shipping: form.get("policy.refund_shipping") == "on",
        send_to: (!send_to.line1.is_empty() || !send_to.name.is_empty()).then_some(send_to),
        instructions: form.text("policy.instructions"),
    };
    match site.orders.clone().set_return_policy(here.ctx.request(SetReturnPolicyRequest { policy: Some(policy) })).await {
        Ok(_) => Ok(site.redirect("/seller/return-policy", Tone::Good, "Saved. Orders placed from now on go by it.")),
        Err(status) => {
            let least = site.orders.clone().get_return_policy(here.ctx.request(GetReturnPolicyRequest {})).await?.into_inner().least_window_days;
            let page = view_policy(&here, least, &form.rejected(&problem_of(&status)), &account::countries(&site, &here).await);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn view_policy(visit: &Visit, least: u32, form: &Form, countries: &[api_identity::Country]) -> Markup {
    let hint = format!("At least {least}, counted from delivery.");
    let body = html! {
        (ui::crumbs(&[("/seller/returns".to_owned(), "Returns".to_owned())], "Policy"))
        div.medium {
            (form::post(visit, "/seller/return-policy", html! { div.stack.loose {
                (form.summary())
                section.card.stack {
                    h2 { "Terms" }
                    (Input::number("policy.window_days", "Days to ask for a return").hint(&hint).show(form))
                    (check(form, "policy.approve_at_once", "Approve every return at once (needs an address below)"))
                    (check(form, "policy.refund_shipping", "Give shipping back with the last piece even when the buyer only changed their mind"))
                }
                section.card.stack {
                    h2 { "Where goods are sent" }
                    (address::fields(form, SEND_TO, countries))
                    (Input::area("policy.instructions", "How to pack and send").max_len(1000).optional().show(form))
                }
                div { button.btn type="submit" { "Save" } }
            } }))
        }
    };
    desk(visit, "/seller/returns", "Return policy", "An order keeps the policy it was bought under.", html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{address as sample_address, countries};
    use crate::visit::sample::seller;
    let all = [ReturnState::Requested, ReturnState::Sent, ReturnState::Refunded].map(returned::sample);
    let see = |state| view(&seller(), &returned::sample(state), &Form::default());
    let wrong =
        Form::default().with("lines[0].accepted", "3").wrong("lines[0].accepted", "2 were to come back.").wrong("finding", "Tell the buyer why.");
    let policy = address::fill(Form::default().with("policy.window_days", "30"), SEND_TO, &sample_address());
    vec![
        ("seller-returns", view_list(&seller(), &ListQuery::default(), &all, "n")),
        ("seller-returns-none", view_list(&seller(), &ListQuery::default(), &[], "")),
        ("seller-return-requested", see(ReturnState::Requested)),
        ("seller-return-sent", see(ReturnState::Sent)),
        ("seller-return-wrong", view(&seller(), &returned::sample(ReturnState::Approved), &wrong)),
        ("seller-return-refunded", see(ReturnState::Refunded)),
        ("seller-return-policy", view_policy(&seller(), 14, &policy, &countries())),
        ("seller-return-policy-wrong", view_policy(&seller(), 14, &policy.wrong("policy.window_days", "Must be at least 14."), &[])),
    ]
}
