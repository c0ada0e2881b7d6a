//! From buyer to seller: applying for a shop, and accepting an invitation to work in one.

use api_identity::Country;
use api_tenants::{AcceptInviteRequest, ApplyRequest, Business, ListMineRequest, MyTenant, ResubmitRequest, Tenant, TenantState};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::{IntoResponse, Redirect};
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};
use serde::Deserialize;

use crate::buyer::account::{account_needed, countries};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Head, Tone, icon};
use crate::visit::Visit;

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    let mine = if here.viewer.signed_in {
        site.tenants.clone().list_mine(here.ctx.request(ListMineRequest {})).await?.into_inner().tenants
    } else {
        Vec::new()
    };
    Ok(view(&here, &mine).into_response())
}

const fn state_words(state: TenantState) -> (&'static str, Tone) {
    match state {
        TenantState::Applied => ("Waiting for review", Tone::Warn),
        TenantState::Verifying => ("In review", Tone::Warn),
        TenantState::Active => ("Open", Tone::Good),
        TenantState::Suspended => ("Suspended", Tone::Bad),
        TenantState::Closed => ("Closed", Tone::Plain),
        TenantState::Rejected => ("Not accepted", Tone::Bad),
        TenantState::Unspecified => ("Unknown", Tone::Plain),
    }
}

pub(crate) fn view(visit: &Visit, mine: &[MyTenant]) -> Markup {
    let head = Head {
        title: "Open a shop",
        description: "Sell next to everybody else: bring the feed you have, ship your own parcels.",
        canonical: "/sell",
        tab: "account",
        ..Head::default()
    };
    let reasons = [
        ("file-spreadsheet", "Bring the feed you have", "CSV, Excel or JSON lines. Map its columns once; every upload after that is one click."),
        ("shield-check", "Your data stays yours", "Your products, stock and orders are kept apart from every other shop's, by the database itself."),
        (
            "wallet",
            "One payment, split to the cent",
            "The buyer pays once. Your share, the commission and every refund stand in a ledger you can read.",
        ),
    ];
    ui::page(
        visit,
        &head,
        html! {
            section.hero { div {
                h1 { "Your shop," br; em { "in good company." } }
                p.lead {
                    "Sell where people already compare. You keep your name, your stock and your parcels; we bring search, checkout and payment."
                }
                div.row.mt6 {
                    a.btn.large href=(if visit.viewer.signed_in { "/sell/apply" } else { "/sign-in?next=%2Fsell%2Fapply" }) { "Apply for a shop" }
                }
            } }
            @if !mine.is_empty() {
                section.section {
                    div.section-head { h2 { "Your shops and applications" } }
                    ul.grid.two {
                        @for own in mine { @if let Some(tenant) = &own.tenant {
                            @let (words, tone) = state_words(tenant.state());
                            li.card.stack.tight {
                                div.row.between {
                                    h3 { (tenant.store.as_ref().map(|store| store.name.as_str()).unwrap_or_default()) }
                                    (ui::badge(tone, words))
                                }
                                @if !tenant.state_reason.is_empty() { p.small.soft-ink { (tenant.state_reason) } }
                                @if tenant.state() == TenantState::Rejected { p { a href={ "/sell/applications/" (tenant.tenant_id) } { "Better it and send it again" } } }
                                @if tenant.state() == TenantState::Active { p { a href="/seller" { "To the seller portal" } } }
                            }
                        } }
                    }
                }
            }
            section.section.grid.two {
                @for (picture, title, text) in reasons {
                    div.card.stack.tight { (ui::sized_icon(picture, "icon large")) h2 { (title) } p.soft-ink { (text) } }
                }
            }
        },
    )
}

pub(crate) async fn show_apply(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    let form = Form::default().with("country", "US").with("currency", "USD").with("business.contact_email", here.viewer.email.clone());
    Ok(view_apply(&here, &form, &countries(&site, &here).await).into_response())
}

