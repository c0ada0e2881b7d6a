//! What buyers can pay with, and how PSPs are doing, as the contract says it.

use std::time::Duration;

use api_payments as api;
use kit_core::Money;
use kit_rpc::{parse, violation};
use tonic::Status;

use crate::psp::{Circuit, Collect, Detail, Guarded, MethodKind, Psps, Purpose, Way};

pub(crate) fn purpose(request: &api::GetPaymentOptionsRequest) -> Result<Purpose, Status> {
    let amount = request.amount.as_ref().map(Money::try_from).transpose();
    let tenants = request.tenant_ids.iter().map(|id| parse("tenant_ids", id)).collect::<Result<_, _>>()?;
    Ok(Purpose { amount: amount.map_err(|error| violation("amount.currency", &error.to_string()))?, tenants })
}

/// One option per method: that of the first PSP that takes it.
pub(crate) fn of(psps: &Psps, purpose: &Purpose) -> Vec<api::PaymentOption> {
    let first = |kind| psps.candidates(kind, purpose).into_iter().next().map(|(psp, way)| option(psp, way));
    MethodKind::ALL.into_iter().filter_map(first).collect()
}

fn option(psp: &Guarded, way: Way) -> api::PaymentOption {
    let offer = psp.offer();
    let mut option = api::PaymentOption {
        psp: psp.name().to_owned(),
        name: way.name.to_owned(),
        publishable_key: offer.publishable_key,
        origin: offer.origins.first().cloned().unwrap_or_default(),
        origins: offer.origins,
        method: kind(way.kind).into(),
        can_be_saved: way.saves,
        ..api::PaymentOption::default()
    };
    match way.collect {
        Collect::Form { tokenisation_url, test_cards } => {
            option.tokenisation_url = tokenisation_url;
            option.test_cards =
                test_cards.iter().map(|(number, effect)| api::TestCard { number: (*number).to_owned(), effect: (*effect).to_owned() }).collect();
        }
        Collect::Script { url } => option.script_url = url,
        Collect::Redirect(detail) => {
            way.kind.word().clone_into(&mut option.token);
            if let Detail::OneOf(what, choices) = detail {
                what.clone_into(&mut option.choice);
                option.choices =
                    choices.iter().map(|(code, name)| api::PaymentChoice { code: (*code).to_owned(), name: (*name).to_owned() }).collect();
            }
        }
    }
    option
}

pub(crate) fn status(psp: &Guarded, is_default: bool) -> api::PspStatus {
    let health = psp.health();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    let circuit = match health.circuit {
        Circuit::Closed => api::CircuitState::Closed,
        Circuit::Open => api::CircuitState::Open,
        Circuit::HalfOpen => api::CircuitState::HalfOpen,
    };
    api::PspStatus {
        psp: psp.name().to_owned(),
        is_default,
        methods: psp.offer().ways.iter().map(|way| kind(way.kind).into()).collect(),
        circuit: circuit.into(),
        under_way: count(health.under_way),
        max_under_way: count(psp.max_under_way()),
        requests: count(health.requests),
        failed: count(health.failed),
        median_ms: millis(health.median),
        p95_ms: millis(health.slow),
        last_failure: health.last_failure,
    }
}

fn kind(kind: MethodKind) -> api::PaymentMethodKind {
    match kind {
        MethodKind::Card => api::PaymentMethodKind::Card,
        MethodKind::Paypal => api::PaymentMethodKind::Paypal,
        MethodKind::Upi => api::PaymentMethodKind::Upi,
        MethodKind::NetBanking => api::PaymentMethodKind::NetBanking,
        MethodKind::Wallet => api::PaymentMethodKind::Wallet,
    }
}
