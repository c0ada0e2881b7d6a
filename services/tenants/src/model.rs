//! Pure decisions: a tenant's life from application to closing, what its store may say of itself, who must stay.

use kit_core::{Currency, Email, Slug, TenantId, Time, UserId, Violation};

use crate::error::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Applied,
    Verifying,
    Active,
    Suspended,
    Closed,
    Rejected,
}

/// What is done to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Review,
    Approve,
    Reject,
    Resubmit,
    Suspend,
    Reactivate,
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Plan {
    Free,
    Pro,
    Enterprise,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StaffRole {
    SellerAdmin,
    SellerManager,
    InventoryOperator,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Store {
    pub name: String,
    pub slug: Slug,
    pub description: String,
    pub logo_hash: String,
    pub accent_colour: String,
    pub returns_policy: String,
    pub shipping_policy: String,
    pub country: String,
    pub currency: Currency,
    pub holiday: bool,
    pub holiday_message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Business {
    pub legal_name: String,
    pub registration_number: String,
    pub tax_id: String,
    pub contact_email: Email,
    pub phone: String,
    pub address: String,
    pub about: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub id: TenantId,
    pub owner: UserId,
    pub state: State,
    pub state_reason: String,
    pub state_since: Time,
    pub applied_at: Time,
    pub store: Store,
    pub business: Business,
    pub plan: Plan,
    /// Where it differs from the plan's.
    pub commission_bps: Option<u32>,
    pub cell: String,
    pub version: i64,
}

impl State {
    pub(crate) const ALL: [Self; 6] = [Self::Applied, Self::Verifying, Self::Active, Self::Suspended, Self::Closed, Self::Rejected];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Verifying => "verifying",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.text() == text)
    }

    /// The state after an act; the same state when it was done before.
    pub(crate) fn after(self, act: Act) -> Option<Self> {
        let to = match act {
            Act::Review => Self::Verifying,
            Act::Approve | Act::Reactivate => Self::Active,
            Act::Reject => Self::Rejected,
            Act::Resubmit => Self::Applied,
            Act::Suspend => Self::Suspended,
            Act::Close => Self::Closed,
        };
        let from: &[Self] = match act {
            Act::Review => &[Self::Applied],
            Act::Approve | Act::Reject => &[Self::Applied, Self::Verifying],
            Act::Resubmit => &[Self::Rejected],
            Act::Suspend => &[Self::Active],
            Act::Reactivate => &[Self::Suspended],
            Act::Close => &[Self::Applied, Self::Verifying, Self::Active, Self::Suspended, Self::Rejected],
        };
        (self == to || from.contains(&self)).then_some(to)
    }

    /// Nothing can have been made for the tenant yet: nobody works for it before it is approved.
    pub(crate) fn has_no_data(self) -> bool {
        matches!(self, Self::Applied | Self::Verifying | Self::Rejected)
    }
}

impl Act {
    pub(crate) fn done(self) -> &'static str {
        match self {
            Self::Review => "reviewed",
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Resubmit => "sent again",
            Self::Suspend => "suspended",
            Self::Reactivate => "reactivated",
            Self::Close => "closed",
        }
    }
}

impl Plan {
    pub(crate) const ALL: [Self; 3] = [Self::Free, Self::Pro, Self::Enterprise];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Enterprise => "enterprise",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|plan| plan.text() == text)
    }
}

impl StaffRole {
    pub(crate) const ALL: [Self; 3] = [Self::SellerAdmin, Self::SellerManager, Self::InventoryOperator];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::SellerAdmin => "seller_admin",
            Self::SellerManager => "seller_manager",
            Self::InventoryOperator => "inventory_operator",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.text() == text)
    }
}

impl Tenant {
    /// Does something to the tenant. False: it was done before, so there is nothing to save or tell.
    pub(crate) fn act(&mut self, act: Act, reason: &str, now: Time) -> Result<bool, Error> {
        let to = self.state.after(act).ok_or(Error::State(self.state, act))?;
        if to == self.state {
            return Ok(false);
        }
        self.state = to;
        self.state_reason = reason.to_owned();
        self.state_since = now;
        self.version += 1;
        Ok(true)
    }
}

impl Store {
    /// Checks what a store says of itself; all that is wrong is told at once.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let mut wrong = Vec::new();
        let mut tell = |field: &str, message: &str| wrong.push(Violation { field: field.to_owned(), message: message.to_owned() });
        if self.name.is_empty() || self.name.chars().any(char::is_control) {
            tell("name", "must be one line of text");
        }
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let colour = self.accent_colour.strip_prefix('#').is_some_and(|digits| digits.len() == 6 && hex(digits));
        if !self.accent_colour.is_empty() && !colour {
            tell("accent_colour", "must be a colour like #aa3355");
        }
        let is_hash = self.logo_hash.len() == 64 && hex(&self.logo_hash);
        if !self.logo_hash.is_empty() && !is_hash {
            tell("logo_hash", "must be the hash of an uploaded picture: 64 hexadecimal digits");
        }
        if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
    }
}

