//! Double entry: what each movement of money posts to which account. Pure.
//!
//! A capture debits what the PSP owes us and credits those it is for: the seller for goods after commission and for shipping, the
//! tax on their sales, and the marketplace's commission; what the PSP keeps of it is our expense. A refund posts the reverse of its own
//! parts, and so does a dispute, until it is won. Sellers' money is pending until it is settled, then available, then paid out.

use api_orders::{OrderId, SubOrderId};
use api_payments::{EntryId, PaymentId};
use kit_core::{Currency, MoneyError, TenantId, Time};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::{Dispute, Parts, Payment, Payout, Portion, Settled};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AccountKind {
    PspReceivable,
    TenantPayable,
    TenantShipping,
    TaxPayable,
    PlatformCommission,
    TenantAvailable,
    PayoutClearing,
    Bank,
    PspFees,
    FeeTax,
    DisputeFees,
    Suspense,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    Capture,
    Refund,
    Settlement,
    Payout,
    PayoutPaid,
    PayoutFailed,
    PayoutReturned,
    DisputeOpened,
    DisputeWon,
    DisputeLost,
    Adjustment,
}

/// One kind of claim or debt, of one owner, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) kind: AccountKind,
    pub(crate) tenant: Option<TenantId>,
    /// The PSP or the bank that the account is with.
    pub(crate) psp: Option<String>,
    pub(crate) currency: Currency,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    pub(crate) kind: EntryKind,
    pub(crate) payment: Option<PaymentId>,
    pub(crate) order: Option<OrderId>,
    /// What it records; an entry of one kind about one thing is made once. A settlement refers to itself.
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
    pub(crate) const ALL: [(Self, &'static str); 12] = [
        (Self::PspReceivable, "psp_receivable"),
        (Self::TenantPayable, "tenant_payable"),
        (Self::TenantShipping, "tenant_shipping"),
        (Self::TaxPayable, "tax_payable"),
        (Self::PlatformCommission, "platform_commission"),
        (Self::TenantAvailable, "tenant_available"),
        (Self::PayoutClearing, "payout_clearing"),
        (Self::Bank, "bank"),
        (Self::PspFees, "psp_fees"),
        (Self::FeeTax, "fee_tax"),
        (Self::DisputeFees, "dispute_fees"),
        (Self::Suspense, "suspense"),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("suspense", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }

    fn owner(self) -> Owner {
        match self {
            Self::TenantPayable | Self::TenantShipping | Self::TaxPayable | Self::TenantAvailable => Owner::Tenant,
            Self::PlatformCommission | Self::Suspense => Owner::Platform,
            Self::PspReceivable | Self::PspFees | Self::FeeTax | Self::DisputeFees | Self::PayoutClearing | Self::Bank => Owner::Party,
        }
    }
}

/// Whose accounts of a kind are.
enum Owner {
    Tenant,
    Platform,
    /// Ours, with a PSP or a bank.
    Party,
}

impl EntryKind {
    pub(crate) const ALL: [(Self, &'static str); 11] = [
        (Self::Capture, "capture"),
        (Self::Refund, "refund"),
        (Self::Settlement, "settlement"),
        (Self::Payout, "payout"),
        (Self::PayoutPaid, "payout_paid"),
        (Self::PayoutFailed, "payout_failed"),
        (Self::PayoutReturned, "payout_returned"),
        (Self::DisputeOpened, "dispute_opened"),
        (Self::DisputeWon, "dispute_won"),
        (Self::DisputeLost, "dispute_lost"),
        (Self::Adjustment, "adjustment"),
    ];

    pub(crate) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("adjustment", |(_, word)| word)
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

/// The entry of a settled capture or refund.
pub(crate) fn entry(id: EntryId, kind: EntryKind, payment: &Payment, settled: &Settled, at: Time) -> Entry {
    let sign = if kind == EntryKind::Capture { 1 } else { -1 };
    let fee = settled.movement.fee;
    let mut book = Book::of(payment);
    book.post(AccountKind::PspReceivable, None, sign * settled.movement.amount_minor() - fee.total());
    book.post(AccountKind::PspFees, None, fee.net_minor);
    book.post(AccountKind::FeeTax, None, fee.tax_minor);
    book.divide(&settled.divided, -sign);
    book.entry(id, kind, settled.movement.id, at)
}

/// The entry of a dispute that was opened (the PSP takes amount and fee), won (it gives the amount back) or lost (its fee becomes the
/// sellers', each in proportion).
pub(crate) fn dispute_entry(id: EntryId, kind: EntryKind, payment: &Payment, dispute: &Dispute, at: Time) -> Result<Entry, MoneyError> {
    let mut book = Book::of(payment);
    match kind {
        EntryKind::DisputeLost => {
            book.post(AccountKind::DisputeFees, None, -dispute.fee.net_minor);
            for (portion, minor) in dispute.fee_of_each(payment.currency)? {
                book.post(AccountKind::TenantPayable, Some(&portion), minor);
            }
        }
        EntryKind::DisputeWon => {
            book.post(AccountKind::PspReceivable, None, dispute.amount_minor);
            book.divide(&dispute.divided, -1);
        }
        _ => {
            book.post(AccountKind::PspReceivable, None, -dispute.amount_minor - dispute.fee.total());
            book.post(AccountKind::DisputeFees, None, dispute.fee.net_minor);
            book.post(AccountKind::FeeTax, None, dispute.fee.tax_minor);
            book.divide(&dispute.divided, 1);
        }
    }
    Ok(book.entry(id, kind, dispute.id, at))
}

/// What is pending of one sub-order becomes available: debits in the pending accounts, as they stand as credits there.
pub(crate) fn settlement_entry(id: EntryId, pending: &Pending, at: Time) -> Entry {
    let account = |kind| Account { kind, tenant: Some(pending.tenant), psp: None, currency: pending.currency };
    let post = |kind, amount_minor| Posting { account: account(kind), sub_order: Some(pending.sub_order), amount_minor };
    let mut postings = vec![
        post(AccountKind::TenantPayable, pending.payable_minor),
        post(AccountKind::TenantShipping, pending.shipping_minor),
        post(AccountKind::TenantAvailable, -pending.total_minor()),
    ];
    postings.retain(|posting| posting.amount_minor != 0);
    Entry { id, kind: EntryKind::Settlement, payment: None, order: Some(pending.order), reference: id.uuid(), at, postings }
}

/// What the pending accounts hold for one sub-order, as what we owe: positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) sub_order: SubOrderId,
    pub(crate) tenant: TenantId,
    pub(crate) order: OrderId,
    pub(crate) currency: Currency,
    pub(crate) payable_minor: i64,
    pub(crate) shipping_minor: i64,
}

impl Pending {
    pub(crate) fn total_minor(&self) -> i64 {
        self.payable_minor + self.shipping_minor
    }
}

/// The entry of a step of a payout.
pub(crate) fn payout_entry(id: EntryId, kind: EntryKind, payout: &Payout, at: Time) -> Entry {
    let available = Account { kind: AccountKind::TenantAvailable, tenant: Some(payout.tenant), psp: None, currency: payout.currency };
    let with_bank = |kind| Account { kind, tenant: None, psp: Some(payout.bank.clone()), currency: payout.currency };
    let (debit, credit) = match kind {
        EntryKind::PayoutPaid => (with_bank(AccountKind::PayoutClearing), with_bank(AccountKind::Bank)),
        EntryKind::PayoutFailed => (with_bank(AccountKind::PayoutClearing), available),
        EntryKind::PayoutReturned => (with_bank(AccountKind::Bank), available),
        _ => (available, with_bank(AccountKind::PayoutClearing)),
    };
    let post = |account, amount_minor| Posting { account, sub_order: None, amount_minor };
    let postings = vec![post(debit, payout.amount_minor), post(credit, -payout.amount_minor)];
    Entry { id, kind, payment: None, order: None, reference: payout.id.uuid(), at, postings }
}

/// An operator's entry that makes our account with somebody say what they say: the rest is in suspense until it is explained.
pub(crate) fn adjustment_entry(id: EntryId, item: Uuid, account: Account, amount_minor: i64, at: Time) -> Entry {
    let suspense = Account { kind: AccountKind::Suspense, tenant: None, psp: None, currency: account.currency };
    let post = |account, amount_minor| Posting { account, sub_order: None, amount_minor };
    let postings = vec![post(account, amount_minor), post(suspense, -amount_minor)];
    Entry { id, kind: EntryKind::Adjustment, payment: None, order: None, reference: item, at, postings }
}

/// Postings about one payment, being gathered.
struct Book<'a> {
    payment: &'a Payment,
    postings: Vec<Posting>,
}

impl<'a> Book<'a> {
    fn of(payment: &'a Payment) -> Self {
        Self { payment, postings: Vec::new() }
    }

    /// Nothing is posted for nothing.
    fn post(&mut self, kind: AccountKind, portion: Option<&Portion>, amount_minor: i64) {
        if amount_minor == 0 {
            return;
        }
        let sub_order = portion.map(|portion| portion.sub_order);
        let tenant = sub_order.and_then(|id| self.payment.splits.iter().find(|split| split.sub_order == id)).map(|split| split.tenant);
        let (tenant, psp) = match kind.owner() {
            Owner::Tenant => (tenant, None),
            Owner::Platform => (None, None),
            Owner::Party => (None, Some(self.payment.psp.clone())),
        };
        self.postings.push(Posting { account: Account { kind, tenant, psp, currency: self.payment.currency }, sub_order, amount_minor });
    }

    /// Posts what each sub-order gets or loses to the accounts it is for.
    fn divide(&mut self, divided: &[(Portion, Parts)], sign: i64) {
        for (portion, parts) in divided {
            self.post(AccountKind::TenantPayable, Some(portion), sign * parts.payable);
            self.post(AccountKind::TenantShipping, Some(portion), sign * parts.shipping);
            self.post(AccountKind::TaxPayable, Some(portion), sign * parts.tax);
            self.post(AccountKind::PlatformCommission, Some(portion), sign * parts.commission);
        }
    }

    fn entry(self, id: EntryId, kind: EntryKind, reference: Uuid, at: Time) -> Entry {
        Entry { id, kind, payment: Some(self.payment.id), order: Some(self.payment.order), reference, at, postings: self.postings }
    }
}
