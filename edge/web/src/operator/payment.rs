//! One payment: how it stands, what was taken and given back, and asking its payment service provider now.

use api_payments::{GetPaymentRequest, MovementState, Payment, PaymentState, ResolvePaymentRequest};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use kit_rpc::problem_of;
use kit_rpc::proto::Money;
use maud::{Markup, html};

use super::money::{state_badge, text};
use super::{console, moment, staff, word};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::{self, Tone, badge, form};
use crate::visit::Visit;

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(payment_id): Path<String>) -> Page {
    staff(&here)?;
    let found = site.payments.clone().get_payment(here.ctx.request(GetPaymentRequest { payment_id })).await?.into_inner();
    Ok(view(&here, &found.payment.ok_or_else(Failure::not_found)?).into_response())
}

/// Asks the PSP now, and tells how the payment stands.
pub(crate) async fn resolve(State(site): State<Web>, here: Here, Path(payment_id): Path<String>, Posted(_): Posted) -> Page {
    staff(&here)?;
    let back = format!("/operator/payments/{payment_id}");
    match site.payments.clone().resolve_payment(here.ctx.request(ResolvePaymentRequest { payment_id })).await {
        Ok(answer) => {
            let payment = answer.into_inner().payment.unwrap_or_default();
            let (tone, told) = if open(&payment) {
                (Tone::Warn, "The PSP was asked; something is still open.".to_owned())
            } else {
                (Tone::Good, format!("The PSP was asked: the payment is {}.", word(payment.state().as_str_name(), "PAYMENT_STATE_")))
            };
            Ok(site.redirect(&back, tone, &told))
        }
        Err(status) => Ok(site.redirect(&back, Tone::Bad, &problem_of(&status).message)),
    }
}

/// Something about it is not known yet, which the PSP could tell.
fn open(payment: &Payment) -> bool {
    let waits = matches!(
        payment.state(),
        PaymentState::Created | PaymentState::Authorising | PaymentState::ActionRequired | PaymentState::Unknown | PaymentState::Unspecified
    );
    let mut movements = payment.captures.iter().map(|capture| capture.state()).chain(payment.refunds.iter().map(|refund| refund.state()));
    waits || movements.any(|state| state == MovementState::Pending)
}

fn view(visit: &Visit, payment: &Payment) -> Markup {
    let method = payment.method.clone().unwrap_or_default();
    let body = html! {
        (ui::crumbs(&[("/operator/payments".to_owned(), "Payments".to_owned())], &payment.payment_id))
        div.with-aside {
            div.stack.loose {
                section.card {
                    header.row.between.mb4 { h2 { "How it stands" } (state_badge(payment.state())) }
                    dl.facts {
                        dt { "Amount" } dd { (text(payment.amount.as_ref())) }
                        dt { "Captured" } dd { (text(payment.captured.as_ref())) }
                        dt { "Refunded" } dd { (text(payment.refunded.as_ref())) }
                        dt { "Order" } dd { a.mono.tiny href={ "/operator/orders/" (payment.order_id) } { (payment.order_id) } }
                        dt { "PSP" } dd { (payment.psp) @if !payment.psp_reference.is_empty() { ", " span.mono.tiny { (payment.psp_reference) } } }
                        @if !method.last4.is_empty() { dt { "Card" } dd { (method.brand) " ending in " (method.last4) } }
                        @if !payment.failure_message.is_empty() { dt { "Failed" } dd { (payment.failure_message) " " span.mono.tiny.hush { (payment.failure_code) } } }
                        @if payment.void_requested { dt { "Void" } dd { "asked for; carried out as soon as the PSP confirms" } }
                        dt { "Made, changed" } dd { (moment(payment.created_at.as_ref())) ", " (moment(payment.updated_at.as_ref())) }
                    }
                }
                (splits(payment))
                (movements(payment))
                @if !payment.disputes.is_empty() { (disputes(payment)) }
            }
            aside { (asking(visit, payment)) }
        }
    };
    console(visit, "/operator/payments", "Payment", &payment.payment_id, html! {}, body)
}

fn asking(visit: &Visit, payment: &Payment) -> Markup {
    let unknown = payment.state() == PaymentState::Unknown;
    html! {
        section.card.stack {
            h2 { "The PSP's word" }
            @if unknown { (ui::notice(Tone::Warn, "The PSP did not answer. Whether money is held is not known; it is asked again by itself, with the same key.")) }
            @else if open(payment) { p.small { "Something of this payment is under way." } }
            @else { p.small.hush { "Nothing is open. Asking compares what we know with what the PSP knows." } }
            @if visit.may("operator:payments.write") {
                (form::post(visit, &format!("/operator/payments/{}/resolve", payment.payment_id), html! { button.btn.block.outline[!open(payment)] type="submit" { (ui::icon("refresh-cw")) "Ask the PSP now" } }))
            }
        }
    }
}

