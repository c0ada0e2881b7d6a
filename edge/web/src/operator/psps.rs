//! The payment service providers: what each takes, and how it has been doing lately.

use api_payments::{CircuitState, ListPspsRequest, PspStatus};
use axum::extract::State;
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::{console, staff, word};
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui::{Tone, badge};
use crate::visit::Visit;

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    staff(&here)?;
    let psps = site.payments.clone().list_psps(here.ctx.request(ListPspsRequest {})).await?.into_inner().psps;
    Ok(view(&here, &psps).into_response())
}

fn circuit(psp: &PspStatus) -> Markup {
    match psp.circuit() {
        CircuitState::Open => badge(Tone::Bad, "Open: left alone"),
        CircuitState::HalfOpen => badge(Tone::Warn, "Half open: trying"),
        _ => badge(Tone::Good, "Closed: in use"),
    }
}

/// "0.4 %", in tenths without a float.
fn rate(psp: &PspStatus) -> String {
    if psp.requests == 0 {
        return "–".to_owned();
    }
    let tenths = u64::from(psp.failed) * 1_000 / u64::from(psp.requests);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn view(visit: &Visit, psps: &[PspStatus]) -> Markup {
    let about = "What each takes, whether it is in use, and what requests to it came to in the last five minutes, as this process has seen it.";
    let body = html! {
        div.card.flush {
            table.table.cards {
                thead { tr { th scope="col" { "Provider" } th scope="col" { "Circuit" } th scope="col" { "Methods" } th.num scope="col" { "Requests" } th.num scope="col" { "Failed" } th.num scope="col" { "Median" } th.num scope="col" { "95 %" } th.num scope="col" { "Under way" } } }
                tbody {
                    @for psp in psps {
                        tr {
                            th scope="row" {
                                span.row.tight { (psp.psp) @if psp.is_default { (badge(Tone::Plain, "default")) } }
                                @if !psp.last_failure.is_empty() { div.tiny.bad-ink { (psp.last_failure) } }
                            }
                            td data-label="Circuit" { (circuit(psp)) }
                            td data-label="Methods" { @for (index, method) in psp.methods().enumerate() { @if index > 0 { ", " } (word(method.as_str_name(), "PAYMENT_METHOD_KIND_")) } }
                            td.num data-label="Requests" { (psp.requests) }
                            td.num data-label="Failed" { (rate(psp)) }
                            td.num data-label="Median" { (psp.median_ms) " ms" }
                            td.num data-label="95 %" { (psp.p95_ms) " ms" }
                            td.num data-label="Under way" { (psp.under_way) " of " (psp.max_under_way) }
                        }
                    }
                }
            }
        }
        p.small.hush.mt4 { "Which provider a payment goes to is configured: " code { "services.payments.routes" } ". Money always goes back the way it came." }
    };
    console(visit, "/operator/psps", "Payment providers", about, html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use api_payments::PaymentMethodKind;
    let one = |psp: &str, circuit: CircuitState, failed: u32, methods: &[PaymentMethodKind]| PspStatus {
        psp: psp.to_owned(),
        is_default: psp == "stripe",
        methods: methods.iter().map(|method| (*method).into()).collect(),
        circuit: circuit.into(),
        under_way: 3,
        max_under_way: 256,
        requests: 812,
        failed,
        median_ms: 184,
        p95_ms: 420,
        last_failure: if failed > 0 { "the PSP answered 503 Service Unavailable".to_owned() } else { String::new() },
    };
    let psps = [
        one("stripe", CircuitState::Closed, 3, &[PaymentMethodKind::Card]),
        one("paypal", CircuitState::HalfOpen, 95, &[PaymentMethodKind::Paypal]),
        one("razorpay", CircuitState::Open, 812, &[PaymentMethodKind::Upi, PaymentMethodKind::NetBanking, PaymentMethodKind::Wallet]),
    ];
    vec![("operator-psps", view(&crate::visit::sample::operator(), &psps))]
}
