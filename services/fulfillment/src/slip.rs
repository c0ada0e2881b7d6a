//! The packing slip as a PDF: what goes into the parcel and where it goes, without prices.

use kit_pdf::{Column, Document};

use crate::store::OrderRow;

const COLUMNS: [Column; 4] = [
    Column { title: "SKU", share: 2.0, right: false },
    Column { title: "Item", share: 5.0, right: false },
    Column { title: "Options", share: 2.0, right: false },
    Column { title: "Pieces", share: 1.0, right: true },
];

pub(crate) fn pdf(row: &OrderRow) -> Vec<u8> {
    let mut document = Document::new(&format!("Packing slip {}", row.number));
    document.heading("Packing slip");
    document.line(&format!("Order: {}", row.number));
    document.line(&format!("Ordered: {}", row.created_at.format("%Y-%m-%d")));
    document.line(&format!("Ship by: {}", row.due_at.format("%Y-%m-%d")));
    document.line(&format!("Shipping method: {}", row.shipping_method));
    document.gap(10.0);
    document.bold("Ship to");
    let to = &row.ship_to;
    let place = format!("{} {} {}", to.postal_code, to.city, to.subdivision);
    for line in [&to.name, &to.company, &to.line1, &to.line2, &place, &to.country, &to.phone] {
        if !line.trim().is_empty() {
            document.line(line.trim());
        }
    }
    document.gap(12.0);
    let rows: Vec<Vec<String>> = row
        .lines
        .iter()
        .filter(|line| line.quantity > 0)
        .map(|line| vec![line.sku.clone(), line.title.clone(), line.options.clone(), line.quantity.to_string()])
        .collect();
    document.table(&COLUMNS, &rows);
    let pieces: u32 = row.lines.iter().map(|line| line.quantity).sum();
    document.sum("Pieces in all", &pieces.to_string(), true);
    document.finish()
}