fn splits(payment: &Payment) -> Markup {
    html! {
        section.card.flush {
            header { h2 { "What is for whom" } }
            table.table.cards {
                thead { tr { th scope="col" { "Part" } th.num scope="col" { "Total" } th.num scope="col" { "Shipping" } th.num scope="col" { "Tax" } th.num scope="col" { "Commission" } th.num scope="col" { "Captured" } th.num scope="col" { "Refunded" } } }
                tbody {
                    @for split in &payment.splits {
                        tr {
                            th scope="row" { a.mono.tiny href={ "/operator/tenants/" (split.tenant_id) } { (split.sub_order_id) } }
                            td.num data-label="Total" { (text(split.total.as_ref())) }
                            td.num data-label="Shipping" { (text(split.shipping.as_ref())) }
                            td.num data-label="Tax" { (text(split.tax.as_ref())) }
                            td.num data-label="Commission" { (text(split.commission.as_ref())) }
                            td.num data-label="Captured" { (text(split.captured.as_ref())) }
                            td.num data-label="Refunded" { (text(split.refunded.as_ref())) }
                        }
                    }
                }
            }
        }
    }
}

struct Movement<'p> {
    what: &'static str,
    id: &'p str,
    state: MovementState,
    amount: Option<&'p Money>,
    note: &'p str,
    failure: &'p str,
    at: Option<&'p prost_types::Timestamp>,
}

fn movements(payment: &Payment) -> Markup {
    let captures = payment.captures.iter().map(|capture| Movement {
        what: "Capture",
        id: &capture.capture_id,
        state: capture.state(),
        amount: capture.amount.as_ref(),
        note: "",
        failure: &capture.failure_message,
        at: capture.created_at.as_ref(),
    });
    let refunds = payment.refunds.iter().map(|refund| Movement {
        what: "Refund",
        id: &refund.refund_id,
        state: refund.state(),
        amount: refund.amount.as_ref(),
        note: &refund.reason,
        failure: &refund.failure_message,
        at: refund.created_at.as_ref(),
    });
    let all: Vec<_> = captures.chain(refunds).collect();
    html! {
        section.card.flush {
            header { h2 { "Taken and given back" } }
            @if all.is_empty() { p.card-note { "Nothing yet." } } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "What" } th scope="col" { "State" } th.num scope="col" { "Amount" } th scope="col" { "When" } } }
                    tbody {
                        @for one in &all {
                            @let tone = match one.state { MovementState::Succeeded => Tone::Good, MovementState::Failed => Tone::Bad, _ => Tone::Warn };
                            tr {
                                th scope="row" { (one.what) div.mono.tiny.hush { (one.id) } @if !one.note.is_empty() { div.small { (one.note) } } @if !one.failure.is_empty() { div.tiny.bad-ink { (one.failure) } } }
                                td data-label="State" { (badge(tone, word(one.state.as_str_name(), "MOVEMENT_STATE_"))) }
                                td.num data-label="Amount" { (text(one.amount)) }
                                td data-label="When" { (moment(one.at)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn disputes(payment: &Payment) -> Markup {
    html! {
        section.card.stack {
            h2 { "Disputes" }
            ul.divided {
                @for dispute in &payment.disputes {
                    li.row.between { span { (word(&dispute.reason, "")) ", " (text(dispute.amount.as_ref())) div.tiny.hush { (moment(dispute.opened_at.as_ref())) } } (badge(Tone::Plain, word(dispute.state().as_str_name(), "DISPUTE_STATE_"))) }
                }
            }
            p.small { a href="/operator/disputes" { "Answer them" } }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    use api_payments::{Capture, Dispute, MethodSummary, PaymentSplit, Refund};
    let money = |amount_minor| Some(Money { amount_minor, currency: "USD".to_owned() });
    let split = |sub_order_id: &str| PaymentSplit {
        sub_order_id: sub_order_id.to_owned(),
        tenant_id: "ten_1".to_owned(),
        total: money(2248),
        commission: money(180),
        captured: money(2248),
        ..Default::default()
    };
    let refund = |state: MovementState, failure: &str| Refund {
        refund_id: "rfn_1".to_owned(),
        state: state.into(),
        amount: money(1999),
        reason: "cancelled by the seller".to_owned(),
        failure_message: failure.to_owned(),
        ..Default::default()
    };
    let captured = Payment {
        payment_id: "pay_1".to_owned(),
        order_id: "ord_1".to_owned(),
        state: PaymentState::PartiallyRefunded.into(),
        amount: money(4497),
        captured: money(4497),
        refunded: money(1999),
        psp: "sandbox".to_owned(),
        psp_reference: "pi_3Nf8".to_owned(),
        method: Some(MethodSummary { brand: "visa".to_owned(), last4: "4242".to_owned(), ..Default::default() }),
        splits: vec![split("sub_1"), split("sub_2")],
        captures: vec![Capture { capture_id: "cap_1".to_owned(), state: MovementState::Succeeded.into(), amount: money(4497), ..Default::default() }],
        refunds: vec![refund(MovementState::Succeeded, ""), refund(MovementState::Failed, "the card is closed")],
        disputes: vec![Dispute { reason: "product_not_received".to_owned(), amount: money(2248), ..Default::default() }],
        ..Default::default()
    };
    let unknown = Payment {
        state: PaymentState::Unknown.into(),
        captures: Vec::new(),
        refunds: Vec::new(),
        disputes: Vec::new(),
        void_requested: true,
        ..captured.clone()
    };
    let pending = Payment { refunds: vec![refund(MovementState::Pending, "")], ..captured.clone() };
    assert_eq!([&captured, &unknown, &pending].map(open), [false, true, true]);
    vec![
        ("operator-payment", view(&operator(), &captured)),
        ("operator-payment-unknown", view(&operator(), &unknown)),
        ("operator-payment-pending", view(&operator(), &pending)),
    ]
}
