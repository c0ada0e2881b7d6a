//! The service's limits and the plans it offers, `[services.tenants]`.

use serde::Deserialize;

use crate::model::Plan;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub free: PlanTerms,
    pub pro: PlanTerms,
    pub enterprise: PlanTerms,
    /// Where commission differs by category.
    pub commission_rules: Vec<CommissionRule>,
    /// Applications of one person that may be open at the same time.
    pub open_applications: u32,
    pub invite_days: u32,
    /// Invitations of one tenant that may be open at the same time.
    pub open_invites: u32,
    /// How often what identity does not know yet is told again.
    pub tell_identity_every_seconds: u32,
}

/// What a plan includes; 0 means without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanTerms {
    pub commission_bps: u32,
    pub products: u32,
    pub api_calls_per_minute: u32,
    pub staff: u32,
}

/// What the marketplace takes of goods of one category and those below it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommissionRule {
    /// Only on this plan; none: on every plan.
    #[serde(default)]
    pub plan: Option<Plan>,
    /// A category's code; `el` is also for `el-2-3`.
    pub category: String,
    pub commission_bps: u32,
    /// At least and at most this much for each piece, in minor units of the tenant's currency; a cap of 0 is none.
    #[serde(default)]
    pub floor_minor: i64,
    #[serde(default)]
    pub cap_minor: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            free: PlanTerms { commission_bps: 1_200, products: 50_000, api_calls_per_minute: 600, staff: 5 },
            pro: PlanTerms { commission_bps: 900, products: 500_000, api_calls_per_minute: 6_000, staff: 50 },
            enterprise: PlanTerms { commission_bps: 600, products: 0, api_calls_per_minute: 0, staff: 0 },
            commission_rules: Vec::new(),
            open_applications: 10,
            invite_days: 7,
            open_invites: 100,
            tell_identity_every_seconds: 10,
        }
    }
}

impl Config {
    /// The rules that apply on a plan. One that is for the plan alone comes after those for all, so that it counts.
    pub(crate) fn commission_rules(&self, plan: Plan) -> impl Iterator<Item = &CommissionRule> {
        let of = |wanted: Option<Plan>| self.commission_rules.iter().filter(move |rule| rule.plan == wanted);
        of(None).chain(of(Some(plan)))
    }

    /// Says what is wrong with the rules.
    pub(crate) fn checked(self) -> anyhow::Result<Self> {
        for rule in &self.commission_rules {
            let sound = rule.commission_bps <= 10_000 && rule.floor_minor >= 0 && (rule.cap_minor == 0 || rule.cap_minor >= rule.floor_minor);
            anyhow::ensure!(
                sound && !rule.category.is_empty(),
                "services.tenants.commission_rules: the rule for category {:?} must name one, take at most 10000 basis points, and have a floor of at least 0 and below its cap",
                rule.category
            );
        }
        Ok(self)
    }

    pub(crate) fn plan(&self, plan: Plan) -> PlanTerms {
        match plan {
            Plan::Free => self.free,
            Plan::Pro => self.pro,
            Plan::Enterprise => self.enterprise,
        }
    }
}
