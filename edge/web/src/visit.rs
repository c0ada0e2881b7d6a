//! One request for a page: who looks, and what every page shows around its own content.

use std::sync::Arc;

use kit_core::{TenantId, Time};
use kit_rpc::Ctx;

use crate::ui::Tone;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Who looks at the page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Viewer {
    /// Has an account (a guest has not).
    pub(crate) signed_in: bool,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) session_id: String,
    /// All tenants they work for; more than one: the portal shows a switch.
    pub(crate) tenants: Vec<String>,
}

/// A message for the next page, after a form was posted.
#[derive(Debug, Clone)]
pub(crate) struct Flash {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// A top category in the strip under the header.
#[derive(Debug, Clone)]
pub(crate) struct NavCategory {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) ctx: Ctx,
    pub(crate) viewer: Viewer,
    /// The opaque session token of the cookie; empty for a visitor without one.
    pub(crate) session: String,
    pub(crate) csrf: String,
    /// What this device calls itself to be recommended things; empty unless its user agreed to that.
    pub(crate) visitor: String,
    pub(crate) theme: Theme,
    pub(crate) cart_count: u32,
    /// The country the cart's shipping is estimated for: two letters, or empty.
    pub(crate) ships_to: String,
    /// Path and query, to come back to.
    pub(crate) path: String,
    pub(crate) flash: Option<Flash>,
    pub(crate) categories: Arc<Vec<NavCategory>>,
    /// Where the market is reached from outside, without a slash at the end.
    pub(crate) public_url: Arc<str>,
    pub(crate) now: Time,
}

impl Visit {
    pub(crate) fn may(&self, permission: &str) -> bool {
        self.ctx.permissions.contains(permission)
    }

    pub(crate) fn is_operator(&self) -> bool {
        self.ctx.permissions.iter().any(|permission| permission.starts_with("operator:"))
    }

    pub(crate) fn tenant(&self) -> Option<TenantId> {
        self.ctx.tenant
    }
}

/// Made-up visitors for rendering every page without a service.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use kit_rpc::Actor;

    pub(crate) fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    pub(crate) fn nobody() -> Visit {
        let names = [
            "Electronics",
            "Home & Garden",
            "Furniture",
            "Sporting Goods",
            "Toys & Games",
            "Office Supplies",
            "Software",
            "Health & Beauty",
            "Arts & Entertainment",
        ];
        let categories = names.iter().enumerate().map(|(index, name)| NavCategory { id: format!("cat_{index:032x}"), name: (*name).to_owned() });
        Visit {
            ctx: Ctx::anonymous("req_0198f0d1"),
            viewer: Viewer::default(),
            session: String::new(),
            csrf: "sample".to_owned(),
            visitor: String::new(),
            theme: Theme::System,
            cart_count: 0,
            ships_to: String::new(),
            path: "/".to_owned(),
            flash: None,
            categories: Arc::new(categories.collect()),
            public_url: "http://127.0.0.1:8080".into(),
            now: time("2026-11-21T10:24:00Z"),
        }
    }

    pub(crate) fn buyer() -> Visit {
        let mut visit = nobody();
        visit.ctx.actor = Actor::User("usr_0198f0d1000070008000000000000001".parse().unwrap());
        visit.viewer = Viewer { signed_in: true, name: "Ann Smith".to_owned(), email: "ann@example.com".to_owned(), ..Viewer::default() };
        visit.cart_count = 3;
        visit
    }

    pub(crate) fn seller() -> Visit {
        let mut visit = buyer();
        visit.ctx.tenant = "ten_0198f0d1000070008000000000000001".parse().ok();
        let words = [
            "catalog.read",
            "catalog.write",
            "inventory.read",
            "inventory.write",
            "orders.read",
            "orders.write",
            "fulfillment.read",
            "fulfillment.write",
            "store.read",
            "store.write",
            "staff.write",
            "payments.read",
            "payments.write",
        ];
        visit.ctx.permissions = Arc::new(words.iter().map(|word| format!("seller:{word}")).collect());
        visit
    }

    pub(crate) fn operator() -> Visit {
        let mut visit = buyer();
        let words = [
            "tenants.read",
            "tenants.write",
            "users.read",
            "users.write",
            "catalog.write",
            "orders.read",
            "orders.write",
            "payments.read",
            "payments.write",
            "notifications.read",
            "audit.read",
            "health.read",
            "search.write",
            "recommendations.write",
            "analytics.read",
            "jobs.write",
        ];
        visit.ctx.permissions = Arc::new(words.iter().map(|word| format!("operator:{word}")).collect());
        visit
    }
}
