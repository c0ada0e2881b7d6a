//! How sellers ship: the price of a shipping method, and the way of an order from the shelf to the buyer. Pure decisions.
//! Must stay true: never more pieces are shipped than were ordered; nothing ships of an order that was stopped, and nothing of
//! which a piece has shipped is stopped.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kit_core::{Country, Currency, Money};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

/// How the price of a shipping method is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rate {
    Flat,
    ByWeight,
    ByPrice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tier {
    /// Grams or minor units, the bound included.
    pub(crate) up_to: u64,
    pub(crate) price_minor: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) name: String,
    pub(crate) rate: Rate,
    pub(crate) flat_minor: i64,
    pub(crate) tiers: Vec<Tier>,
    pub(crate) free_above_minor: Option<i64>,
    /// Empty: everywhere.
    pub(crate) countries: Vec<String>,
    pub(crate) min_days: u32,
    pub(crate) max_days: u32,
}

/// What is to be shipped to one buyer by one seller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parcel {
    pub(crate) weight_grams: u64,
    pub(crate) goods: Money,
}

impl Terms {
    /// What is wrong with the terms: (field, message).
    pub(crate) fn fault(&self) -> Option<(&'static str, &'static str)> {
        if self.min_days > self.max_days {
            return Some(("terms.max_days", "must not be less than min_days"));
        }
        if self.countries.iter().any(|country| Country::of(country).is_none()) {
            return Some(("terms.countries", "must be ISO 3166-1 alpha-2 codes, as in US"));
        }
        if self.rate != Rate::Flat && self.tiers.is_empty() {
            return Some(("terms.tiers", "at least one is needed for this kind of rate"));
        }
        let ascending = self.tiers.iter().zip(self.tiers.iter().skip(1)).all(|(one, next)| one.up_to < next.up_to);
        if !ascending {
            return Some(("terms.tiers", "must ascend by up_to"));
        }
        None
    }

    /// What shipping costs; none when the method does not serve the country or the parcel is too large for it.
    pub(crate) fn price(&self, parcel: &Parcel, country: &str) -> Option<i64> {
        if !self.countries.is_empty() && !self.countries.iter().any(|served| served == country) {
            return None;
        }
        let tier = |amount: u64| self.tiers.iter().find(|tier| amount <= tier.up_to).map(|tier| tier.price_minor);
        let price = match self.rate {
            Rate::Flat => self.flat_minor,
            Rate::ByWeight => tier(parcel.weight_grams)?,
            Rate::ByPrice => tier(u64::try_from(parcel.goods.minor).unwrap_or_default())?,
        };
        let free = self.free_above_minor.is_some_and(|least| parcel.goods.minor >= least);
        Some(if free { 0 } else { price })
    }

    /// What a new store ships with until its seller says otherwise: standard, free above ten times its price, and express.
    pub(crate) fn defaults(currency: Currency) -> Vec<Self> {
        let standard = match currency.decimals() {
            0 => 600,
            3 => 1_500,
            _ => 499,
        };
        let flat = |name: &str, price: i64, free_above_minor, min_days, max_days| Self {
            name: name.to_owned(),
            rate: Rate::Flat,
            flat_minor: price,
            tiers: Vec::new(),
            free_above_minor,
            countries: Vec::new(),
            min_days,
            max_days,
        };
        vec![flat("Standard", standard, Some(standard * 10), 3, 6), flat("Express", standard * 3, None, 1, 2)]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Accepted,
    Packed,
    PartlyShipped,
    Shipped,
    Delivered,
    Stopped,
}

impl State {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Open, "open"),
        (Self::Accepted, "accepted"),
        (Self::Packed, "packed"),
        (Self::PartlyShipped, "partly_shipped"),
        (Self::Shipped, "shipped"),
        (Self::Delivered, "delivered"),
        (Self::Stopped, "stopped"),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(state, _)| *state == self).map_or("open", |(_, text)| text)
    }

    /// Reads what SQL keeps; its check allows no other text.
    pub(crate) fn of(text: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == text).map_or(Self::Open, |(state, _)| *state)
    }

    pub(crate) const fn for_people(self) -> &'static str {
        match self {
            Self::Open => "not accepted yet",
            Self::Accepted => "accepted",
            Self::Packed => "packed",
            Self::PartlyShipped => "partly shipped",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Stopped => "cancelled",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) item_id: Uuid,
    pub(crate) variant_id: String,
    pub(crate) sku: String,
    pub(crate) title: String,
    pub(crate) options: String,
    pub(crate) quantity: u32,
    pub(crate) shipped: u32,
}

