//! What of the history becomes what in the market, decided before anything is done. Pure: the same file makes the same plan, which is what lets
//! a replay be taken up again.
//!
//! - A line with a price and pieces is sold. An invoice becomes as many orders as the market's limits ask for (100 lines, 999 pieces each).
//! - A cancellation (an invoice whose number begins with C) takes back pieces that the same customer bought of the same code at the same
//!   price before, latest purchase first. What was never bought in this history (discounts, fees, purchases before its beginning,
//!   nobody's cancellations) has no order it could cancel.
//! - Negative pieces without a price are goods written off.
//! - What has no price, or less than the minor unit altogether, cannot be paid for; nor can an adjustment of a debt be bought.

use std::collections::BTreeMap;

use super::file::{Invoice, Line, Mills};

/// The market's limits of one order.
const MAX_LINES: usize = 100;
const MAX_PIECES: i64 = 999;

/// One thing in the shop: a code at one price, as `85123A@255`.
pub(super) type Sku = String;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Good {
    pub title: String,
    pub price_minor: i64,
    /// Pieces put on the shelf: what will be sold and written off, so that nothing runs out.
    pub pieces: i64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sale {
    /// The invoice and the part of it, as `536365-1`.
    pub key: String,
    pub customer: String,
    pub lines: BTreeMap<Sku, i64>,
}

/// Pieces of one sale taken back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Take {
    pub invoice: String,
    pub sale: String,
    pub lines: BTreeMap<Sku, i64>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub sales: Vec<Sale>,
    pub takes: Vec<Take>,
    pub written_off: BTreeMap<Sku, i64>,
}

/// Why lines of the file do nothing in the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Left {
    BadDebt,
    BelowMinorUnit,
    NoPrice,
    WrittenOffUnknown,
    NeverBought,
}

impl Left {
    pub(super) const fn says(self) -> &'static str {
        match self {
            Self::BadDebt => "adjustments of bad debt: no goods, nothing to buy",
            Self::BelowMinorUnit => "less than the minor unit in all: cannot be charged",
            Self::NoPrice => "pieces without a price: nothing to pay",
            Self::WrittenOffUnknown => "written off of goods that are never sold here",
            Self::NeverBought => "cancelled, but not bought in this history by the same customer at the same price",
        }
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally {
    pub lines: usize,
    pub sum: Mills,
}

impl Tally {
    fn add(&mut self, sum: Mills) {
        self.lines += 1;
        self.sum += sum;
    }
}

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub goods: BTreeMap<Sku, Good>,
    pub days: BTreeMap<String, Day>,
    pub all: Tally,
    pub sold: Tally,
    pub taken: Tally,
    pub written_off: Tally,
    pub left: BTreeMap<Left, Tally>,
    pub without_customer: Tally,
}

impl Plan {
    pub(super) fn of(invoices: &[Invoice]) -> Self {
        let mut plan = Self::default();
        let mut bought = Bought::default();
        let mut shelf: BTreeMap<String, Sku> = BTreeMap::new();
        let mut order: Vec<&Invoice> = invoices.iter().collect();
        // The file is nearly, but not quite, in the order of time.
        order.sort_by(|one, other| one.at.cmp(&other.at));
        for invoice in &order {
            for line in invoice.lines.iter().filter(|line| line.quantity > 0 && line.price > 0) {
                shelf.entry(line.code.clone()).or_insert_with(|| sku(line));
            }
        }
        for invoice in order {
            let mut sold: BTreeMap<Sku, i64> = BTreeMap::new();
            for line in &invoice.lines {
                plan.all.add(line.total());
                if invoice.customer.is_empty() {
                    plan.without_customer.add(line.total());
                }
                match kind(invoice, line) {
                    Kind::Sold => {
                        plan.sold.add(line.total());
                        plan.shelve(line, line.quantity);
                        *sold.entry(sku(line)).or_default() += line.quantity;
                    }
                    Kind::Cancelled => plan.cancel(invoice, line, &mut bought),
                    Kind::WrittenOff => plan.write_off(invoice, line, &shelf),
                    Kind::Left(why) => plan.left.entry(why).or_default().add(line.total()),
                }
            }
            plan.sell(invoice, sold, &mut bought);
        }
        // Goods are written off by a price at which they are sold; only now is it known that the good is on the shelf.
        for (sku, pieces) in plan.days.values().flat_map(|day| &day.written_off) {
            if let Some(good) = plan.goods.get_mut(sku) {
                good.pieces += pieces;
            }
        }
        plan
    }

