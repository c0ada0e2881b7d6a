//! Which PSPs a payment may go to, and in which order: the first rule that fits says it; one whose circuit is open is passed over.

use kit_core::{Money, TenantId};

use super::{Guarded, MethodKind, Psps, Way};
use crate::config::Route;
use crate::error::Error;

/// What is to be paid, as far as rules look at it.
#[derive(Debug, Clone)]
pub(crate) struct Purpose {
    pub(crate) amount: Option<Money>,
    pub(crate) tenants: Vec<TenantId>,
}

/// Where a payment goes: the PSP, others to try should it surely not be reached, and its token there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) psp: String,
    pub(crate) fallbacks: Vec<String>,
    pub(crate) token: String,
}

impl Route {
    fn fits(&self, kind: MethodKind, purpose: &Purpose) -> bool {
        let listed = self.methods.is_empty() || self.methods.contains(&kind);
        let of_amount = purpose.amount.is_none_or(|amount| {
            let in_currency = self.currencies.is_empty() || self.currencies.iter().any(|code| code == amount.currency.as_str());
            in_currency && self.from_minor.is_none_or(|from| amount.minor >= from) && self.below_minor.is_none_or(|below| amount.minor < below)
        });
        // A payment for several sellers is under a seller's rule only when all of them are.
        let of_tenants =
            self.tenants.is_empty() || (!purpose.tenants.is_empty() && purpose.tenants.iter().all(|tenant| self.tenants.contains(tenant)));
        listed && of_amount && of_tenants
    }
}

impl Psps {
    /// PSPs that take a method for a purpose, with how they take it: as the first rule that fits has it, else all, the default first.
    pub(crate) fn candidates(&self, kind: MethodKind, purpose: &Purpose) -> Vec<(&Guarded, Way)> {
        let rule = self.routes.iter().find(|route| route.fits(kind, purpose));
        let ordered: Vec<&Guarded> = match rule {
            Some(route) => route.psps.iter().filter_map(|name| self.all.get(name.as_str())).collect(),
            None => self.all().collect(),
        };
        let takes = |psp: &'_ Guarded| {
            let offer = psp.offer();
            let in_currency = purpose.amount.is_none_or(|amount| offer.currencies.is_empty() || offer.currencies.contains(&amount.currency.as_str()));
            offer.ways.into_iter().find(|way| in_currency && way.kind == kind)
        };
        let mut able: Vec<(&Guarded, Way)> = ordered.into_iter().filter_map(|psp| takes(psp).map(|way| (psp, way))).collect();
        // Those that are left alone for the moment come last, so that somebody is there to try when all are.
        able.sort_by_key(|(psp, _)| psp.is_open());
        able
    }

    /// Where a payment goes. A token is a PSP's own, with its name before it ("stripe/pm_…", or without a name: the default PSP's), or
    /// the word of a method that any PSP can begin ("upi", "net_banking:HDFC"): then the rules decide.
    pub(crate) fn choose(&self, named: &str, token: &str, purpose: &Purpose) -> Result<Chosen, Error> {
        let at = |psp: &str, token: &str| Ok(Chosen { psp: self.named(psp)?.name().to_owned(), fallbacks: Vec::new(), token: token.to_owned() });
        if !named.is_empty() {
            return at(named, token);
        }
        if let Some((psp, token)) = token.split_once('/').filter(|(psp, _)| self.all.contains_key(psp)) {
            return at(psp, token);
        }
        let word = token.split(':').next().unwrap_or_default();
        let Some(kind) = MethodKind::ALL.into_iter().find(|kind| *kind != MethodKind::Card && kind.word() == word) else { return at("", token) };
        let mut names = self.candidates(kind, purpose).into_iter().map(|(psp, _)| psp.name().to_owned());
        let psp = names.next().ok_or_else(|| Error::NotOffered(kind.word()))?;
        Ok(Chosen { psp, fallbacks: names.collect(), token: token.to_owned() })
    }
}
