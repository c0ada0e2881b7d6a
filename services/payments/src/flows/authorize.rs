//! Authorise: record the intent, ask the PSP, record the answer; no transaction is open while the PSP thinks.

use api_orders::OrderId;
use api_payments::{MethodId, PaymentId};
use kit_core::{Money, UserId};
use kit_rpc::Ctx;

use super::Payments;
use crate::config::MAX_AMOUNT_MINOR;
use crate::error::Error;
use crate::model::{CardSummary, Payer, Payment, Phase, Split, SplitTerms};
use crate::psp::{Chosen, Purpose};
use crate::store;

/// A request to authorise, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Authorisation {
    pub(crate) payment: PaymentId,
    pub(crate) order: OrderId,
    pub(crate) buyer: UserId,
    pub(crate) amount: Money,
    pub(crate) method_token: String,
    pub(crate) return_url: String,
    pub(crate) description: String,
    pub(crate) psp: String,
    pub(crate) save_method: bool,
    pub(crate) payer: Payer,
    pub(crate) splits: Vec<SplitTerms>,
}

impl Payments {
    /// Asks for an amount to be held. The same payment id again answers how it stands, and asks again under the same key if nobody
    /// has answered yet.
    pub(crate) async fn authorize(&self, ctx: &Ctx, wanted: Authorisation) -> Result<Payment, Error> {
        let splits = agreed(&wanted)?;
        let chosen = self.chosen(&wanted).await?;
        let now = self.clock.now();
        let mut payment = Payment {
            id: wanted.payment,
            order: wanted.order,
            buyer: wanted.buyer,
            psp: chosen.psp,
            phase: Phase::Created,
            amount_minor: wanted.amount.minor,
            currency: wanted.amount.currency,
            method_token: chosen.token,
            save_method: wanted.save_method,
            return_url: wanted.return_url,
            description: wanted.description,
            splits,
            captures: Vec::new(),
            refunds: Vec::new(),
            disputes: Vec::new(),
            void_requested: false,
            stray_hold: false,
            fallbacks: chosen.fallbacks,
            payer: Some(wanted.payer).filter(|payer| *payer != Payer::default()),
            look: false,
            failure: None,
            psp_reference: None,
            psp_version: 0,
            next_action_url: None,
            card: CardSummary::default(),
            saved_token: None,
            unanswered: false,
            asks: 0,
            next_ask_at: None,
            created_at: now,
            updated_at: now,
        };
        payment.begin(now);
        let (there, new) = self.intents.run(payment.clone()).await?;
        if !new && !same_terms(&there, &payment) {
            return Err(Error::PaymentIdReused(payment.id));
        }
        if matches!(there.phase, Phase::Created | Phase::Unknown) { self.drive(ctx, there, new).await } else { Ok(there) }
    }

    /// The PSP of a saved method of the buyer with its token there, or what the rules say of the method as it came.
    async fn chosen(&self, wanted: &Authorisation) -> Result<Chosen, Error> {
        let Ok(id) = wanted.method_token.parse::<MethodId>() else {
            let purpose = Purpose { amount: Some(wanted.amount), tenants: wanted.splits.iter().map(|split| split.tenant).collect() };
            return self.psps.choose(&wanted.psp, &wanted.method_token, &purpose);
        };
        let mut tx = self.begin().await?;
        let method = store::methods::get(&mut tx, wanted.buyer, id).await?;
        tx.commit().await?;
        Ok(Chosen { psp: self.psps.named(&method.psp)?.name().to_owned(), fallbacks: Vec::new(), token: method.token })
    }
}

/// Checks the splits against the amount and freezes the commissions.
fn agreed(wanted: &Authorisation) -> Result<Vec<Split>, Error> {
    let currency = wanted.amount.currency;
    if !(1..=MAX_AMOUNT_MINOR).contains(&wanted.amount.minor) {
        return Err(Error::wrong("amount", "must be more than zero and at most 1000000000000 minor units"));
    }
    let return_url = url::Url::parse(&wanted.return_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    if return_url.is_none() {
        return Err(Error::wrong("return_url", "must be an absolute http or https URL"));
    }
    let mut splits: Vec<Split> = Vec::with_capacity(wanted.splits.len());
    let mut sum = Money::zero(currency);
    for (index, terms) in wanted.splits.iter().enumerate() {
        for (field, money) in [("goods", terms.goods), ("shipping", terms.shipping), ("tax", terms.tax), ("commission_fixed", terms.commission_fixed)]
        {
            if money.currency != currency {
                return Err(Error::wrong(format!("splits[{index}].{field}"), "must be in the currency of the payment"));
            }
            if !(0..=MAX_AMOUNT_MINOR).contains(&money.minor) {
                return Err(Error::wrong(format!("splits[{index}].{field}"), "must be zero or more, and at most 1000000000000 minor units"));
            }
        }
        if splits.iter().any(|split| split.sub_order == terms.sub_order) {
            return Err(Error::wrong(format!("splits[{index}].sub_order_id"), "is named twice"));
        }
        sum = sum.plus(terms.goods)?.plus(terms.shipping)?.plus(terms.tax)?;
        splits.push(Split::agreed(terms)?);
    }
    if sum != wanted.amount {
        return Err(Error::SplitsDoNotAddUp { sum, amount: wanted.amount });
    }
    Ok(splits)
}

/// Whether a payment that is there was asked for with these terms. The method is not compared: a token of the card form works once,
/// so whoever asks again may have another; the first one counts.
fn same_terms(there: &Payment, asked: &Payment) -> bool {
    let terms = |payment: &Payment| payment.splits.iter().map(|split| (split.sub_order, split.tenant, split.whole)).collect::<Vec<_>>();
    there.order == asked.order
        && there.buyer == asked.buyer
        && there.amount_minor == asked.amount_minor
        && there.currency == asked.currency
        && terms(there) == terms(asked)
}
