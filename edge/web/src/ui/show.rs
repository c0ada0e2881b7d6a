//! How values read on a page: money, moments, counts.

use kit_core::{Currency, Money, Time};
use maud::{Markup, html};

/// "$1,299.00", "€20.00", "¥1,200", "CHF 12.50".
pub(crate) fn money(money: Money) -> String {
    let (sign, whole, minor) = parts(money);
    let point = if minor.is_empty() { "" } else { "." };
    format!("{sign}{}{whole}{point}{minor}", symbol(money.currency))
}

/// The same with small raised cents, for places where the price is the headline.
pub(crate) fn price(amount: Money) -> Markup {
    let (sign, whole, minor) = parts(amount);
    html! {
        span.price {
            span.sr { (money(amount)) }
            span aria-hidden="true" { (sign) (symbol(amount.currency)) (whole) @if !minor.is_empty() { span.minor { (minor) } } }
        }
    }
}

/// What stands before an amount.
pub(crate) fn symbol(currency: Currency) -> String {
    match currency.as_str() {
        "USD" => "$".to_owned(),
        "EUR" => "€".to_owned(),
        "GBP" => "£".to_owned(),
        "JPY" => "¥".to_owned(),
        "INR" => "₹".to_owned(),
        "KRW" => "₩".to_owned(),
        code => format!("{code}\u{a0}"),
    }
}

fn parts(money: Money) -> (&'static str, String, String) {
    let decimal = money.decimal();
    let (sign, digits) = decimal.strip_prefix('-').map_or(("", decimal.as_str()), |rest| ("−", rest));
    let (whole, minor) = digits.split_once('.').unwrap_or((digits, ""));
    (sign, grouped(whole), minor.to_owned())
}

fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// "31,173".
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// "1 product", "31,173 products".
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// "21 Nov 2026".
pub(crate) fn date(time: Time) -> Markup {
    html! { time datetime=(time.format("%Y-%m-%d")) { (time.format("%-d %b %Y")) } }
}

/// "21 Nov 2026, 03:24 UTC"; the script turns it into the reader's own time.
pub(crate) fn moment(time: Time) -> Markup {
    html! { time datetime=(time.format("%Y-%m-%dT%H:%M:%SZ")) data-local { (time.format("%-d %b %Y, %H:%M UTC")) } }
}

/// "12.5 %" from 1250 basis points.
pub(crate) fn percent(bps: u32) -> String {
    let (whole, rest) = (bps / 100, bps % 100);
    match rest {
        0 => format!("{whole} %"),
        tenths if tenths % 10 == 0 => format!("{whole}.{} %", tenths / 10),
        hundredths => format!("{whole}.{hundredths:02} %"),
    }
}

/// "2.4 MB"; sizes people compare, not count.
pub(crate) fn bytes(size: u64) -> String {
    const KIB: u64 = 1024;
    const MIB: u64 = 1024 * KIB;
    match size {
        0..KIB => format!("{size} bytes"),
        KIB..MIB => format!("{} kB", size / KIB),
        _ => format!("{}.{} MB", size / MIB, size % MIB * 10 / MIB),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_as_people_write_it() {
        let usd = |minor| money(Money::new(minor, Currency::USD));
        assert_eq!(usd(129_900), "$1,299.00");
        assert_eq!(usd(-5), "−$0.05");
        assert_eq!(money(Money::new(1200, "JPY".parse().unwrap())), "¥1,200");
        assert_eq!(money(Money::new(1250, "CHF".parse().unwrap())), "CHF\u{a0}12.50");
        assert_eq!(percent(1250), "12.5 %");
        assert_eq!(counted(31_173, "row", "rows"), "31,173 rows");
        assert_eq!(bytes(2_500_000), "2.3 MB");
    }
}
