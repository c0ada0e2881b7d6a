//! The statement as a file: a PDF to keep, a CSV to compute with. Both show every line with its entry and its order.

use api_orders::{OrderId, SubOrderId};
use api_payments::{EntryId, PayoutId};
use kit_core::Money;
use kit_pdf::{Column, Document};
use kit_rpc::download;
use kit_rpc::proto::google_api::HttpBody;
use tonic::Response;

use crate::error::Error;
use crate::flows::Statement;
use crate::settlement_view::minute;
use crate::store::statements::{Line, LineKind};

const COLUMNS: [Column; 5] = [
    Column { title: "Date (UTC)", share: 2.0, right: false },
    Column { title: "What", share: 1.6, right: false },
    Column { title: "Order or payout", share: 4.0, right: false },
    Column { title: "Amount", share: 1.4, right: true },
    Column { title: "Balance", share: 1.4, right: true },
];
const CSV_HEADER: [&str; 10] = ["number", "at", "kind", "amount", "balance", "currency", "order_id", "sub_order_id", "payout_id", "entry_id"];

pub(crate) fn file(statement: &Statement, format: &str) -> Result<Response<HttpBody>, Error> {
    Ok(match format {
        "csv" => download(csv(statement)?, "text/csv; charset=utf-8", "statement.csv"),
        _ => download(pdf(statement), "application/pdf", "statement.pdf"),
    })
}

fn what(line: &Line) -> &'static str {
    match LineKind::of_word(&line.kind) {
        LineKind::Sale => "Sale",
        LineKind::Reversal => "Taken back",
        LineKind::Payout => "Payout",
        LineKind::PayoutFailed => "Payout failed",
        LineKind::PayoutReturned => "Payout returned",
        LineKind::Adjustment => "Adjustment",
    }
}

fn cause(line: &Line) -> String {
    let order = line.sub_order_id.map(|id| SubOrderId::from(id).to_string());
    let payout = line.payout_id.map(|id| PayoutId::from(id).to_string());
    order.or(payout).unwrap_or_else(|| EntryId::from(line.entry_id).to_string())
}

fn pdf(statement: &Statement) -> Vec<u8> {
    let money = |minor| Money::new(minor, statement.currency).decimal();
    let mut document = Document::new("Statement of account");
    document.heading("Statement of account");
    document.line(&format!("Seller: {}", statement.tenant));
    document.line(&format!("From {} until {} (UTC), in {}", minute(statement.from), minute(statement.to), statement.currency));
    if let Some(payout) = &statement.payout {
        document.line(&format!("Payout: {}, {} {}", payout.id, money(payout.amount_minor), payout.currency));
        document.line(&format!("Period: {} to {} (UTC)", minute(payout.period.start), minute(payout.period.end)));
        document.line(&format!("To the account ending in {}", payout.account_last4));
    }
    document.gap(10.0);
    document.sum("Opening balance", &money(statement.opening_minor), true);
    document.gap(6.0);
    let row = |line: &Line| vec![minute(line.at), what(line).to_owned(), cause(line), money(line.amount_minor), money(line.balance_minor)];
    document.table(&COLUMNS, &statement.lines.iter().map(row).collect::<Vec<_>>());
    let movements: i64 = statement.lines.iter().map(|line| line.amount_minor).sum();
    document.sum("Movements", &money(movements), false);
    document.sum("Closing balance", &money(statement.closing_minor), true);
    document.gap(10.0);
    document.line("Sales are goods after commission, and shipping. Each line is an entry of the ledger; the CSV names it.");
    document.finish()
}

fn csv(statement: &Statement) -> Result<Vec<u8>, Error> {
    let money = |minor| Money::new(minor, statement.currency).decimal();
    let currency = statement.currency.to_string();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(CSV_HEADER).map_err(Error::unreadable)?;
    let balance = |what: &str, at: kit_core::Time, minor: i64| {
        [
            String::new(),
            at.to_rfc3339(),
            what.to_owned(),
            String::new(),
            money(minor),
            currency.clone(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]
    };
    csv.write_record(balance("opening", statement.from, statement.opening_minor)).map_err(Error::unreadable)?;
    for line in &statement.lines {
        let record = [
            line.number.to_string(),
            line.at.to_rfc3339(),
            line.kind.clone(),
            money(line.amount_minor),
            money(line.balance_minor),
            currency.clone(),
            line.order_id.map(|id| OrderId::from(id).to_string()).unwrap_or_default(),
            line.sub_order_id.map(|id| SubOrderId::from(id).to_string()).unwrap_or_default(),
            line.payout_id.map(|id| PayoutId::from(id).to_string()).unwrap_or_default(),
            EntryId::from(line.entry_id).to_string(),
        ];
        csv.write_record(record).map_err(Error::unreadable)?;
    }
    csv.write_record(balance("closing", statement.to, statement.closing_minor)).map_err(Error::unreadable)?;
    csv.into_inner().map_err(Error::unreadable)
}