impl Line {
    pub(crate) const fn left(&self) -> u32 {
        self.quantity.saturating_sub(self.shipped)
    }
}

/// Pieces of one line in a shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pieces {
    pub(crate) item_id: Uuid,
    pub(crate) quantity: u32,
}

/// The part of a fulfillment order that decisions change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) state: State,
    pub(crate) lines: Vec<Line>,
}

impl Work {
    /// Answers whether anything changed.
    pub(crate) fn accept(&mut self) -> Result<bool, Error> {
        match self.state {
            State::Open => self.state = State::Accepted,
            State::Stopped => return Err(Error::IllegalMove(self.state, "accepted")),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Answers whether anything changed.
    pub(crate) fn pack(&mut self) -> Result<bool, Error> {
        match self.state {
            State::Accepted => self.state = State::Packed,
            State::Open | State::Stopped => return Err(Error::IllegalMove(self.state, "packed")),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes pieces off the shelf; nothing named: all that is left. Answers what leaves.
    pub(crate) fn ship(&mut self, wanted: &[Pieces]) -> Result<Vec<Pieces>, Error> {
        match self.state {
            State::Accepted | State::Packed | State::PartlyShipped => {}
            State::Shipped | State::Delivered => return Err(Error::NothingLeft),
            State::Open | State::Stopped => return Err(Error::IllegalMove(self.state, "shipped")),
        }
        let mut leaving: BTreeMap<Uuid, u32> = BTreeMap::new();
        for pieces in wanted {
            let sum = leaving.entry(pieces.item_id).or_default();
            *sum = sum.saturating_add(pieces.quantity);
        }
        if wanted.is_empty() {
            leaving = self.lines.iter().filter(|line| line.left() > 0).map(|line| (line.item_id, line.left())).collect();
        }
        for (item_id, quantity) in &leaving {
            let line = self.lines.iter().find(|line| line.item_id == *item_id);
            let line = line.ok_or_else(|| Error::invalid("lines", "names an item that is not in this order"))?;
            if *quantity > line.left() {
                return Err(Error::TooManyPieces { title: line.title.clone(), left: line.left() });
            }
        }
        for line in &mut self.lines {
            line.shipped += leaving.get(&line.item_id).copied().unwrap_or_default();
        }
        self.state = if self.lines.iter().all(|line| line.left() == 0) { State::Shipped } else { State::PartlyShipped };
        Ok(leaving.into_iter().map(|(item_id, quantity)| Pieces { item_id, quantity }).collect())
    }

    /// Answers whether anything changed.
    pub(crate) fn stop(&mut self) -> Result<bool, Error> {
        match self.state {
            State::Open | State::Accepted | State::Packed => self.state = State::Stopped,
            State::Stopped => return Ok(false),
            State::PartlyShipped | State::Shipped | State::Delivered => return Err(Error::AlreadyShipped),
        }
        Ok(true)
    }

    /// Takes pieces out that have not left. With the last of them the order ends: shipped as far as it was, or stopped.
    pub(crate) fn cut(&mut self, pieces: &[Pieces]) -> Result<(), Error> {
        match self.state {
            State::Open | State::Accepted | State::Packed | State::PartlyShipped => {}
            State::Stopped => return Ok(()),
            State::Shipped | State::Delivered => return Err(Error::AlreadyShipped),
        }
        let mut lines = self.lines.clone();
        for piece in pieces {
            let line = lines.iter_mut().find(|line| line.item_id == piece.item_id);
            let line = line.ok_or_else(|| Error::invalid("lines", "names an item that is not in this order"))?;
            if piece.quantity > line.left() {
                return Err(Error::AlreadyShipped);
            }
            line.quantity -= piece.quantity;
        }
        self.lines = lines;
        if self.lines.iter().all(|line| line.left() == 0) {
            self.state = if self.state == State::PartlyShipped { State::Shipped } else { State::Stopped };
        }
        Ok(())
    }

    /// All shipments have arrived; the order has when nothing is left to ship either.
    pub(crate) fn all_arrived(&mut self) -> bool {
        if self.state == State::Shipped {
            self.state = State::Delivered;
        }
        self.state == State::Delivered
    }
}

/// Something a carrier or seller noted about a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tracking {
    pub(crate) at: DateTime<Utc>,
    pub(crate) state: String,
    pub(crate) place: String,
    pub(crate) message: String,
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
