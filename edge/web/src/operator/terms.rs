//! The terms a tenant sells under: its plan and commission, whether its products need approval, where its data lives.

use api_catalog::{GetPolicyRequest, SetPolicyRequest};
use api_tenants::{ListPlansRequest, PlaceInCellRequest, Plan, PlanTerms, SetPlanRequest, Tenant, TenantState};
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::word;
use crate::failure::Failure;
use crate::site::Site;
use crate::ui::form::{self, Form, Input, check};
use crate::ui::{self, show};
use crate::visit::Visit;

pub(super) const PLANS: [(&str, &str); 3] = [("free", "Free"), ("pro", "Pro"), ("enterprise", "Enterprise")];
const CELLS: [(&str, &str); 2] = [("home", "With the others"), ("dedicated", "In a place of its own")];
/// The largest commission that can be agreed on, in basis points.
const MAX_COMMISSION_BPS: u32 = 5_000;
pub(super) const NO_SHARE: &str = "Write a share from 0 to 50, as in 9.5.";

pub(super) fn plan_of(text: &str) -> Plan {
    Plan::from_str_name(&format!("PLAN_{}", text.to_uppercase())).unwrap_or_default()
}

/// "9.5" → 950: hundredths of a percent are basis points.
fn basis_points(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once(['.', ',']).unwrap_or((text, ""));
    if rest.len() > 2 || !rest.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let bps = whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(format!("{rest:0<2}").parse().ok()?)?;
    (bps <= MAX_COMMISSION_BPS).then_some(bps)
}

/// What is known besides the tenant itself.
#[derive(Default)]
pub(super) struct Terms {
    plans: Vec<PlanTerms>,
    /// Absent: unknown, or not for this visitor.
    approval_required: Option<bool>,
}

impl Terms {
    /// The page stays up without what a service that is away would have told.
    pub(super) async fn load(site: &Site, visit: &Visit, tenant: &Tenant) -> Self {
        let plans = site.tenants.clone().list_plans(visit.ctx.request(ListPlansRequest {})).await.map(|answer| answer.into_inner().plans);
        let approval_required = if visit.may("operator:catalog.write") && sells(tenant) {
            let request = GetPolicyRequest { tenant_id: tenant.tenant_id.clone() };
            site.catalog.clone().get_policy(visit.ctx.request(request)).await.ok().map(|answer| answer.into_inner().approval_required)
        } else {
            None
        };
        Self { plans: plans.unwrap_or_default(), approval_required }
    }

    fn of(&self, plan: Plan) -> Option<&PlanTerms> {
        self.plans.iter().find(|terms| terms.plan() == plan)
    }

    pub(super) fn cards(&self, visit: &Visit, tenant: &Tenant, form: &Form) -> Markup {
        let action = |act: &str| format!("/operator/tenants/{}/{act}", tenant.tenant_id);
        let waiting = matches!(tenant.state(), TenantState::Applied | TenantState::Verifying);
        let decides = visit.may("operator:tenants.write");
        html! {
            @if decides && sells(tenant) { (self.plan_card(visit, &action("plan"), tenant, form)) }
            @if let Some(required) = self.approval_required {
                section.card.stack {
                    h2 { "Products" }
                    (form::post(visit, &action("policy"), html! { div.stack {
                        (check(&Form::default().with("approval_required", if required { "on" } else { "" }), "approval_required", "New and changed products wait for the market's approval"))
                        button.btn.outline.block type="submit" { "Save" }
                    } }))
                    p.small { a href={ "/operator/review?query=" (tenant.tenant_id) } { "What waits of this shop" } }
                }
            }
            @if decides && waiting {
                @let placed = Form::default().with("cell", if tenant.cell.is_empty() || tenant.cell == "home" { "home" } else { "dedicated" });
                section.card.stack {
                    h2 { "Data" }
                    (form::post(visit, &action("placement"), html! { div.stack {
                        (Input::select("cell", "Where its data will live", CELLS).hint("Decided before the shop opens.").show(&placed))
                        button.btn.outline.block type="submit" { "Place it" }
                    } }))
                }
            }
        }
    }

