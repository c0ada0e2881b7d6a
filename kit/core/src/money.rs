//! Money: integer minor units and an ISO 4217 currency. No float comes near it, and no sum overflows silently.

use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("amounts in {0} and {1} cannot be combined")]
    CurrencyMismatch(Currency, Currency),
    #[error("the amount is too large")]
    Overflow,
    #[error("not an amount of money: expected digits with at most {0} decimals")]
    Unreadable(u8),
    #[error("not a known ISO 4217 currency code")]
    UnknownCurrency,
    #[error("there is nothing to divide the amount over")]
    NoWeights,
}

/// Codes and decimals of ISO 4217 (active currencies of states).
const CURRENCIES: &str = "AED2AFN2ALL2AMD2AOA2ARS2AUD2AWG2AZN2BAM2BBD2BDT2BGN2BHD3BIF0BMD2BND2BOB2BRL2BSD2BTN2BWP2BYN2BZD2CAD2CDF2CHF2CLP0CNY2COP2CRC2CUP2CVE2CZK2DJF0DKK2DOP2DZD2EGP2ERN2ETB2EUR2FJD2FKP2GBP2GEL2GHS2GIP2GMD2GNF0GTQ2GYD2HKD2HNL2HTG2HUF2IDR2ILS2INR2IQD3IRR2ISK0JMD2JOD3JPY0KES2KGS2KHR2KMF0KPW2KRW0KWD3KYD2KZT2LAK2LBP2LKR2LRD2LSL2LYD3MAD2MDL2MGA2MKD2MMK2MNT2MOP2MRU2MUR2MVR2MWK2MXN2MYR2MZN2NAD2NGN2NIO2NOK2NPR2NZD2OMR3PAB2PEN2PGK2PHP2PKR2PLN2PYG0QAR2RON2RSD2RUB2RWF0SAR2SBD2SCR2SDG2SEK2SGD2SHP2SLE2SOS2SRD2SSP2STN2SVC2SYP2SZL2THB2TJS2TMT2TND3TOP2TRY2TTD2TWD2TZS2UAH2UGX0USD2UYU2UZS2VES2VND0VUV0WST2XAF0XCD2XOF0XPF0YER2ZAR2ZMW2ZWG2";

/// An ISO 4217 currency; only known codes can be written down.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    pub const USD: Self = Self(*b"USD");
    pub const EUR: Self = Self(*b"EUR");

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// Digits behind the decimal point: 2 for USD, 0 for JPY, 3 for KWD.
    pub fn decimals(self) -> u8 {
        let entry = CURRENCIES.as_bytes().chunks_exact(4).find(|entry| entry.starts_with(&self.0));
        entry.and_then(<[u8]>::last).map_or(2, |digit| digit - b'0')
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        let known =
            CURRENCIES.as_bytes().chunks_exact(4).find_map(|entry| entry.strip_suffix(entry.get(3..)?).filter(|known| *known == code.as_bytes()));
        known.and_then(|known| known.try_into().ok()).map(Self).ok_or(MoneyError::UnknownCurrency)
    }
}

impl<'de> serde::Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let code = String::deserialize(from)?;
        code.parse().map_err(|_| serde::de::Error::custom(format!("{code:?} is not an ISO 4217 currency code like USD")))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in minor units (cents) of one currency; may be negative (refunds, debts).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    pub minor: i64,
    pub currency: Currency,
}

impl Money {
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        let minor = self.same(other)?.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    pub fn minus(self, other: Self) -> Result<Self, MoneyError> {
        let minor = self.same(other)?.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    pub fn times(self, factor: i64) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(factor).ok_or(MoneyError::Overflow)?;
        Ok(Self { minor, ..self })
    }

    pub fn negated(self) -> Result<Self, MoneyError> {
        self.times(-1)
    }

    /// The sum of all; zero of `currency` for none.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }

    /// A share in basis points, rounded half away from zero. Rates are never floats.
    pub fn share(self, rate_bps: u32) -> Result<Self, MoneyError> {
        let exact = i128::from(self.minor) * i128::from(rate_bps);
        let minor = (exact + exact.signum() * 5_000) / 10_000;
        Ok(Self { minor: minor.try_into().map_err(|_| MoneyError::Overflow)?, ..self })
    }

