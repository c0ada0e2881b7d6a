//! The shops of the market: who applied, who sells, and the decisions about them.

use api_tenants::{
    ApproveRequest, CloseRequest, GetRequest, GetResponse, ListRequest, ListResponse, ReactivateRequest, RejectRequest, StartReviewRequest,
    SuspendRequest, Tenant, TenantState,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::terms::{self, PLANS, Terms};
use super::{ListQuery, console, filter, link, moment, staff, word};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, badge, show};
use crate::visit::Visit;

const STATES: [(&str, &str); 6] = [
    ("applied", "Applied"),
    ("verifying", "In review"),
    ("active", "Active"),
    ("suspended", "Suspended"),
    ("closed", "Closed"),
    ("rejected", "Refused"),
];
const PAGE: u32 = 25;

fn state_of(text: &str) -> TenantState {
    TenantState::from_str_name(&format!("TENANT_STATE_{}", text.to_uppercase())).unwrap_or_default()
}

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let request = ListRequest { limit: PAGE, cursor: wanted.cursor.clone(), state: state_of(&wanted.state).into(), query: wanted.query.clone() };
    let found = site.tenants.clone().list(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found).into_response())
}

fn state_badge(state: TenantState) -> Markup {
    let tone = match state {
        TenantState::Active => Tone::Good,
        TenantState::Applied | TenantState::Verifying => Tone::Warn,
        TenantState::Suspended | TenantState::Rejected => Tone::Bad,
        TenantState::Closed | TenantState::Unspecified => Tone::Plain,
    };
    badge(tone, word(state.as_str_name(), "TENANT_STATE_"))
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &ListResponse) -> Markup {
    let body = html! {
        (filter("/operator/tenants", "Name, address or e-mail", &wanted.query, &STATES, &wanted.state))
        div.card.flush {
            @if found.tenants.is_empty() { (ui::empty("store", "No shop here", "No tenant matches what you asked for.", Some(("/operator/tenants", "Show all")))) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Shop" } th scope="col" { "State" } th scope="col" { "Plan" } th.num scope="col" { "Commission" } th scope="col" { "Data" } th scope="col" { "Applied" } } }
                    tbody {
                        @for tenant in &found.tenants {
                            @let store = tenant.store.clone().unwrap_or_default();
                            tr {
                                th scope="row" { a href={ "/operator/tenants/" (tenant.tenant_id) } { (store.name) } div.tiny.hush.mono { (store.slug) } }
                                td data-label="State" { (state_badge(tenant.state())) }
                                td data-label="Plan" { (word(tenant.plan().as_str_name(), "PLAN_")) }
                                td.num data-label="Commission" { (show::percent(tenant.commission_bps)) }
                                td data-label="Data" { (if tenant.cell.is_empty() || tenant.cell == "home" { "shared" } else { tenant.cell.as_str() }) }
                                td data-label="Applied" { (moment(tenant.applied_at.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/tenants", &[("query", &wanted.query), ("state", &wanted.state), ("cursor", &found.next_cursor)])).as_deref()))
    };
    console(visit, "/operator/tenants", "Tenants", "Every shop of the market, and those that want to be.", html! {}, body)
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(tenant_id): Path<String>) -> Page {
    staff(&here)?;
    let (found, terms) = load(&site, &here, tenant_id).await?;
    Ok(view(&here, &found, &terms, &Form::default()).into_response())
}

async fn load(site: &Site, visit: &Visit, tenant_id: String) -> Result<(GetResponse, Terms), Failure> {
    let found = site.tenants.clone().get(visit.ctx.request(GetRequest { tenant_id })).await?.into_inner();
    let terms = Terms::load(site, visit, &found.tenant.clone().unwrap_or_default()).await;
    Ok((found, terms))
}

/// One decision about a tenant, by the last word of the address.
pub(crate) async fn act(State(site): State<Web>, here: Here, Path((tenant_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    staff(&here)?;
    let (mut tenants, ctx) = (site.tenants.clone(), &here.ctx);
    let (id, reason) = (tenant_id.clone(), form.text("reason"));
    let plan = terms::plan_of(form.get("plan"));
    let (done, told) = match act.as_str() {
        "review" => (tenants.start_review(ctx.request(StartReviewRequest { tenant_id: id })).await.err(), "The application is in review."),
        "approve" => {
            (tenants.approve(ctx.request(ApproveRequest { tenant_id: id, plan: plan.into() })).await.err(), "Approved: the shop can sell now.")
        }
        "reject" => (tenants.reject(ctx.request(RejectRequest { tenant_id: id, reason })).await.err(), "Refused; the applicant is told why."),
        "suspend" => {
            (tenants.suspend(ctx.request(SuspendRequest { tenant_id: id, reason })).await.err(), "Suspended: its products are out of the shop.")
        }
        "reactivate" => (tenants.reactivate(ctx.request(ReactivateRequest { tenant_id: id, reason })).await.err(), "Active again."),
        "close" => (tenants.close(ctx.request(CloseRequest { tenant_id: id, reason })).await.err(), "Closed for good."),
        _ => return set_terms(&site, &here, tenant_id, &act, form).await,
    };
    match done {
        None => Ok(site.redirect(&format!("/operator/tenants/{tenant_id}"), Tone::Good, told)),
        Some(status) => again(&site, &here, tenant_id, &form.rejected(&problem_of(&status))).await,
    }
}

async fn set_terms(site: &Site, visit: &Visit, tenant_id: String, act: &str, form: Form) -> Page {
    match terms::set(site, visit, &tenant_id, act, form).await? {
        Ok(told) => Ok(site.redirect(&format!("/operator/tenants/{tenant_id}"), Tone::Good, told)),
        Err(form) => again(site, visit, tenant_id, &form).await,
    }
}

async fn again(site: &Site, visit: &Visit, tenant_id: String, form: &Form) -> Page {
    let (found, terms) = load(site, visit, tenant_id).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, view(visit, &found, &terms, form)).into_response())
}

fn view(visit: &Visit, found: &GetResponse, terms: &Terms, form: &Form) -> Markup {
    let tenant = found.tenant.clone().unwrap_or_default();
    let (store, business) = (tenant.store.clone().unwrap_or_default(), tenant.business.clone().unwrap_or_default());
    let quotas = tenant.quotas.unwrap_or_default();
    let body = html! {
        (ui::crumbs(&[("/operator/tenants".to_owned(), "Tenants".to_owned())], &store.name))
        div.mb4 { (form.summary()) }
        div.with-aside {
            div.stack.loose {
                section.card { header { h2 { "Business" } (state_badge(tenant.state())) }
                    dl.facts {
                        dt { "Legal name" } dd { (business.legal_name) }
                        dt { "Registration" } dd { (business.registration_number) }
                        dt { "Tax number" } dd { (business.tax_id) }
                        dt { "Contact" } dd { (business.contact_email) @if !business.phone.is_empty() { ", " (business.phone) } }
                        dt { "Address" } dd { (business.address) }
                        dt { "About" } dd { (business.about) }
                    }
                }
                section.card { h2.mb4 { "Shop" }
                    dl.facts {
                        dt { "Address" } dd { a href={ "/s/" (store.slug) } { "/s/" (store.slug) } }
                        dt { "Country, currency" } dd { (store.country) ", " (store.currency) }
                        dt { "Plan" } dd { (word(tenant.plan().as_str_name(), "PLAN_")) ", " (show::percent(tenant.commission_bps)) " commission" }
                        dt { "Limits" } dd { (show::counted(u64::from(quotas.products), "product", "products")) ", " (show::count(u64::from(quotas.api_calls_per_minute))) " calls a minute" }
                        dt { "Data lives in" } dd { (if tenant.cell.is_empty() { "home" } else { tenant.cell.as_str() }) }
                    }
                }
                section.card { h2.mb4 { "History" } (history(found)) }
            }
            aside.stack { @if visit.may("operator:tenants.write") { (decisions(visit, &tenant)) } (terms.cards(visit, &tenant, form)) }
        }
    };
    console(visit, "/operator/tenants", &store.name, "", html! {}, body)
}

fn history(found: &GetResponse) -> Markup {
    html! {
        ol.timeline {
            @for change in found.history.iter().rev() {
                li.done { span.dot { (ui::icon("check")) } div { p.what { (word(change.state().as_str_name(), "TENANT_STATE_")) } p.when { (moment(change.at.as_ref())) " by " (change.actor) } @if !change.reason.is_empty() { p.small { (change.reason) } } } }
            }
        }
    }
}

/// The decisions that the state allows; the ones that hurt ask for a reason.
fn decisions(visit: &Visit, tenant: &Tenant) -> Markup {
    let state = tenant.state();
    let action = |act: &str| format!("/operator/tenants/{}/{act}", tenant.tenant_id);
    let waiting = matches!(state, TenantState::Applied | TenantState::Verifying);
    let asked = Form::default().with("plan", word(tenant.plan().as_str_name(), "PLAN_"));
    html! {
        section.card.stack {
            h2 { "Decide" }
            @if waiting {
                (form::post(visit, &action("approve"), html! { div.stack { (Input::select("plan", "Plan", PLANS).show(&asked)) button.btn.block type="submit" { (ui::icon("badge-check")) "Approve" } } }))
            }
            @if state == TenantState::Applied { (form::post(visit, &action("review"), html! { button.btn.outline.block type="submit" { "Take into review" } })) }
            @if matches!(state, TenantState::Suspended) { (form::post(visit, &action("reactivate"), html! { button.btn.block type="submit" { "Reactivate" } })) }
            @for (act, label, shown) in [("reject", "Refuse", waiting), ("suspend", "Suspend", state == TenantState::Active), ("close", "Close for good", matches!(state, TenantState::Active | TenantState::Suspended))] {
                @if shown {
                    details.fold { summary { (label) "…" }
                        (form::post(visit, &action(act), html! { div.stack {
                            div.field { label for={ "reason-" (act) } { "Reason" } textarea id={ "reason-" (act) } name="reason" rows="3" required maxlength="1000" {} p.hint { "The seller reads this." } }
                            button.btn.danger.block type="submit" { (label) }
                        } }))
                    }
                }
            }
            @if matches!(state, TenantState::Closed | TenantState::Rejected) { p.hush { "Nothing is left to decide." } }
        }
    }
}

#[cfg(test)]
pub(super) fn sample_tenants() -> Vec<Tenant> {
    use api_tenants::Plan;
    let tenant = |number: u32, name: &str, state: TenantState| Tenant {
        tenant_id: format!("ten_{number:032x}"),
        state: state.into(),
        store: Some(api_tenants::Store {
            name: name.to_owned(),
            slug: name.to_lowercase().replace(' ', "-"),
            country: "US".to_owned(),
            currency: "USD".to_owned(),
            ..Default::default()
        }),
        business: Some(api_tenants::Business {
            legal_name: format!("{name} Ltd"),
            contact_email: "shop@example.com".to_owned(),
            address: "1 Kiln Lane".to_owned(),
            ..Default::default()
        }),
        plan: Plan::Pro.into(),
        commission_bps: 1200,
        applied_at: Some(kit_rpc::timestamp(crate::visit::sample::time("2026-11-20T09:00:00Z"))),
        ..Default::default()
    };
    vec![
        tenant(1, "Kiln and Clay", TenantState::Applied),
        tenant(2, "Lumen Works", TenantState::Active),
        tenant(3, "Echo Room", TenantState::Suspended),
    ]
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let tenants = sample_tenants();
    let change = api_tenants::StateChange { state: TenantState::Applied.into(), actor: "usr_1".to_owned(), ..Default::default() };
    let terms = terms::sample();
    let one = |tenant: &Tenant| GetResponse { tenant: Some(tenant.clone()), history: vec![change.clone()] };
    vec![
        ("operator-tenants", view_list(&operator(), &ListQuery::default(), &ListResponse { tenants: tenants.clone(), next_cursor: "n".to_owned() })),
        ("operator-tenants-none", view_list(&operator(), &ListQuery { query: "nobody".to_owned(), ..Default::default() }, &ListResponse::default())),
        ("operator-tenant-applied", view(&operator(), &one(&tenants[0]), &terms, &Form::default())),
        (
            "operator-tenant-active",
            view(&operator(), &one(&tenants[1]), &terms, &Form::default().rejected(&problem_of(&kit_rpc::violation("reason", "is required")))),
        ),
        (
            "operator-tenant-suspended",
            view(&operator(), &one(&tenants[2]), &Terms::default(), &Form::default().with("plan", "pro").wrong("commission", terms::NO_SHARE)),
        ),
    ]
}