    fn plan_card(&self, visit: &Visit, action: &str, tenant: &Tenant, form: &Form) -> Markup {
        let of_plan = self.of(tenant.plan()).is_some_and(|terms| terms.commission_bps == tenant.commission_bps);
        let share = if of_plan { String::new() } else { show::percent(tenant.commission_bps).trim_end_matches(" %").to_owned() };
        let standing = form.clone().with("plan", word(tenant.plan().as_str_name(), "PLAN_")).with("commission", share);
        let shown = if form.get("plan").is_empty() { &standing } else { form };
        let options = PLANS.map(|(value, name)| (value, self.of(plan_of(value)).map_or_else(|| name.to_owned(), |terms| plan_words(name, terms))));
        html! {
            section.card.stack {
                h2 { "Plan and commission" }
                (form::post(visit, action, html! { div.stack {
                    (Input::select("plan", "Plan", options).show(shown))
                    (Input::text("commission", "Commission of its own, in %").inputmode("decimal").max_len(6).optional().hint("Empty: the plan's. It counts for orders placed from now on.").show(shown))
                    button.btn.outline.block type="submit" data-confirm="Change what this shop pays from now on?" { (ui::icon("check")) "Change the terms" }
                } }))
            }
        }
    }
}

fn plan_words(name: &str, terms: &PlanTerms) -> String {
    let products = terms.quotas.map_or(0, |quotas| quotas.products);
    let limit = if products == 0 { "any number of products".to_owned() } else { show::counted(products.into(), "product", "products") };
    format!("{name}: {}, {limit}", show::percent(terms.commission_bps))
}

fn sells(tenant: &Tenant) -> bool {
    matches!(tenant.state(), TenantState::Active | TenantState::Suspended)
}

/// Sets what the last word of the address names. Inside: what was done, or the form with what was refused.
pub(super) async fn set(site: &Site, visit: &Visit, tenant_id: &str, act: &str, form: Form) -> Result<Result<&'static str, Form>, Failure> {
    let (ctx, tenant_id) = (&visit.ctx, tenant_id.to_owned());
    let (failed, told) = match act {
        "plan" => {
            let share = form.get("commission");
            let commission_bps = if share.is_empty() { None } else { basis_points(share) };
            if !share.is_empty() && commission_bps.is_none() {
                return Ok(Err(form.wrong("commission", NO_SHARE)));
            }
            let request = SetPlanRequest { tenant_id, plan: plan_of(form.get("plan")).into(), commission_bps };
            (site.tenants.clone().set_plan(ctx.request(request)).await.err(), "The shop's new terms count from now on.")
        }
        "policy" => {
            let request = SetPolicyRequest { tenant_id, approval_required: form.get("approval_required") == "on" };
            (site.catalog.clone().set_policy(ctx.request(request)).await.err(), "Saved.")
        }
        "placement" => {
            let request = PlaceInCellRequest { tenant_id, cell: form.text("cell") };
            (site.tenants.clone().place_in_cell(ctx.request(request)).await.err(), "Its data will live there.")
        }
        _ => return Err(Failure::not_found()),
    };
    Ok(match failed {
        None => Ok(told),
        Some(status) => Err(form.rejected(&problem_of(&status))),
    })
}

#[cfg(test)]
pub(super) fn sample() -> Terms {
    let terms = |plan: Plan, commission_bps, products| PlanTerms {
        plan: plan.into(),
        commission_bps,
        quotas: Some(api_tenants::Quotas { products, ..Default::default() }),
    };
    let plans = vec![terms(Plan::Free, 1_200, 50_000), terms(Plan::Pro, 900, 500_000), terms(Plan::Enterprise, 600, 0)];
    Terms { plans, approval_required: Some(true) }
}

#[cfg(test)]
mod tests {
    use super::basis_points;

    #[test]
    fn a_share_is_read_as_people_write_it() {
        assert_eq!(["9", "9.5", "9,25", "0", "50"].map(basis_points), [900, 950, 925, 0, 5_000].map(Some));
        assert_eq!(["", "-1", "9.125", "50.01", "nine", "9.-1"].map(basis_points), [None; 6]);
    }
}
