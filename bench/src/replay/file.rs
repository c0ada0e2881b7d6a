//! The history as it was written down: tab-separated lines of invoices, in `orders-online-retail`'s columns. Sums are kept in thousandths, the
//! smallest amount in the file, as whole numbers.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, ensure};

/// An amount of money or a price, in thousandths of the currency's unit.
pub(super) type Mills = i64;

pub(super) struct Invoice {
    pub number: String,
    /// When it was written: `2010-12-01 08:26:00`.
    pub at: String,
    /// Empty when the file names nobody.
    pub customer: String,
    pub lines: Vec<Line>,
}

pub(super) struct Line {
    pub code: String,
    pub description: String,
    pub quantity: i64,
    pub price: Mills,
}

impl Line {
    pub(super) const fn total(&self) -> Mills {
        self.quantity * self.price
    }
}

impl Invoice {
    pub(super) fn day(&self) -> &str {
        self.at.split(' ').next().unwrap_or_default()
    }
}

/// Reads at most `limit` invoices, in the order of the file; `.zst` is unpacked.
pub(super) fn read(path: &Path, limit: Option<usize>) -> anyhow::Result<Vec<Invoice>> {
    let place = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(place)?;
    let mut text = String::new();
    if path.extension().is_some_and(|ending| ending == "zst") {
        zstd::Decoder::new(file)?.read_to_string(&mut text).with_context(place)?;
    } else {
        std::io::BufReader::new(file).read_to_string(&mut text).with_context(place)?;
    }
    parse(&text, limit).with_context(|| format!("in {}", path.display()))
}

fn parse(text: &str, limit: Option<usize>) -> anyhow::Result<Vec<Invoice>> {
    let mut rows = csv::ReaderBuilder::new().delimiter(b'\t').quoting(false).from_reader(text.as_bytes());
    let header = rows.headers()?.clone();
    let wanted = ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"];
    let places = wanted.map(|name| header.iter().position(|known| known == name));
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    let mut invoices: Vec<Invoice> = Vec::new();
    for (number, row) in rows.records().enumerate() {
        let row = row?;
        let cells = places.map(|place| place.and_then(|place| row.get(place)));
        let [Some(invoice), Some(code), Some(description), Some(quantity), Some(at), Some(price), Some(customer)] = cells else {
            anyhow::bail!("line {} has not all of the columns {}", number + 2, wanted.join(", "));
        };
        let line = Line {
            code: code.trim().to_owned(),
            description: description.trim().to_owned(),
            quantity: quantity.parse().with_context(|| format!("line {}: Quantity {quantity:?}", number + 2))?,
            price: mills(price).with_context(|| format!("line {}: UnitPrice {price:?}", number + 2))?,
        };
        if let Some(invoice) = known.get(invoice).and_then(|place| invoices.get_mut(*place)) {
            invoice.lines.push(line);
            continue;
        }
        if limit.is_some_and(|limit| invoices.len() >= limit) {
            break;
        }
        known.insert(invoice.to_owned(), invoices.len());
        invoices.push(Invoice { number: invoice.to_owned(), at: at.to_owned(), customer: customer.trim().to_owned(), lines: vec![line] });
    }
    ensure!(!invoices.is_empty(), "there is no invoice");
    Ok(invoices)
}

/// A decimal number of at most three places, exactly.
fn mills(text: &str) -> anyhow::Result<Mills> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let (whole, places) = digits.split_once('.').unwrap_or((digits, ""));
    let tidy = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(!whole.is_empty() && tidy(whole) && tidy(places), "is no number");
    let places = places.trim_end_matches('0');
    ensure!(places.len() <= 3, "has more than three places");
    let amount = whole.parse::<i64>()?.checked_mul(1000).context("is too large")? + format!("{places:0<3}").parse::<i64>()?;
    Ok(if negative { -amount } else { amount })
}

/// `1234.5` for people, without trailing zeros past the second place.
pub(super) fn decimal(mills: Mills) -> String {
    let (sign, amount) = (if mills < 0 { "-" } else { "" }, mills.unsigned_abs());
    let text = format!("{sign}{}.{:03}", amount / 1000, amount % 1000);
    text.strip_suffix('0').map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_to_the_last_digit() {
        for (text, amount, shown) in
            [("2.55", 2550, "2.55"), ("15.0", 15_000, "15.00"), ("0.001", 1, "0.001"), ("-11062.06", -11_062_060, "-11062.06"), ("3", 3000, "3.00")]
        {
            assert_eq!(mills(text).unwrap(), amount);
            assert_eq!(decimal(amount), shown);
        }
        for text in ["", "-", "1,5", "1.2345", "1.5e3"] {
            mills(text).unwrap_err();
        }
    }

    #[test]
    fn invoices_keep_their_order_and_their_lines() {
        let text = "InvoiceNo\tStockCode\tDescription\tQuantity\tInvoiceDate\tUnitPrice\tCustomerID\tCountry\n\
            1\tA\t\"Quoted\" mug\t6\t2010-12-01 08:26:00\t2.55\t17850\tFrance\n\
            2\tB\tLamp\t1\t2010-12-02 08:28:00\t0.001\t\tFrance\n\
            1\tB\tLamp\t-2\t2010-12-01 08:26:00\t3.0\t17850\tFrance\n";
        let invoices = parse(text, None).unwrap();
        let seen: Vec<_> =
            invoices.iter().map(|invoice| (invoice.number.as_str(), invoice.day(), invoice.customer.as_str(), invoice.lines.len())).collect();
        assert_eq!(seen, [("1", "2010-12-01", "17850", 2), ("2", "2010-12-02", "", 1)]);
        assert_eq!(invoices[0].lines.iter().map(Line::total).sum::<Mills>(), 15_300 - 6000);
        assert_eq!(parse(text, Some(1)).unwrap().len(), 1);
    }
}
