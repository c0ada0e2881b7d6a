//! Prices as feeds write them ("$1,299.00", "12.99 usd", "1.234,56"), read exactly or refused with the reason.

use kit_core::{Currency, Money, MoneyError};

/// How a file writes decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// 1,299.00
    Point,
    /// 1.299,00
    Comma,
}

/// Why a price cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AmountError {
    #[error("there is no price")]
    Missing,
    #[error("the price is zero")]
    Zero,
    #[error("the price is negative")]
    Negative,
    #[error("not a price: expected digits, with at most one decimal sign")]
    Unreadable,
    #[error("could be a thousands separator or a decimal sign: say which with the mapping's \"decimal\"")]
    Ambiguous,
    #[error("more decimals than {0} has")]
    TooFine(Currency),
    #[error("too large")]
    TooLarge,
    #[error("\"{0}\" is not a known currency")]
    UnknownCurrency(String),
    #[error("no currency: map a column or set a constant for it")]
    NoCurrency,
    #[error("the price is in {found}, and the row is in {expected}")]
    OtherCurrency { found: Currency, expected: Currency },
}

/// What stands around the digits.
enum Marker {
    None,
    Code(Currency),
    /// A sign that several currencies share, the most likely first.
    Sign(&'static [&'static str]),
}

const SIGNS: [(&str, &[&str]); 22] = [
    ("us$", &["USD"]),
    ("ca$", &["CAD"]),
    ("c$", &["CAD"]),
    ("au$", &["AUD"]),
    ("a$", &["AUD"]),
    ("nz$", &["NZD"]),
    ("hk$", &["HKD"]),
    ("s$", &["SGD"]),
    ("r$", &["BRL"]),
    ("$", &["USD", "CAD", "AUD", "NZD", "MXN", "SGD", "HKD", "CLP", "COP", "ARS"]),
    ("€", &["EUR"]),
    ("£", &["GBP"]),
    ("¥", &["JPY", "CNY"]),
    ("₹", &["INR"]),
    ("₩", &["KRW"]),
    ("₺", &["TRY"]),
    ("₽", &["RUB"]),
    ("₫", &["VND"]),
    ("zł", &["PLN"]),
    ("kč", &["CZK"]),
    ("kr", &["SEK", "NOK", "DKK", "ISK"]),
    ("fr", &["CHF"]),
];

/// Reads a price above zero. `row` is the currency the row or the import says; a price that names another one is refused unless
/// `accept_other`.
pub(crate) fn price(text: &str, row: Option<Currency>, decimal: Option<Decimal>, accept_other: bool) -> Result<Money, AmountError> {
    let text = text.trim_matches(is_blank);
    if text.is_empty() {
        return Err(AmountError::Missing);
    }
    let (negative, text) = text.strip_prefix(['-', '−']).map_or((false, text), |rest| (true, rest));
    let (digits, marker) = split(text)?;
    let currency = currency_of(marker, row, accept_other)?;
    let plain = canonical(digits, decimal)?;
    let money = Money::parse_decimal(&plain, currency).map_err(|error| match error {
        MoneyError::Overflow => AmountError::TooLarge,
        _ if plain.contains('.') => AmountError::TooFine(currency),
        _ => AmountError::Unreadable,
    })?;
    match money.minor {
        0 => Err(AmountError::Zero),
        _ if negative => Err(AmountError::Negative),
        minor if minor > MAX_MINOR => Err(AmountError::TooLarge),
        _ => Ok(money),
    }
}

/// Ten thousand million in major units of a two-decimal currency; a larger price is a mistake.
pub(crate) const MAX_MINOR: i64 = 1_000_000_000_000;

