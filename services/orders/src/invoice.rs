//! The invoice as a PDF: the order's number is the invoice's number, tax is shown by line and in total.

use kit_core::{Address, Currency, Money};
use kit_pdf::{Column, Document};

use crate::error::Error;
use crate::store::rows::WholeOrder;

const COLUMNS: [Column; 5] = [
    Column { title: "Item", share: 5.0, right: false },
    Column { title: "Quantity", share: 1.0, right: true },
    Column { title: "Price", share: 1.4, right: true },
    Column { title: "Tax rate", share: 1.0, right: true },
    Column { title: "Amount", share: 1.4, right: true },
];

pub(crate) fn pdf(whole: &WholeOrder) -> Result<Vec<u8>, Error> {
    let order = &whole.order;
    let currency: Currency = order.currency.parse()?;
    let money = |minor: i64| format!("{} {currency}", Money::new(minor, currency).decimal());
    let mut document = Document::new(&format!("Invoice {}", order.number));
    document.heading("Invoice");
    document.line(&format!("Number: {}", order.number));
    document.line(&format!("Date: {}", order.placed_at.format("%Y-%m-%d")));
    document.gap(10.0);
    document.bold("Billed to");
    write_address(&mut document, &order.billing_address);
    document.line(&order.email);
    document.gap(6.0);
    document.bold("Shipped to");
    write_address(&mut document, &order.shipping_address);
    for sub in &whole.subs {
        document.gap(12.0);
        document.bold(&format!("{} · {}", sub.number, sub.store_name));
        let items = whole.items.iter().filter(|item| item.sub_order_id == sub.sub_order_id);
        let rows: Vec<Vec<String>> = items
            .map(|item| {
                let options = if item.options.is_empty() { String::new() } else { format!(" ({})", item.options) };
                let rate = format!("{}.{:02} %", item.tax_rate_bps / 100, item.tax_rate_bps % 100);
                let pieces = if item.cancelled == 0 { item.quantity.to_string() } else { format!("{} − {}", item.quantity, item.cancelled) };
                vec![format!("{}{options}", item.title), pieces, money(item.unit_minor), rate, money(item.line_minor)]
            })
            .collect();
        document.table(&COLUMNS, &rows);
        document.sum(&format!("Shipping: {}", sub.shipping_method), &money(sub.shipping_minor), false);
        if sub.refunded_minor > 0 {
            document.sum("Returned to you", &money(sub.refunded_minor), false);
        }
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

fn write_address(document: &mut Document, address: &Address) {
    let place = format!("{} {} {}", address.postal_code, address.city, address.subdivision);
    for line in [&address.name, &address.company, &address.line1, &address.line2, &place, &address.country] {
        if !line.trim().is_empty() {
            document.line(line.trim());
        }
    }
}
