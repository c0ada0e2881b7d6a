//! The invoice as a PDF, of an order or of one seller's part: its number is the invoice's number, tax is shown by line and in total.

use api_tenants::Terms;
use kit_core::{Address, Currency, Money, Time};
use kit_pdf::{Column, Document};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::rows::WholeOrder;
use crate::store::{ItemRow, SubRow};

const COLUMNS: [Column; 5] = [
    Column { title: "Item", share: 5.0, right: false },
    Column { title: "Quantity", share: 1.0, right: true },
    Column { title: "Price", share: 1.4, right: true },
    Column { title: "Tax rate", share: 1.0, right: true },
    Column { title: "Amount", share: 1.4, right: true },
];

/// The business that supplies a part, kept as it was when the order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Supplier {
    pub(crate) legal_name: String,
    pub(crate) registration_number: String,
    pub(crate) tax_id: String,
    /// In one text, perhaps of several lines.
    pub(crate) address: String,
    pub(crate) country: String,
}

impl Supplier {
    pub(crate) fn of(terms: &Terms) -> Self {
        let told = terms.supplier.clone().unwrap_or_default();
        Self {
            legal_name: told.legal_name,
            registration_number: told.registration_number,
            tax_id: told.tax_id,
            address: told.address,
            country: terms.country.clone(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let named = |name: &str, text: &str| if text.trim().is_empty() { String::new() } else { format!("{name}: {}", text.trim()) };
        let address = self.address.lines().map(str::to_owned);
        let about = [self.country.clone(), named("Registration number", &self.registration_number), named("Tax number", &self.tax_id)];
        let lines = [self.legal_name.clone()].into_iter().chain(address).chain(about);
        lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
    }
}

pub(crate) fn pdf(whole: &WholeOrder) -> Result<Vec<u8>, Error> {
    let order = &whole.order;
    let currency: Currency = order.currency.parse()?;
    let money = |minor: i64| amount(minor, currency);
    let mut document = begin(&order.number, order.placed_at, &order.email, &order.billing_address);
    document.gap(6.0);
    document.bold("Shipped to");
    write_address(&mut document, &order.shipping_address);
    for sub in &whole.subs {
        write_part(&mut document, sub, &whole.items, currency);
    }
    document.gap(12.0);
    document.sum("Items", &money(order.items_minor), false);
    document.sum("Shipping", &money(order.shipping_minor), false);
    document.sum("Discount", &money(-order.discount_minor), false);
    document.sum("Tax on top", &money(order.tax_minor), false);
    document.sum("Total paid", &money(order.total_minor), true);
    if order.refunded_minor > 0 {
        document.sum("Returned to you", &money(order.refunded_minor), true);
    }
    document.gap(12.0);
    document.line("Prices include tax where it is due. Each seller named above is the supplier of its items.");
    Ok(document.finish())
}

/// One seller's part under its own number.
pub(crate) fn of_part(sub: &SubRow, items: &[ItemRow], billed_to: &Address) -> Result<Vec<u8>, Error> {
    let currency: Currency = sub.currency.parse()?;
    let money = |minor: i64| amount(minor, currency);
    let mut document = begin(&sub.number, sub.placed_at, &sub.email, billed_to);
    document.gap(6.0);
    document.bold("Shipped to");
    write_address(&mut document, &sub.ship_to);
    write_part(&mut document, sub, items, currency);
    document.gap(12.0);
    document.sum("Items", &money(sub.items_minor), false);
    document.sum("Discount", &money(-sub.discount_minor), false);
    document.sum("Tax on top", &money(sub.tax_minor), false);
    document.sum("Total paid", &money(sub.total_minor), true);
    document.gap(12.0);
    document.line(&format!("Prices include tax where it is due. {} is the supplier.", sub.store_name));
    Ok(document.finish())
}

fn amount(minor: i64, currency: Currency) -> String {
    format!("{} {currency}", Money::new(minor, currency).decimal())
}

fn begin(number: &str, placed_at: Time, email: &str, billed_to: &Address) -> Document {
    let mut document = Document::new(&format!("Invoice {number}"));
    document.heading("Invoice");
    document.line(&format!("Number: {number}"));
    document.line(&format!("Date: {}", placed_at.format("%Y-%m-%d")));
    document.gap(10.0);
    document.bold("Billed to");
    write_address(&mut document, billed_to);
    document.line(email);
    document
}

fn write_part(document: &mut Document, sub: &SubRow, items: &[ItemRow], currency: Currency) {
    document.gap(12.0);
    document.bold(&format!("{} · {}", sub.number, sub.store_name));
    if let Some(supplier) = &sub.supplier {
        document.line("Supplied by");
        supplier.lines().iter().for_each(|line| document.line(line));
        document.gap(4.0);
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .filter(|item| item.sub_order_id == sub.sub_order_id)
        .map(|item| {
            let options = if item.options.is_empty() { String::new() } else { format!(" ({})", item.options) };
            let rate = format!("{}.{:02} %", item.tax_rate_bps / 100, item.tax_rate_bps % 100);
            let gone = item.cancelled + item.returned;
            let pieces = if gone == 0 { item.quantity.to_string() } else { format!("{} − {gone}", item.quantity) };
            vec![format!("{}{options}", item.title), pieces, amount(item.unit_minor, currency), rate, amount(item.line_minor, currency)]
        })
        .collect();
    document.table(&COLUMNS, &rows);
    document.sum(&format!("Shipping: {}", sub.shipping_method), &amount(sub.shipping_minor, currency), false);
    if sub.refunded_minor > 0 {
        document.sum("Returned to you", &amount(sub.refunded_minor, currency), false);
    }
}

fn write_address(document: &mut Document, address: &Address) {
    let place = format!("{} {} {}", address.postal_code, address.city, address.subdivision);
    for line in [&address.name, &address.company, &address.line1, &address.line2, &place, &address.country] {
        if !line.trim().is_empty() {
            document.line(line.trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supplier_is_told_with_all_that_is_known_of_it() {
        let anna = Supplier {
            legal_name: "Anna's Mugs Ltd".to_owned(),
            registration_number: String::new(),
            tax_id: "GB 123".to_owned(),
            address: "1 Kiln Lane\r\nStoke ST1 1AA".to_owned(),
            country: "GB".to_owned(),
        };
        assert_eq!(anna.lines(), ["Anna's Mugs Ltd", "1 Kiln Lane", "Stoke ST1 1AA", "GB", "Tax number: GB 123"]);
    }
}
