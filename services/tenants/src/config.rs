//! The service's limits and the plans it offers, `[services.tenants]`.

use serde::Deserialize;

use crate::model::Plan;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub free: PlanTerms,
    pub pro: PlanTerms,
    pub enterprise: PlanTerms,
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

impl Default for Config {
    fn default() -> Self {
        Self {
            free: PlanTerms { commission_bps: 1_200, products: 50_000, api_calls_per_minute: 600, staff: 5 },
            pro: PlanTerms { commission_bps: 900, products: 500_000, api_calls_per_minute: 6_000, staff: 50 },
            enterprise: PlanTerms { commission_bps: 600, products: 0, api_calls_per_minute: 0, staff: 0 },
            open_applications: 10,
            invite_days: 7,
            open_invites: 100,
            tell_identity_every_seconds: 10,
        }
    }
}

impl Config {
    pub(crate) fn plan(&self, plan: Plan) -> PlanTerms {
        match plan {
            Plan::Free => self.free,
            Plan::Pro => self.pro,
            Plan::Enterprise => self.enterprise,
        }
    }
}