    /// Reads "1299.5", "-3", "1,299.50" and "$12.99"-free decimal text exactly; more decimals than the currency has are refused.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let decimals = currency.decimals();
        let unreadable = MoneyError::Unreadable(decimals);
        let text = text.trim();
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let grouped = whole.contains(',');
        if grouped && !groups_of_three(whole) {
            return Err(unreadable);
        }
        let whole: String = whole.chars().filter(|c| *c != ',').collect();
        let significant = fraction.trim_end_matches('0');
        let readable = !(whole.is_empty() && fraction.is_empty()) && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit());
        if !readable || significant.len() > usize::from(decimals) {
            return Err(unreadable);
        }
        let padded = format!("{whole}{significant:0<width$}", width = usize::from(decimals));
        let minor: i64 = if padded.is_empty() { 0 } else { padded.parse().map_err(|_| MoneyError::Overflow)? };
        Ok(Self { minor: if negative { -minor } else { minor }, currency })
    }

    /// Decimal text without the currency: "12.99", "-0.05", "1200" for JPY.
    pub fn decimal(self) -> String {
        let decimals = usize::from(self.currency.decimals());
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0>width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (whole, fraction) = digits.split_at(digits.len() - decimals);
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    fn same(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency == other.currency { Ok(self) } else { Err(MoneyError::CurrencyMismatch(self.currency, other.currency)) }
    }
}

fn groups_of_three(whole: &str) -> bool {
    let mut groups = whole.split(',');
    groups.next().is_some_and(|first| (1..=3).contains(&first.len())) && groups.all(|group| group.len() == 3)
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

/// Divides `total` over `weights` so that the parts sum to it exactly: each gets its exact share rounded towards zero, and the
/// minor units left over go one each to the largest remainders (ties: the earlier part). All-zero weights divide evenly.
pub fn allocate(total: Money, weights: &[u64]) -> Result<Vec<Money>, MoneyError> {
    if weights.is_empty() {
        return Err(MoneyError::NoWeights);
    }
    let even = vec![1; weights.len()];
    let weights = if weights.iter().all(|weight| *weight == 0) { &even } else { weights };
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let amount = u128::from(total.minor.unsigned_abs());
    let mut parts = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        let exact = amount.checked_mul(u128::from(*weight)).ok_or(MoneyError::Overflow)?;
        parts.push((index, exact / sum, exact % sum));
    }
    let given: u128 = parts.iter().map(|(_, share, _)| share).sum();
    let left = usize::try_from(amount - given).map_err(|_| MoneyError::Overflow)?;
    parts.sort_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(&b.0)));
    for part in parts.iter_mut().take(left) {
        part.1 += 1;
    }
    parts.sort_by_key(|part| part.0);
    let signed = |share: u128| i64::try_from(share).map_err(|_| MoneyError::Overflow).map(|share| if total.minor < 0 { -share } else { share });
    parts.into_iter().map(|(_, share, _)| Ok(Money { minor: signed(share)?, ..total })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn currencies_are_known_by_code_and_decimals() {
        assert_eq!("JPY".parse::<Currency>().unwrap().decimals(), 0);
        assert_eq!("KWD".parse::<Currency>().unwrap().decimals(), 3);
        for wrong in ["usd", "US", "XXX", "2AF", "USDX", ""] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn decimal_text_is_read_exactly() {
        let read = |text| Money::parse_decimal(text, Currency::USD).map(|money| money.minor);
        assert_eq!(read("12.99"), Ok(1299));
        assert_eq!(read("12.9"), Ok(1290));
        assert_eq!(read("12.9900"), Ok(1299));
        assert_eq!(read("1,234,567.00"), Ok(123_456_700));
        assert_eq!(read("-0.05"), Ok(-5));
        assert_eq!(read(".5"), Ok(50));
        for wrong in ["", ".", "abc", "1.999", "1,23", "1 2", "--1", "1.2.3", "1e3", "$5"] {
            assert_eq!(read(wrong), Err(MoneyError::Unreadable(2)), "{wrong}");
        }
        assert_eq!(read("99999999999999999999"), Err(MoneyError::Overflow));
    }

    #[test]
    fn a_hundred_over_three_stays_a_hundred() {
        let parts = allocate(Money::new(10_000, Currency::EUR), &[1, 1, 1]).unwrap();
        assert_eq!(parts.iter().map(|part| part.minor).collect::<Vec<_>>(), [3334, 3333, 3333]);
    }

    proptest! {
        #[test]
        fn allocation_loses_and_creates_nothing(total in any::<i32>(), weights in prop::collection::vec(0u64..1_000_000, 1..40)) {
            let total = Money::new(i64::from(total), Currency::USD);
            let parts = allocate(total, &weights).unwrap();
            prop_assert_eq!(Money::sum(Currency::USD, parts.iter().copied()).unwrap(), total);
            prop_assert!(parts.iter().all(|part| part.minor == 0 || (part.minor < 0) == (total.minor < 0)));
        }

        #[test]
        fn decimal_text_round_trips(minor in any::<i32>()) {
            let money = Money::new(i64::from(minor), Currency::USD);
            prop_assert_eq!(Money::parse_decimal(&money.decimal(), Currency::USD).unwrap(), money);
        }
    }
}
