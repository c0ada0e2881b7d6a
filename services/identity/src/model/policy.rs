//! Who may do what: the one table of roles and permissions. What is not listed is denied.

use std::collections::BTreeSet;

use kit_core::{TenantId, Time, UserId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Buyer,
    SellerAdmin,
    SellerManager,
    InventoryOperator,
    SupportAgent,
    Analyst,
    PlatformAdmin,
}

/// A role held in a tenant, or on the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub user: UserId,
    pub tenant: Option<TenantId>,
    pub role: Role,
    pub granted_at: Time,
}

pub(crate) const ROLES: [Role; 7] =
    [Role::Buyer, Role::SellerAdmin, Role::SellerManager, Role::InventoryOperator, Role::SupportAgent, Role::Analyst, Role::PlatformAdmin];

impl Role {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::SellerAdmin => "seller_admin",
            Self::SellerManager => "seller_manager",
            Self::InventoryOperator => "inventory_operator",
            Self::SupportAgent => "support_agent",
            Self::Analyst => "analyst",
            Self::PlatformAdmin => "platform_admin",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        ROLES.into_iter().find(|role| role.text() == text)
    }

    pub(crate) fn is_of_tenant(self) -> bool {
        matches!(self, Self::SellerAdmin | Self::SellerManager | Self::InventoryOperator)
    }

    pub(crate) fn is_of_platform(self) -> bool {
        matches!(self, Self::SupportAgent | Self::Analyst | Self::PlatformAdmin)
    }

    /// What the role allows: within its tenant for `seller:` words, on the platform for `operator:` words.
    pub(crate) fn permissions(self) -> &'static [&'static str] {
        match self {
            // What buyers do is theirs by ownership, not by permission.
            Self::Buyer => &[],
            Self::SellerAdmin => &[
                "seller:catalog.read",
                "seller:catalog.write",
                "seller:inventory.read",
                "seller:inventory.write",
                "seller:orders.read",
                "seller:orders.write",
                "seller:fulfillment.read",
                "seller:fulfillment.write",
                "seller:store.read",
                "seller:store.write",
                "seller:staff.write",
                "seller:payments.read",
                "seller:payments.write",
            ],
            Self::SellerManager => &[
                "seller:catalog.read",
                "seller:catalog.write",
                "seller:inventory.read",
                "seller:inventory.write",
                "seller:orders.read",
                "seller:orders.write",
                "seller:fulfillment.read",
                "seller:fulfillment.write",
                "seller:store.read",
            ],
            Self::InventoryOperator => &[
                "seller:catalog.read",
                "seller:inventory.read",
                "seller:inventory.write",
                "seller:orders.read",
                "seller:fulfillment.read",
                "seller:fulfillment.write",
                "seller:store.read",
            ],
            Self::SupportAgent => &[
                "operator:tenants.read",
                "operator:users.read",
                "operator:orders.read",
                "operator:orders.write",
                "operator:payments.read",
                "operator:notifications.read",
            ],
            Self::Analyst => &["operator:tenants.read", "operator:orders.read", "operator:payments.read", "operator:health.read"],
            Self::PlatformAdmin => &[
                "operator:tenants.read",
                "operator:tenants.write",
                "operator:users.read",
                "operator:users.write",
                "operator:catalog.write",
                "operator:inventory.read",
                "operator:orders.read",
                "operator:orders.write",
                "operator:payments.read",
                "operator:payments.write",
                "operator:notifications.read",
                "operator:audit.read",
                "operator:health.read",
                "operator:search.write",
                "operator:recommendations.write",
                "operator:analytics.read",
                "operator:jobs.write",
            ],
        }
    }
}

/// The tenant to act for: the one asked for if the person works there; without a wish the only one they work for.
/// `Err` when they do not work for the one asked for.
pub(crate) fn tenant(memberships: &[Membership], wanted: Option<TenantId>) -> Result<Option<TenantId>, ()> {
    let tenants: BTreeSet<TenantId> = memberships.iter().filter_map(|m| m.tenant).collect();
    match wanted {
        Some(wanted) if tenants.contains(&wanted) => Ok(Some(wanted)),
        Some(_) => Err(()),
        None if tenants.len() == 1 => Ok(tenants.first().copied()),
        None => Ok(None),
    }
}

/// Everything the memberships allow when acting for this tenant.
pub(crate) fn permissions(memberships: &[Membership], acting_for: Option<TenantId>) -> BTreeSet<&'static str> {
    let applies = |m: &&Membership| m.tenant.is_none() || m.tenant == acting_for;
    memberships.iter().filter(applies).flat_map(|m| m.role.permissions()).copied().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn membership(tenant: Option<u128>, role: Role) -> Membership {
        let tenant = tenant.map(|n| TenantId::from(Uuid::from_u128(n)));
        Membership { user: UserId::from(Uuid::from_u128(1)), tenant, role, granted_at: Time::default() }
    }

    fn any_membership() -> impl Strategy<Value = Membership> {
        (1u128..4, 1usize..7).prop_map(|(tenant, role)| {
            let role = ROLES[role];
            membership(role.is_of_tenant().then_some(tenant), role)
        })
    }

    #[test]
    fn every_role_is_of_a_tenant_or_of_the_platform_and_its_words_say_so() {
        for role in ROLES {
            assert_eq!(Role::from_text(role.text()), Some(role));
            assert!(!(role.is_of_tenant() && role.is_of_platform()));
            let prefix = if role.is_of_tenant() { "seller:" } else { "operator:" };
            assert!(role.permissions().iter().all(|word| word.starts_with(prefix)), "{role:?}");
        }
    }

    #[test]
    fn only_the_seller_admin_manages_staff_and_sees_money() {
        for role in [Role::SellerManager, Role::InventoryOperator] {
            assert!(!role.permissions().iter().any(|word| word.contains("staff") || word.contains("payments")), "{role:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_a_seller_permission_outside_the_tenants_they_work_for(held in prop::collection::vec(any_membership(), 0..5), wanted in prop::option::of(1u128..6)) {
            let wanted = wanted.map(|n| TenantId::from(Uuid::from_u128(n)));
            match tenant(&held, wanted) {
                Err(()) => prop_assert!(held.iter().all(|m| m.tenant != wanted)),
                Ok(acting_for) => {
                    if wanted.is_some() { prop_assert_eq!(acting_for, wanted); }
                    let granted = permissions(&held, acting_for);
                    let sells = granted.iter().any(|word| word.starts_with("seller:"));
                    prop_assert_eq!(sells, acting_for.is_some());
                    for word in granted {
                        prop_assert!(held.iter().any(|m| (m.tenant.is_none() || m.tenant == acting_for) && m.role.permissions().contains(&word)));
                    }
                }
            }
        }
    }
}
