//! Double entry: what each movement of money posts to which account. Pure.
//!
//! A capture debits what the PSP owes us and credits those it is for: the seller for goods after commission and for shipping, the
//! tax on their sales, and the marketplace's commission. A refund posts the reverse of its own parts.

use api_orders::{OrderId, SubOrderId};
use api_payments::{EntryId, PaymentId};
use kit_core::{Currency, TenantId, Time};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{Payment, Settled};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AccountKind {
    PspReceivable,
    TenantPayable,
    TenantShipping,
    TaxPayable,
    PlatformCommission,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Capture,
    Refund,
}

/// One kind of claim or debt, of one owner, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) kind: AccountKind,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) psp: Option<String>,
    pub(crate) currency: Currency,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    pub(crate) kind: EntryKind,
    pub(crate) payment: PaymentId,
    pub(crate) order: OrderId,
    /// The capture or refund.
    pub(crate) reference: Uuid,
    pub(crate) at: Time,
    pub(crate) postings: Vec<Posting>,
}

#[derive(Debug, Clone)]
pub(crate) struct Posting {
    pub(crate) account: Account,
    pub(crate) sub_order: Option<SubOrderId>,
    /// Debit positive, credit negative.
    pub(crate) amount_minor: i64,
}

impl Account {
    /// An account's id follows from what it is, so that everybody who posts to it agrees on it without asking.
    pub(crate) fn id(&self) -> Uuid {
        let owner = self.tenant.map(|tenant| tenant.to_string()).or_else(|| self.psp.clone()).unwrap_or_default();
        let digest = Sha256::digest(format!("{}/{owner}/{}", self.kind.word(), self.currency));
        let bytes = digest.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        uuid::Builder::from_custom_bytes(bytes.to_be_bytes()).into_uuid()
    }
}

impl AccountKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::PspReceivable => "psp_receivable",
            Self::TenantPayable => "tenant_payable",
            Self::TenantShipping => "tenant_shipping",
            Self::TaxPayable => "tax_payable",
            Self::PlatformCommission => "platform_commission",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let all = [Self::PspReceivable, Self::TenantPayable, Self::TenantShipping, Self::TaxPayable, Self::PlatformCommission];
        all.into_iter().find(|kind| kind.word() == word)
    }
}

impl EntryKind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Refund => "refund",
        }
    }
}

/// The entry of a settled capture or refund.
pub(crate) fn entry(id: EntryId, kind: EntryKind, payment: &Payment, settled: &Settled, at: Time) -> Entry {
    let sign = if kind == EntryKind::Capture { 1 } else { -1 };
    let mut postings = vec![post(payment, AccountKind::PspReceivable, None, None, sign * settled.movement.amount_minor())];
    for (portion, parts) in &settled.divided {
        let tenant = payment.splits.iter().find(|split| split.sub_order == portion.sub_order).map(|split| split.tenant);
        let sub_order = Some(portion.sub_order);
        postings.push(post(payment, AccountKind::TenantPayable, tenant, sub_order, -sign * parts.payable));
        postings.push(post(payment, AccountKind::TenantShipping, tenant, sub_order, -sign * parts.shipping));
        postings.push(post(payment, AccountKind::TaxPayable, tenant, sub_order, -sign * parts.tax));
        postings.push(post(payment, AccountKind::PlatformCommission, None, sub_order, -sign * parts.commission));
    }
    postings.retain(|posting| posting.amount_minor != 0);
    Entry { id, kind, payment: payment.id, order: payment.order, reference: settled.movement.id, at, postings }
}

fn post(payment: &Payment, kind: AccountKind, tenant: Option<TenantId>, sub_order: Option<SubOrderId>, amount_minor: i64) -> Posting {
    let psp = (kind == AccountKind::PspReceivable).then(|| payment.psp.clone());
    Posting { account: Account { kind, tenant, psp, currency: payment.currency }, sub_order, amount_minor }
}