    fn shelve(&mut self, line: &Line, pieces: i64) {
        let title = if line.description.is_empty() { format!("Item {}", line.code) } else { line.description.clone() };
        let good = self.goods.entry(sku(line)).or_insert_with(|| Good { title, price_minor: line.price / 10, pieces: 0 });
        good.pieces += pieces;
    }

    fn day(&mut self, invoice: &Invoice) -> &mut Day {
        self.days.entry(invoice.day().to_owned()).or_default()
    }

    /// Cuts an invoice into orders that the market takes.
    fn sell(&mut self, invoice: &Invoice, mut left: BTreeMap<Sku, i64>, bought: &mut Bought) {
        let mut part = 0;
        while !left.is_empty() {
            let round: Vec<(Sku, i64)> = left.iter().map(|(sku, pieces)| (sku.clone(), (*pieces).min(MAX_PIECES))).collect();
            for lines in round.chunks(MAX_LINES) {
                part += 1;
                let key = format!("{}-{part}", invoice.number);
                for (sku, pieces) in lines {
                    bought.add(&invoice.customer, sku, &key, *pieces);
                }
                let sale = Sale { key, customer: invoice.customer.clone(), lines: lines.iter().cloned().collect() };
                self.day(invoice).sales.push(sale);
            }
            left = left.into_iter().map(|(sku, pieces)| (sku, pieces - MAX_PIECES)).filter(|(_, pieces)| *pieces > 0).collect();
        }
    }

    fn cancel(&mut self, invoice: &Invoice, line: &Line, bought: &mut Bought) {
        let sku = sku(line);
        let mut wanted = -line.quantity;
        for (sale, pieces) in bought.take(&invoice.customer, &sku, wanted) {
            wanted -= pieces;
            let day = self.day(invoice);
            match day.takes.iter_mut().find(|take| take.invoice == invoice.number && take.sale == sale) {
                Some(take) => *take.lines.entry(sku.clone()).or_default() += pieces,
                None => day.takes.push(Take { invoice: invoice.number.clone(), sale, lines: BTreeMap::from([(sku.clone(), pieces)]) }),
            }
        }
        let (taken, left) = (-line.quantity - wanted, wanted);
        if taken > 0 {
            self.taken.add(-taken * line.price);
        }
        if left > 0 {
            self.left.entry(Left::NeverBought).or_default().add(-left * line.price);
        }
    }

    fn write_off(&mut self, invoice: &Invoice, line: &Line, shelf: &BTreeMap<String, Sku>) {
        let Some(sku) = shelf.get(&line.code).cloned() else {
            return self.left.entry(Left::WrittenOffUnknown).or_default().add(line.total());
        };
        self.written_off.add(line.total());
        *self.day(invoice).written_off.entry(sku).or_default() += -line.quantity;
    }
}

/// What a line of an invoice is.
enum Kind {
    Sold,
    Cancelled,
    WrittenOff,
    Left(Left),
}

fn kind(invoice: &Invoice, line: &Line) -> Kind {
    let plain = invoice.number.bytes().all(|byte| byte.is_ascii_digit());
    let cancels = invoice.number.starts_with('C');
    if !plain && !cancels {
        return Kind::Left(Left::BadDebt);
    }
    match (line.price, line.quantity) {
        (0, ..0) => Kind::WrittenOff,
        (0, _) | (_, 0) => Kind::Left(Left::NoPrice),
        (price, _) if price % 10 != 0 => Kind::Left(Left::BelowMinorUnit),
        (_, 1..) => Kind::Sold,
        (_, ..0) => Kind::Cancelled,
    }
}

fn sku(line: &Line) -> Sku {
    format!("{}@{}", line.code, line.price / 10)
}

/// What each customer has of each thing, and by which sale.
#[derive(Default)]
struct Bought(BTreeMap<(String, Sku), Vec<(String, i64)>>);

impl Bought {
    /// Nobody cannot come back: a customer without a number is another one each time.
    fn add(&mut self, customer: &str, sku: &str, sale: &str, pieces: i64) {
        if !customer.is_empty() {
            self.0.entry((customer.to_owned(), sku.to_owned())).or_default().push((sale.to_owned(), pieces));
        }
    }