/// Text on one line: what people write in names, with the white space tidied.
pub(crate) fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first free word like the wished one: itself, then with a number behind it.
pub(crate) fn free_slug(wished: &Slug, taken: &[String]) -> Slug {
    let is_free = |slug: &Slug| !taken.iter().any(|taken| taken == slug.as_str());
    let numbered = (2u32..).map_while(|number| {
        let root: String = wished.as_str().chars().take(55).collect();
        format!("{}-{number}", root.trim_end_matches('-')).parse().ok()
    });
    std::iter::once(wished.clone()).chain(numbered).find(is_free).unwrap_or_else(|| wished.clone())
}

/// Whether a store would be left without anybody to run it. `roles`: everybody's as they are; `to`: the new one of `user`.
pub(crate) fn leaves_no_admin(roles: &[(UserId, StaffRole)], user: UserId, to: Option<StaffRole>) -> bool {
    let is_admin = |role: StaffRole| role == StaffRole::SellerAdmin;
    let was = roles.iter().any(|(who, role)| *who == user && is_admin(*role));
    was && !to.is_some_and(is_admin) && !roles.iter().any(|(who, role)| *who != user && is_admin(*role))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const ACTS: [Act; 7] = [Act::Review, Act::Approve, Act::Reject, Act::Resubmit, Act::Suspend, Act::Reactivate, Act::Close];

    #[test]
    fn a_tenant_lives_from_application_to_closing() {
        let life = [Act::Review, Act::Approve, Act::Suspend, Act::Reactivate, Act::Close];
        let states: Vec<State> = life
            .iter()
            .scan(State::Applied, |state, act| {
                *state = state.after(*act)?;
                Some(*state)
            })
            .collect();
        assert_eq!(states, [State::Verifying, State::Active, State::Suspended, State::Active, State::Closed]);
        assert_eq!(State::Rejected.after(Act::Resubmit), Some(State::Applied));
        assert_eq!(State::Rejected.after(Act::Approve), None);
        assert_eq!(State::Suspended.after(Act::Approve), None);
    }

    proptest! {
        #[test]
        fn every_act_is_idempotent_and_closed_is_the_end(acts in prop::collection::vec(0usize..7, 0..20)) {
            let mut state = State::Applied;
            for act in acts.into_iter().map(|n| ACTS[n]) {
                if let Some(next) = state.after(act) {
                    prop_assert_eq!(next.after(act), Some(next));
                    prop_assert!(state != State::Closed || next == State::Closed);
                    // Nobody sells without having been approved.
                    if next == State::Active { prop_assert!(act == Act::Approve || act == Act::Reactivate); }
                    state = next;
                }
            }
        }

        #[test]
        fn a_store_never_loses_its_last_admin(roles in prop::collection::vec((0u128..5, 0usize..3), 1..6), user in 0u128..5, to in prop::option::of(0usize..3)) {
            let id = |n: u128| UserId::from(Uuid::from_u128(n));
            let mut staff: std::collections::BTreeMap<UserId, StaffRole> = roles.into_iter().map(|(n, role)| (id(n), StaffRole::ALL[role])).collect();
            let admins = |staff: &std::collections::BTreeMap<UserId, StaffRole>| staff.values().filter(|role| **role == StaffRole::SellerAdmin).count();
            let (before, to) = (admins(&staff), to.map(|n| StaffRole::ALL[n]));
            let roles: Vec<_> = staff.iter().map(|(user, role)| (*user, *role)).collect();
            let refused = leaves_no_admin(&roles, id(user), to);
            if let Some(role) = staff.get_mut(&id(user)) {
                match to { Some(to) => *role = to, None => { staff.remove(&id(user)); } }
            }
            prop_assert_eq!(refused, before > 0 && admins(&staff) == 0);
        }

        #[test]
        fn a_free_slug_is_free_and_well_formed(name in "[a-z]{2,63}", taken in 0u32..5) {
            let wished: Slug = name.parse().unwrap();
            let mut all = Vec::new();
            for _ in 0..taken {
                all.push(free_slug(&wished, &all).to_string());
            }
            let slug = free_slug(&wished, &all);
            prop_assert!(!all.contains(&slug.to_string()));
            prop_assert!(slug.as_str().parse::<Slug>().is_ok());
        }
    }
}