pub(crate) async fn apply(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    account_needed(&here)?;
    let request = ApplyRequest {
        store_name: form.text("store_name"),
        slug: form.text("slug"),
        business: Some(business_of(&form)),
        country: form.text("country"),
        currency: form.text("currency").to_uppercase(),
        description: form.text("description"),
        ..Default::default()
    };
    match site.tenants.clone().apply(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/sell", Tone::Good, "Your application is in. We look at it and write to you.")),
        Err(status) => {
            let page = view_apply(&here, &form.clone().rejected(&problem_of(&status)), &countries(&site, &here).await);
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

const BUSINESS: [&str; 7] = ["legal_name", "registration_number", "tax_id", "contact_email", "phone", "address", "about"];

fn business_of(form: &Form) -> Business {
    let [legal_name, registration_number, tax_id, contact_email, phone, address, about] = BUSINESS.map(|name| form.text(&format!("business.{name}")));
    Business { legal_name, registration_number, tax_id, contact_email, phone, address, about }
}

fn with_business(business: Business) -> Form {
    let Business { legal_name, registration_number, tax_id, contact_email, phone, address, about } = business;
    let values = [legal_name, registration_number, tax_id, contact_email, phone, address, about];
    BUSINESS.into_iter().zip(values).fold(Form::default(), |form, (name, value)| form.with(&format!("business.{name}"), value))
}

fn business_fields(form: &Form) -> Markup {
    html! {
        p.small.hush { "Only the market's staff sees this." }
        (Input::text("business.legal_name", "Registered name").autocomplete("organization").max_len(200).show(form))
        div.columns {
            (Input::text("business.registration_number", "Register and number").max_len(100).optional().class("half").show(form))
            (Input::text("business.tax_id", "VAT or tax number").max_len(50).optional().class("half").show(form))
            (Input::email("business.contact_email", "Contact e-mail").class("half").show(form))
            (Input::text("business.phone", "Phone").kind("tel").autocomplete("tel").max_len(40).optional().class("half").show(form))
        }
        (Input::text("business.address", "Seat").max_len(500).placeholder("1 Kiln Lane, Stoke ST1 1AA").show(form))
        (Input::area("business.about", "What do you mean to sell?").max_len(2000).optional().show(form))
    }
}

pub(crate) fn view_apply(visit: &Visit, form: &Form, countries: &[Country]) -> Markup {
    let head = Head { title: "Apply for a shop", tab: "account", ..Head::default() };
    let fields = html! {
        div.stack.loose {
            (form.summary())
            section.card.stack {
                h2 { "The shop" }
                (Input::text("store_name", "Name of the shop").max_len(80).focus().show(form))
                (Input::text("slug", "Word in the address").max_len(63).optional().hint("As in /s/annas-mugs. Made from the name when left empty.").show(form))
                (Input::area("description", "What buyers read about it").max_len(5000).optional().show(form))
                div.columns {
                    (Input::country("country", "Ships from", countries).class("half").show(form))
                    (Input::text("currency", "Currency of your prices").max_len(3).class("half").hint("ISO code, as in USD or EUR.").show(form))
                }
            }
            section.card.stack {
                h2 { "The business behind it" }
                (business_fields(form))
            }
            div { button.btn.large type="submit" { "Send the application" } }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&[("/sell".to_owned(), "Open a shop".to_owned())], "Apply"))
                div.page-head { h1 { "Apply for a shop" } }
                (form::post(visit, "/sell/apply", fields))
            }
        },
    )
}

/// An own application that was refused; anything else does not exist here.
async fn refused(site: &Site, visit: &Visit, tenant_id: &str) -> Result<Tenant, Failure> {
    account_needed(visit)?;
    let mine = site.tenants.clone().list_mine(visit.ctx.request(ListMineRequest {})).await?.into_inner().tenants;
    let mut refused = mine.into_iter().filter_map(|own| own.tenant).filter(|tenant| tenant.state() == TenantState::Rejected);
    refused.find(|tenant| tenant.tenant_id == tenant_id).ok_or_else(Failure::not_found)
}

pub(crate) async fn show_resubmit(State(site): State<Web>, here: Here, Path(tenant_id): Path<String>) -> Page {
    let tenant = refused(&site, &here, &tenant_id).await?;
    let form = with_business(tenant.business.clone().unwrap_or_default());
    Ok(view_resubmit(&here, &tenant, &form).into_response())
}