    /// Takes up to so many pieces, of the latest purchase first: (sale, pieces).
    fn take(&mut self, customer: &str, sku: &str, mut wanted: i64) -> Vec<(String, i64)> {
        let Some(sales) = self.0.get_mut(&(customer.to_owned(), sku.to_owned())) else { return Vec::new() };
        let mut taken = Vec::new();
        while wanted > 0
            && let Some((sale, pieces)) = sales.pop()
        {
            let part = pieces.min(wanted);
            wanted -= part;
            if part < pieces {
                sales.push((sale.clone(), pieces - part));
            }
            taken.push((sale, part));
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invoice(number: &str, at: &str, customer: &str, lines: &[(&str, i64, Mills)]) -> Invoice {
        let line = |(code, quantity, price): &(&str, i64, Mills)| Line {
            code: (*code).to_owned(),
            description: String::new(),
            quantity: *quantity,
            price: *price,
        };
        Invoice { number: number.to_owned(), at: at.to_owned(), customer: customer.to_owned(), lines: lines.iter().map(line).collect() }
    }

    #[test]
    fn every_line_goes_somewhere_and_the_sums_agree() {
        let plan = Plan::of(&[
            invoice("1", "2011-01-01 10:00:00", "7", &[("A", 6, 2550), ("A", 2, 2550), ("B", 1, 1), ("C", 5, 0)]),
            invoice("2", "2011-01-02 10:00:00", "7", &[("A", 3, 2550)]),
            invoice("C3", "2011-01-02 11:00:00", "7", &[("A", -5, 2550), ("D", -1, 27_500)]),
            invoice("C4", "2011-01-02 12:00:00", "", &[("A", -1, 2550)]),
            invoice("5", "2011-01-03 10:00:00", "", &[("A", -4, 0), ("Z", -9, 0)]),
            invoice("A6", "2011-01-03 10:00:00", "", &[("B", 1, -11_062_060)]),
        ]);
        let take =
            |sale: &str, pieces| Take { invoice: "C3".to_owned(), sale: sale.to_owned(), lines: BTreeMap::from([("A@255".to_owned(), pieces)]) };
        assert_eq!(plan.days["2011-01-02"].takes, [take("2-1", 3), take("1-1", 2)]);
        assert_eq!(plan.days["2011-01-01"].sales[0].lines, BTreeMap::from([("A@255".to_owned(), 8)]));
        assert_eq!(plan.goods["A@255"].pieces, 11 + 4);
        assert_eq!((plan.sold.sum, plan.taken.sum), (11 * 2550, -5 * 2550));
        let left: Vec<_> = plan.left.iter().map(|(why, tally)| (*why, tally.lines, tally.sum)).collect();
        let expected = [
            (Left::BadDebt, 1, -11_062_060),
            (Left::BelowMinorUnit, 1, 1),
            (Left::NoPrice, 1, 0),
            (Left::WrittenOffUnknown, 1, 0),
            (Left::NeverBought, 2, -27_500 - 2550),
        ];
        assert_eq!(left, expected);
        let parts = plan.sold.sum + plan.taken.sum + plan.written_off.sum + plan.left.values().map(|tally| tally.sum).sum::<Mills>();
        assert_eq!(parts, plan.all.sum);
    }

    #[test]
    fn what_is_too_large_for_one_order_becomes_several() {
        let many: Vec<(String, i64)> = (0..150).map(|number| (format!("M{number:03}"), if number == 0 { 2500 } else { 1 })).collect();
        let lines: Vec<(&str, i64, Mills)> = many.iter().map(|(code, pieces)| (code.as_str(), *pieces, 1000)).collect();
        let plan = Plan::of(&[invoice("1", "2011-01-01 10:00:00", "7", &lines)]);
        let sales = &plan.days["2011-01-01"].sales;
        let shape: Vec<_> = sales.iter().map(|sale| (sale.key.as_str(), sale.lines.len(), sale.lines.values().sum::<i64>())).collect();
        assert_eq!(shape, [("1-1", 100, 999 + 99), ("1-2", 50, 50), ("1-3", 1, 999), ("1-4", 1, 502)]);
    }
}