/// Which way a price cell writes decimals, when that is beyond doubt.
pub(crate) fn evident_decimal(text: &str) -> Option<Decimal> {
    let (digits, _) = split(text.trim_matches(is_blank).trim_start_matches(['-', '−'])).ok()?;
    let separators: Vec<(usize, char)> = digits.char_indices().filter(|(_, c)| matches!(c, '.' | ',')).collect();
    let (at, last) = *separators.last()?;
    let behind = digits.len() - at - 1;
    let alone = separators.iter().filter(|(_, c)| *c == last).count() == 1;
    let mixed = separators.iter().any(|(_, c)| *c != last);
    let decimal = alone && (mixed || behind != 3 || matches!(digits.get(..at), Some("" | "0")));
    let grouping = !alone && !mixed;
    match (last, decimal, grouping) {
        ('.', true, _) | (',', _, true) => Some(Decimal::Point),
        (',', true, _) | ('.', _, true) => Some(Decimal::Comma),
        _ => None,
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// Takes the currency off either end.
fn split(text: &str) -> Result<(&str, Marker), AmountError> {
    let start = text.find(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')).ok_or(AmountError::Unreadable)?;
    let (before, rest) = text.split_at(start);
    let last = rest.rfind(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')).ok_or(AmountError::Unreadable)?;
    let (digits, after) = rest.split_at(last + 1);
    let (before, after) = (before.trim_matches(is_blank), after.trim_matches(is_blank));
    if before.ends_with(['-', '−']) {
        return Err(AmountError::Negative);
    }
    let marker = match (before.is_empty(), after.is_empty()) {
        (true, true) => Marker::None,
        (false, true) => marker(before)?,
        (true, false) => marker(after)?,
        (false, false) => both(marker(before)?, marker(after)?)?,
    };
    Ok((digits, marker))
}

/// "$ 5.00 USD": a sign and a code that agree.
fn both(one: Marker, other: Marker) -> Result<Marker, AmountError> {
    match (one, other) {
        (Marker::Sign(sign), Marker::Code(code)) | (Marker::Code(code), Marker::Sign(sign)) if sign.contains(&code.as_str()) => {
            Ok(Marker::Code(code))
        }
        _ => Err(AmountError::Unreadable),
    }
}

fn marker(text: &str) -> Result<Marker, AmountError> {
    let lower = text.to_lowercase();
    if let Some((_, codes)) = SIGNS.iter().find(|(sign, _)| *sign == lower) {
        return Ok(Marker::Sign(codes));
    }
    if lower.chars().count() == 3 && lower.bytes().all(|b| b.is_ascii_alphabetic()) {
        return lower.to_uppercase().parse().map(Marker::Code).map_err(|_| AmountError::UnknownCurrency(text.to_owned()));
    }
    Err(AmountError::Unreadable)
}

fn currency_of(marker: Marker, row: Option<Currency>, accept_other: bool) -> Result<Currency, AmountError> {
    let named = match (marker, row) {
        (Marker::None, row) => return row.ok_or(AmountError::NoCurrency),
        (Marker::Code(code), _) => code,
        (Marker::Sign(codes), Some(row)) if codes.contains(&row.as_str()) => row,
        (Marker::Sign(codes), None) if codes.len() > 1 => return Err(AmountError::NoCurrency),
        (Marker::Sign(codes), _) => codes.first().and_then(|code| code.parse().ok()).ok_or(AmountError::NoCurrency)?,
    };
    match row {
        Some(expected) if expected != named && !accept_other => Err(AmountError::OtherCurrency { found: named, expected }),
        _ => Ok(named),
    }
}

/// Digits with grouping taken out and "." as the decimal sign.
fn canonical(digits: &str, decimal: Option<Decimal>) -> Result<String, AmountError> {
    let text: String = digits.chars().map(|c| if is_blank(c) || c == '’' { '\'' } else { c }).collect();
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'\'')) {
        return Err(AmountError::Unreadable);
    }
    let sign = decimal_sign(&text, decimal)?;
    let (whole, fraction) = sign.and_then(|sign| text.rsplit_once(sign)).unwrap_or((&text, ""));
    let groups: Vec<char> = whole.chars().filter(|c| !c.is_ascii_digit()).collect();
    let one_kind = groups.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
    let other_than_decimal = groups.iter().all(|group| Some(*group) != sign);
    if !one_kind || !other_than_decimal || (!groups.is_empty() && !groups_of_three(whole)) || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(AmountError::Unreadable);
    }
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    Ok(if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") })
}

/// Which character, if any, begins the fraction.
fn decimal_sign(text: &str, decimal: Option<Decimal>) -> Result<Option<char>, AmountError> {
    let (points, commas) = (text.matches('.').count(), text.matches(',').count());
    let said = decimal.map(|decimal| if decimal == Decimal::Point { ('.', points) } else { (',', commas) });
    match (said, points, commas) {
        (_, 0, 0) => Ok(None),
        (Some((sign, 1)), ..) => Ok(Some(sign)),
        (Some((_, 0)), ..) => Ok(None),
        (Some(_), ..) => Err(AmountError::Unreadable),
        // Both kinds: the last one is the decimal sign and stands once; the checks behind see to the rest.
        (None, 1.., 1..) => Ok(text.rfind(['.', ',']).and_then(|at| text.get(at..)).and_then(|rest| rest.chars().next())),
        (None, 2.., 0) | (None, 0, 2..) => Ok(None),
        (None, _, _) => match evident_decimal(text) {
            Some(Decimal::Point) => Ok(Some('.')),
            Some(Decimal::Comma) => Ok(Some(',')),
            None => Err(AmountError::Ambiguous),
        },
    }
}

fn groups_of_three(whole: &str) -> bool {
    let mut groups = whole.split(|c: char| !c.is_ascii_digit());
    groups.next().is_some_and(|first| (1..=3).contains(&first.len())) && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> Result<i64, AmountError> {
        price(text, Some(Currency::USD), None, false).map(|money| money.minor)
    }

    #[test]
    fn prices_are_read_as_feeds_write_them() {
        for (text, minor) in [
            ("12.65", 1265),
            ("24", 2400),
            ("$1,299.00", 129_900),
            ("12.99 usd", 1299),
            ("USD 12.99", 1299),
            ("US$12.99", 1299),
            ("$ 5.00 USD", 500),
            ("1.234,56", 123_456),
            ("1'234.50", 123_450),
            ("1 234,50", 123_450),
            ("1,234,567", 123_456_700),
            ("0.125 ", 13),
            (".5", 50),
            ("12,9", 1290),
            ("59.0", 5900),
            ("12.9900", 1299),
        ] {
            if text == "0.125 " {
                assert_eq!(usd(text), Err(AmountError::TooFine(Currency::USD)));
            } else {
                assert_eq!(usd(text), Ok(minor), "{text}");
            }
        }
    }

    #[test]
    fn what_could_be_either_is_refused_until_the_file_says_which() {
        assert_eq!(usd("1,299"), Err(AmountError::Ambiguous));
        assert_eq!(usd("1.299"), Err(AmountError::Ambiguous));
        assert_eq!(price("1,299", Some(Currency::USD), Some(Decimal::Point), false).unwrap().minor, 129_900);
        assert_eq!(price("1.299", Some(Currency::EUR), Some(Decimal::Comma), false).unwrap().minor, 129_900);
        assert_eq!(price("12,99", Some(Currency::USD), Some(Decimal::Point), false), Err(AmountError::Unreadable));
    }

    #[test]
    fn what_is_no_price_is_refused_with_the_reason() {
        assert_eq!(usd(""), Err(AmountError::Missing));
        assert_eq!(usd("  "), Err(AmountError::Missing));
        assert_eq!(usd("0.0"), Err(AmountError::Zero));
        assert_eq!(usd("$0"), Err(AmountError::Zero));
        assert_eq!(usd("-5"), Err(AmountError::Negative));
        assert_eq!(usd("-$5"), Err(AmountError::Negative));
        assert_eq!(usd("99999999999999999999"), Err(AmountError::TooLarge));
        assert_eq!(usd("12.99 abc"), Err(AmountError::UnknownCurrency("abc".to_owned())));
        for text in ["call us", "1.2.3,4,5", "12-13", "1,23,4", "12.99 each", "1e3", "--", ".", "$ 5 EUR"] {
            assert!(usd(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_price_in_another_currency_is_told_or_taken_as_asked() {
        let gbp: Currency = "GBP".parse().unwrap();
        assert_eq!(usd("69.71 gbp"), Err(AmountError::OtherCurrency { found: gbp, expected: Currency::USD }));
        assert_eq!(price("69.71 gbp", Some(Currency::USD), None, true), Ok(Money::new(6971, gbp)));
        assert_eq!(price("£5.00", None, None, false), Ok(Money::new(500, gbp)));
        assert_eq!(price("$5.00", None, None, false), Err(AmountError::NoCurrency));
        assert_eq!(price("$5.00", Some("CAD".parse().unwrap()), None, false).unwrap().currency.as_str(), "CAD");
        assert_eq!(price("5.00", None, None, false), Err(AmountError::NoCurrency));
    }

    proptest! {
        #[test]
        fn every_amount_is_read_back_in_every_spelling(minor in 1i64..10_000_000_000) {
            let money = Money::new(minor, Currency::EUR);
            let plain = money.decimal();
            let (whole, fraction) = plain.split_once('.').unwrap();
            let group = |sign: &str| {
                let mut out = String::new();
                for (place, digit) in whole.chars().enumerate() {
                    if place > 0 && (whole.len() - place).is_multiple_of(3) { out.push_str(sign); }
                    out.push(digit);
                }
                out
            };
            for text in [plain.clone(), format!("€{plain}"), format!("{plain} EUR"), format!("{}.{fraction}", group(",")), format!("{},{fraction} €", group(".")), format!("{},{fraction}", group(" "))] {
                prop_assert_eq!(price(&text, Some(Currency::EUR), None, false), Ok(money), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,20}") {
            let _ = price(&text, Some(Currency::USD), None, false);
            let _ = evident_decimal(&text);
        }
    }
}
