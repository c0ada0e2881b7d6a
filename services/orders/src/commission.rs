//! What the marketplace takes of a seller's goods: a rate by plan, or the rule of the nearest category with its floor and cap. Computed
//! once, when the order is placed, and frozen in it. Pure.

use api_tenants::Terms;
use kit_core::{Currency, Money, MoneyError, allocate};

use crate::model::Line;

#[derive(Debug, Clone, Default)]
pub(crate) struct CommissionTerms {
    pub(crate) bps: u32,
    pub(crate) rules: Vec<CommissionRule>,
}

#[derive(Debug, Clone)]
pub(crate) struct CommissionRule {
    /// A category's code; it is also for the categories below.
    pub(crate) category: String,
    pub(crate) bps: u32,
    /// For each piece; a cap of 0 is none.
    pub(crate) floor_minor: i64,
    pub(crate) cap_minor: i64,
}

impl CommissionTerms {
    pub(crate) fn of(terms: Terms) -> Self {
        let rule = |rule: api_tenants::CommissionRule| CommissionRule {
            category: rule.category,
            bps: rule.commission_bps,
            floor_minor: rule.floor_minor,
            cap_minor: rule.cap_minor,
        };
        Self { bps: terms.commission_bps, rules: terms.commission_rules.into_iter().map(rule).collect() }
    }

    /// The commission on each line, never more than the line. Lines under no rule share the rate on their sum, so that rounding is
    /// done once.
    pub(crate) fn commissions(&self, lines: &[Line], totals: &[Money], currency: Currency) -> Result<Vec<Money>, MoneyError> {
        let ruled: Vec<Option<&CommissionRule>> = lines.iter().map(|line| self.rule_for(line)).collect();
        let plain = |(rule, total): (&Option<&CommissionRule>, &Money)| if rule.is_none() { *total } else { Money::zero(currency) };
        let plain: Vec<Money> = ruled.iter().zip(totals).map(plain).collect();
        let whole = Money::sum(currency, plain.iter().copied())?.share(self.bps)?;
        let weights: Vec<u64> = plain.iter().map(|total| total.minor.unsigned_abs()).collect();
        let shared = if whole.is_zero() { vec![Money::zero(currency); lines.len()] } else { allocate(whole, &weights)? };
        let each = ruled.iter().zip(lines).zip(totals).zip(shared);
        each.map(|(((rule, line), total), shared)| rule.map_or(Ok(shared), |rule| rule.of(line, *total))).collect()
    }

    /// The rule of the nearest category; of two for the same one the later counts.
    fn rule_for(&self, line: &Line) -> Option<&CommissionRule> {
        self.rules.iter().filter(|rule| rule.covers(&line.category_code)).max_by_key(|rule| rule.category.len())
    }
}

impl CommissionRule {
    fn covers(&self, code: &str) -> bool {
        code.strip_prefix(self.category.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    fn of(&self, line: &Line, total: Money) -> Result<Money, MoneyError> {
        let pieces = i64::from(line.quantity);
        let each = |minor: i64| minor.checked_mul(pieces).ok_or(MoneyError::Overflow);
        let mut minor = total.share(self.bps)?.minor.max(each(self.floor_minor)?);
        if self.cap_minor > 0 {
            minor = minor.min(each(self.cap_minor)?);
        }
        Ok(Money { minor: minor.min(total.minor), ..total })
    }
}
