//! What a buyer prints for a return: the label for the parcel above, the slip that goes into it below.

use kit_core::Address;
use kit_pdf::{Column, Document};

use crate::return_view::number;
use crate::store::{ItemRow, ReturnRow, SubRow};

const COLUMNS: [Column; 4] = [
    Column { title: "SKU", share: 2.0, right: false },
    Column { title: "Item", share: 5.0, right: false },
    Column { title: "Reason", share: 2.0, right: false },
    Column { title: "Pieces", share: 1.0, right: true },
];

pub(crate) fn pdf(row: &ReturnRow, sub: &SubRow, items: &[ItemRow]) -> Vec<u8> {
    let number = number(row, sub);
    let mut document = Document::new(&format!("Return {number}"));
    document.heading(&format!("Return {number}"));
    document.bold("To");
    match &row.send_to {
        Some(address) => write_address(&mut document, address),
        None => document.line(&row.answer),
    }
    document.gap(8.0);
    document.bold("From");
    write_address(&mut document, &sub.ship_to);
    document.gap(18.0);
    document.line("- - - - - - - - - - - - - - - - - -  cut here; what is below goes into the parcel  - - - - - - - - - - - - - - - - - -");
    document.gap(18.0);
    document.bold(&format!("Return {number} to {}", sub.store_name));
    let lines = row.lines.iter().filter_map(|line| {
        let item = items.iter().find(|item| item.item_id == line.item_id)?;
        let options = if item.options.is_empty() { String::new() } else { format!(" ({})", item.options) };
        Some(vec![item.sku.clone(), format!("{}{options}", item.title), line.reason.replace('_', " "), line.quantity.to_string()])
    });
    document.table(&COLUMNS, &lines.collect::<Vec<_>>());
    document.gap(8.0);
    for text in [&row.instructions, &row.answer, &row.note] {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            document.line(line);
        }
    }
    document.finish()
}

fn write_address(document: &mut Document, address: &Address) {
    let place = format!("{} {} {}", address.postal_code, address.city, address.subdivision);
    for line in [&address.name, &address.company, &address.line1, &address.line2, &place, &address.country] {
        if !line.trim().is_empty() {
            document.line(line.trim());
        }
    }
}
