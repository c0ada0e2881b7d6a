//! What a buyer pays with: the methods on offer, what comes back of one from its provider, and the methods that are kept.

use api_orders::Checkout;
use api_payments::{DeleteMethodRequest, GetPaymentOptionsRequest, ListMethodsRequest, PaymentMethod, PaymentOption};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use kit_rpc::Ctx;
use kit_rpc::proto::Money;
use maud::Markup;
use serde::Deserialize;

use crate::buyer::account::account_needed;
use crate::buyer::paying_pages as pages;
use crate::failure::{Failure, Page};
use crate::security::{FormsTo, ScriptsFrom};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::Tone;
use crate::ui::form::Form;
use crate::visit::Visit;

/// What is on offer for one payment, and what the buyer has kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Means {
    pub(crate) options: Vec<PaymentOption>,
    pub(crate) kept: Vec<PaymentMethod>,
}

/// What comes back with the buyer: from a provider's card form, or from the choice of a method that needs none.
#[derive(Debug, Clone, Deserialize, Default)]
#[serde(default)]
pub(crate) struct CardAnswer {
    pub(crate) payment_token: String,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) payment_error: String,
    pub(crate) payment_error_field: String,
    /// Fields beginning with "state" come back from a provider's form unchanged: whose form it was, and whether to keep the card.
    pub(crate) state_psp: String,
    pub(crate) state_save: String,
    /// What was chosen with a method, each under its method's name.
    pub(crate) choice_net_banking: String,
    pub(crate) choice_wallet: String,
}

impl CardAnswer {
    /// The card form with what the provider said about a field of it.
    pub(crate) fn form(&self) -> Form {
        match (self.payment_error.as_str(), self.payment_error_field.as_str()) {
            ("", _) => Form::default(),
            (error, "") => Form::default().refused(error),
            (error, field) => Form::default().wrong(field, error),
        }
    }

    /// With the token as payments takes it, and a kept method by its card.
    pub(crate) fn complete(mut self, kept: &[PaymentMethod]) -> Self {
        let chosen = match self.payment_token.as_str() {
            "net_banking" => &self.choice_net_banking,
            "wallet" => &self.choice_wallet,
            _ => "",
        };
        if !chosen.is_empty() {
            self.payment_token = format!("{}:{chosen}", self.payment_token);
        } else if !self.state_psp.is_empty() && !self.payment_token.is_empty() && !self.payment_token.contains('/') {
            self.payment_token = format!("{}/{}", self.state_psp, self.payment_token);
        }
        if let Some(summary) = kept.iter().find(|method| method.method_id == self.payment_token).and_then(|method| method.summary.as_ref()) {
            self.brand.clone_from(&summary.brand);
            self.last4.clone_from(&summary.last4);
        }
        self
    }

    /// As a form has posted it again.
    pub(crate) fn posted(form: &Form) -> Self {
        Self {
            payment_token: form.text("payment_token"),
            brand: form.text("brand"),
            last4: form.text("last4"),
            state_save: form.text("state_save"),
            ..Self::default()
        }
    }

    pub(crate) fn saves(&self) -> bool {
        self.state_save == "on"
    }
}

/// What is on offer for a checkout.
pub(crate) async fn means(site: &Site, visit: &Visit, checkout: &Checkout) -> Result<Means, Failure> {
    let total = checkout.totals.as_ref().and_then(|totals| totals.total.clone());
    let tenants = checkout.parts.iter().map(|part| part.tenant_id.clone()).collect();
    means_for(site, visit, total, tenants).await
}

pub(crate) async fn means_for(site: &Site, visit: &Visit, amount: Option<Money>, tenant_ids: Vec<String>) -> Result<Means, Failure> {
    let request = GetPaymentOptionsRequest { amount, tenant_ids };
    let options = site.payments.clone().get_payment_options(visit.ctx.request(request)).await?.into_inner().options;
    let kept = if visit.viewer.signed_in { kept(site, &visit.ctx).await.unwrap_or_default() } else { Vec::new() };
    Ok(Means { options, kept })
}

async fn kept(site: &Site, ctx: &Ctx) -> Result<Vec<PaymentMethod>, Failure> {
    Ok(site.payments.clone().list_methods(ctx.request(ListMethodsRequest {})).await?.into_inner().methods)
}

/// A page whose forms may go to the providers, and which may hold the fields of their scripts.
pub(crate) fn with_forms_to(page: Markup, means: &Means) -> Response {
    let mut response = page.into_response();
    let origins =
        |options: &dyn Fn(&&PaymentOption) -> bool| means.options.iter().filter(options).flat_map(|option| option.origins.clone()).collect();
    response.extensions_mut().insert(FormsTo(origins(&|_| true)));
    response.extensions_mut().insert(ScriptsFrom(origins(&|option| !option.script_url.is_empty())));
    response
}

pub(crate) async fn show_kept(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    Ok(pages::kept(&here, &kept(&site, &here.ctx).await?).into_response())
}

pub(crate) async fn forget(State(site): State<Web>, here: Here, Path(method_id): Path<String>, Posted(_): Posted) -> Page {
    account_needed(&here)?;
    site.payments.clone().delete_method(here.ctx.request(DeleteMethodRequest { method_id })).await?;
    Ok(site.redirect("/account/payment-methods", Tone::Good, "That card is forgotten, here and at the provider."))
}