pub(crate) async fn resubmit(State(site): State<Web>, here: Here, Path(tenant_id): Path<String>, Posted(form): Posted) -> Page {
    let request = ResubmitRequest { tenant_id: tenant_id.clone(), business: Some(business_of(&form)) };
    match site.tenants.clone().resubmit(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/sell", Tone::Good, "Your application is in again. We look at it and write to you.")),
        Err(status) => {
            let tenant = refused(&site, &here, &tenant_id).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, view_resubmit(&here, &tenant, &form.rejected(&problem_of(&status)))).into_response())
        }
    }
}

fn view_resubmit(visit: &Visit, tenant: &Tenant, form: &Form) -> Markup {
    let head = Head { title: "Apply again", tab: "account", ..Head::default() };
    let store = tenant.store.clone().unwrap_or_default();
    let fields = html! {
        div.stack.loose {
            (form.summary())
            section.card.stack { h2 { "The business behind it" } (business_fields(form)) }
            div.row { button.btn.large type="submit" { "Send it again" } a.btn.quiet href="/sell" { "Not now" } }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&[("/sell".to_owned(), "Open a shop".to_owned())], &store.name))
                div.page-head { div { h1 { "Apply again: " (store.name) } p { "What you sent is still here. Change what was missing." } } }
                div.mb6 { (ui::notice(Tone::Warn, html! { strong { "Why it was not accepted" } p { (tenant.state_reason) } })) }
                (form::post(visit, &format!("/sell/applications/{}", tenant.tenant_id), fields))
            }
        },
    )
}

#[derive(Deserialize)]
pub(crate) struct Invite {
    #[serde(default)]
    token: String,
}

pub(crate) async fn show_invite(here: Here, UrlQuery(invite): UrlQuery<Invite>) -> Page {
    account_needed(&here)?;
    Ok(view_invite(&here, &Form::default().with("token", invite.token)).into_response())
}

pub(crate) async fn accept_invite(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    account_needed(&here)?;
    match site.tenants.clone().accept_invite(here.ctx.request(AcceptInviteRequest { token: form.text("token") })).await {
        Ok(_) => Ok(Redirect::to("/seller").into_response()),
        Err(status) => Ok((StatusCode::UNPROCESSABLE_ENTITY, view_invite(&here, &form.clone().rejected(&problem_of(&status)))).into_response()),
    }
}

pub(crate) fn view_invite(visit: &Visit, form: &Form) -> Markup {
    let head = Head { title: "Invitation", tab: "account", ..Head::default() };
    let fields = html! {
        div.stack {
            (form.summary())
            input type="hidden" name="token" value=(form.get("token"));
            button.btn.large.block type="submit" { (icon("check")) "Accept" }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.narrow.sign {
                div {
                    h1 { "You are invited" }
                    p.soft-ink.mt2 { "A shop wants you on its staff. You accept as " strong { (visit.viewer.email) } "." }
                }
                div.card { (form::post(visit, "/invite", fields)) }
            }
        },
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{LONG, countries};
    use crate::visit::sample;
    let tenant = |state: TenantState, reason: &str| MyTenant {
        tenant: Some(Tenant {
            state: state.into(),
            state_reason: reason.to_owned(),
            store: Some(api_tenants::Store { name: "Anna's Pottery".to_owned(), ..Default::default() }),
            ..Default::default()
        }),
        ..MyTenant::default()
    };
    let rejected = tenant(TenantState::Rejected, "The register number belongs to another business.").tenant.unwrap_or_default();
    let sent = Business { legal_name: "Anna Ltd".to_owned(), address: "1 Kiln Lane".to_owned(), ..Default::default() };
    let wrong =
        Form::default().with("store_name", LONG).wrong("store_name", "Must be at most 80 characters.").wrong("business.legal_name", "Is required.");
    vec![
        ("sell", view(&sample::nobody(), &[])),
        ("sell-mine", view(&sample::seller(), &[tenant(TenantState::Active, ""), tenant(TenantState::Rejected, LONG)])),
        ("sell-apply", view_apply(&sample::buyer(), &Form::default().with("currency", "USD"), &countries())),
        ("sell-apply-wrong", view_apply(&sample::buyer(), &wrong, &[])),
        ("sell-again", view_resubmit(&sample::buyer(), &rejected, &with_business(sent))),
        ("sell-again-wrong", view_resubmit(&sample::buyer(), &rejected, &Form::default().wrong("business.legal_name", "Is required."))),
        ("invite", view_invite(&sample::buyer(), &Form::default().with("token", "t"))),
    ]
}
