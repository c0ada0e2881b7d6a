//! What an uploaded file is (format, encoding, delimiter, columns) and its rows.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::Cursor;

use calamine::{Data, Reader, Xlsx};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    Csv,
    Xlsx,
    Jsonl,
}

impl Format {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
            Self::Jsonl => "jsonl",
        }
    }
}

/// How to read a file; found once at upload and kept with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub format: Format,
    /// For CSV: `,`, `;`, tab or `|`.
    pub delimiter: u8,
    /// The label of the encoding.
    pub encoding: String,
    pub columns: Vec<String>,
}

/// One row of data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line on which it starts; the header is line 1.
    pub line: u32,
    /// One cell for each column, or why the row has none.
    pub cells: Result<Vec<String>, RowFault>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RowFault {
    #[error("has {found} cells where the header has {expected}")]
    Ragged { found: usize, expected: usize },
    #[error(
        "a quotation mark opened on line {opened} is not closed in its row: all up to line {reached} was read as one cell; close it, and double quotation marks inside a cell"
    )]
    OpenQuote { opened: u32, reached: u32 },
    #[error("was read into the cell whose quotation mark opened on line {0}")]
    Swallowed(u32),
    #[error("{0}")]
    Unreadable(String),
}

const DELIMITERS: [u8; 4] = *b",;\t|";
/// How much of a file is looked at to find its delimiter.
const SAMPLE_BYTES: usize = 256 << 10;
const SAMPLE_ROWS: usize = 200;
const MAX_COLUMNS: usize = 500;
/// A cell with more line breaks than this is taken for a quote that nobody closed.
const CELL_LINES: u32 = 500;

/// Recognises a file; the error tells the seller what it is instead and what to do.
pub(crate) fn recognise(content: &[u8]) -> Result<Shape, String> {
    if content.iter().all(u8::is_ascii_whitespace) {
        return Err("the file is empty".to_owned());
    }
    if let Some(known) = not_a_feed(content) {
        return Err(known.to_owned());
    }
    if content.starts_with(b"PK\x03\x04") {
        let columns = check_header(sheet(content)?.first().cloned().unwrap_or_default())?;
        return Ok(Shape { format: Format::Xlsx, delimiter: b',', encoding: UTF_8.name().to_lowercase(), columns });
    }
    let encoding = find_encoding(content)?;
    let text = decode(content, encoding);
    if text.trim().is_empty() {
        return Err("the file is empty".to_owned());
    }
    if let Some(c) = text.chars().take(SAMPLE_BYTES).find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{c}')) {
        return Err(format!("the file is not text: it holds the control character U+{:04X}", u32::from(c)));
    }
    let encoding = encoding.name().to_lowercase();
    if text.trim_start().starts_with('{') {
        let columns = json_columns(&text)?;
        return Ok(Shape { format: Format::Jsonl, delimiter: b',', encoding, columns });
    }
    let delimiter = find_delimiter(&text)?;
    let header = csv_reader(text.as_bytes(), delimiter).into_records().next();
    let header = header.and_then(Result::ok).ok_or("the file has no header line")?;
    let columns = check_header(header.iter().map(|cell| cell.trim().to_owned()).collect())?;
    Ok(Shape { format: Format::Csv, delimiter, encoding, columns })
}

/// Files of other kinds that sellers send by mistake.
fn not_a_feed(content: &[u8]) -> Option<&'static str> {
    const KNOWN: [(&[u8], &str); 9] = [
        (b"\x89PNG", "this is a PNG picture, not a feed: upload a CSV, Excel (.xlsx) or JSON lines file"),
        (b"\xff\xd8\xff", "this is a JPEG picture, not a feed: upload a CSV, Excel (.xlsx) or JSON lines file"),
        (b"GIF8", "this is a GIF picture, not a feed: upload a CSV, Excel (.xlsx) or JSON lines file"),
        (b"%PDF", "this is a PDF document, not a feed: upload a CSV, Excel (.xlsx) or JSON lines file"),
        (b"\x1f\x8b", "this is a gzip archive: unpack it and upload the file inside"),
        (b"\x28\xb5\x2f\xfd", "this is a zstd archive: unpack it and upload the file inside"),
        (b"Rar!", "this is a RAR archive: unpack it and upload the file inside"),
        (b"7z\xbc\xaf", "this is a 7z archive: unpack it and upload the file inside"),
        (b"\xd0\xcf\x11\xe0", "this is an old Excel file (.xls): save it as .xlsx or CSV and upload that"),
    ];
    let web = content.get(..64).is_some_and(|start| {
        let start = String::from_utf8_lossy(start).trim_start().to_lowercase();
        start.starts_with("<!doctype") || start.starts_with("<html") || start.starts_with("<?xml")
    });
    let by_magic = KNOWN.iter().find(|(magic, _)| content.starts_with(magic)).map(|(_, message)| *message);
    by_magic.or_else(|| web.then_some("this is a web page or XML, not a feed: upload a CSV, Excel (.xlsx) or JSON lines file"))
}

fn find_encoding(content: &[u8]) -> Result<&'static Encoding, String> {
    if let Some((encoding, _)) = Encoding::for_bom(content) {
        return Ok(encoding);
    }
    if std::str::from_utf8(content).is_ok() {
        return Ok(UTF_8);
    }
    let zeros = content.iter().take(SAMPLE_BYTES).filter(|b| **b == 0).count();
    if zeros > 0 {
        return Err("the file is not text: it holds zero bytes (save UTF-16 files with a byte order mark, or as UTF-8)".to_owned());
    }
    // Mostly good UTF-8 with a few broken places is damaged UTF-8; reading it as Latin-1 would garble every good letter.
    let (mut good, mut broken, mut first, mut seen) = (0usize, 0usize, None, 0usize);
    for chunk in content.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        seen += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            broken += 1;
            first.get_or_insert(seen);
        }
        seen += chunk.invalid().len();
    }
    if good > broken * 4 {
        let line = 1 + content.iter().take(first.unwrap_or_default()).filter(|b| **b == b'\n').count();
        return Err(format!("line {line} holds a byte that is not UTF-8, as the rest of the file is: save the file again as UTF-8"));
    }
    Ok(WINDOWS_1252)
}

fn decode<'c>(content: &'c [u8], encoding: &'static Encoding) -> Cow<'c, str> {
    encoding.decode(content).0
}

fn encoding_of(label: &str) -> &'static Encoding {
    [UTF_8, UTF_16LE, UTF_16BE, WINDOWS_1252].into_iter().find(|known| known.name().eq_ignore_ascii_case(label)).unwrap_or(UTF_8)
}

/// The delimiter under which the most of the first rows have as many cells as the header, and the header has most.
fn find_delimiter(text: &str) -> Result<u8, String> {
    let mut end = text.len().min(SAMPLE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let sample = text.get(..end).unwrap_or(text);
    let mut best: Option<(usize, usize, u8)> = None;
    for delimiter in DELIMITERS {
        let mut rows = csv_reader(sample.as_bytes(), delimiter).into_records().filter_map(Result::ok);
        let width = rows.next().map_or(0, |header| header.len());
        if width < 2 {
            continue;
        }
        let (mut same, mut all) = (0usize, 0usize);
        for row in rows.take(SAMPLE_ROWS) {
            all += 1;
            same += usize::from(row.len() == width);
        }
        let fit = (same * 1000).checked_div(all).unwrap_or(1000);
        if best.is_none_or(|(known_fit, known_width, _)| (fit, width) > (known_fit, known_width)) {
            best = Some((fit, width, delimiter));
        }
    }
    best.map(|(_, _, delimiter)| delimiter)
        .ok_or_else(|| "only one column was found: columns must be separated by comma, semicolon, tab or |".to_owned())
}

/// A header names every column once and does not look like data.
fn check_header(header: Vec<String>) -> Result<Vec<String>, String> {
    let mut header: Vec<String> = header
        .iter()
        .map(|name| name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
        .collect();
    while header.last().is_some_and(String::is_empty) {
        header.pop();
    }
    if header.len() < 2 {
        return Err("only one column was found: the first line must name at least two columns".to_owned());
    }
    if header.len() > MAX_COLUMNS {
        return Err(format!("the header has {} columns; at most {MAX_COLUMNS} are accepted", header.len()));
    }
    let mut seen = HashSet::new();
    for (index, name) in header.iter().enumerate() {
        let place = index + 1;
        if name.is_empty() {
            return Err(format!("the first line must be the header: column {place} has no name"));
        }
        if name.chars().count() > 200 {
            return Err(format!("the first line must be the header: the name of column {place} is longer than 200 characters"));
        }
        if name.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '$' | ' ')) {
            return Err(format!("the header is missing: the first line looks like data (column {place} is \"{name}\")"));
        }
        if !seen.insert(name.as_str()) {
            return Err(format!("the column \"{name}\" is there twice: rename one"));
        }
    }
    Ok(header)
}

fn csv_reader(text: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(text)
}

/// Calls `each` for every row, in order, until it answers false.
pub(crate) fn rows(content: &[u8], shape: &Shape, mut each: impl FnMut(Row) -> bool) -> Result<(), String> {
    match shape.format {
        Format::Csv => {
            let text = decode(content, encoding_of(&shape.encoding));
            csv_rows(&text, shape, &mut each);
            Ok(())
        }
        Format::Jsonl => {
            let text = decode(content, encoding_of(&shape.encoding));
            json_rows(&text, shape, &mut each);
            Ok(())
        }
        Format::Xlsx => {
            for (index, cells) in sheet(content)?.into_iter().enumerate().skip(1) {
                let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
                if cells.iter().all(String::is_empty) {
                    continue;
                }
                if !each(Row { line, cells: fit(cells, shape.columns.len(), true) }) {
                    break;
                }
            }
            Ok(())
        }
    }
}

fn csv_rows(text: &str, shape: &Shape, each: &mut impl FnMut(Row) -> bool) {
    let mut reader = csv_reader(text.as_bytes(), shape.delimiter);
    let mut record = csv::StringRecord::new();
    let mut header = true;
    loop {
        let (line, byte) = (reader.position().line(), usize::try_from(reader.position().byte()).unwrap_or(usize::MAX));
        let read = reader.read_record(&mut record);
        // The reader counts blank lines to the record behind them; a person looks for the line with text on it.
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let raw = text.get(byte..end.min(text.len())).unwrap_or_default();
        let begun = raw.trim_start_matches(['\r', '\n']);
        let blank = raw.len() - begun.len();
        let line = u32::try_from(line).unwrap_or(u32::MAX).saturating_add(breaks(raw.get(..blank).unwrap_or_default()));
        let cells = match read {
            Ok(false) => return,
            Ok(true) if header => {
                header = false;
                continue;
            }
            Ok(true) => {
                let cells = fit(record.iter().map(str::to_owned).collect(), shape.columns.len(), false);
                match open_quote(begun, shape.delimiter, cells.is_ok()) {
                    Some(opened) => Err(open_quote_at(line, begun, opened)),
                    None => cells,
                }
            }
            Err(error) => Err(RowFault::Unreadable(error.to_string())),
        };
        let open = match &cells {
            Err(RowFault::OpenQuote { opened, .. }) => Some(*opened),
            _ => None,
        };
        if !each(Row { line, cells }) {
            return;
        }
        // Each line that was read into the open cell is told as well, so that no row of the file is missing from the sums.
        for (below, _) in begun.lines().enumerate().skip(1).filter(|(_, text)| open.is_some() && !text.trim().is_empty()) {
            let line = line.saturating_add(u32::try_from(below).unwrap_or(u32::MAX));
            if !each(Row { line, cells: Err(RowFault::Swallowed(open.unwrap_or(line))) }) {
                return;
            }
        }
    }
}

/// Where in a record of several lines a quotation mark stands that its cell does not close: behind the closing one neither a delimiter
/// nor the line ends, or there is none, or the cell is longer than any, or it makes the row unfit.
fn open_quote(record: &str, delimiter: u8, fits: bool) -> Option<usize> {
    let bytes = record.as_bytes();
    if breaks(record.trim_end()) == 0 {
        return None;
    }
    let (mut at, mut begins) = (0, true);
    while let Some(byte) = bytes.get(at) {
        if !begins || *byte != b'"' {
            begins = *byte == delimiter || *byte == b'\n';
            at += 1;
            continue;
        }
        let closed = closing(bytes, at);
        let lines = breaks(record.get(at..closed.unwrap_or(bytes.len())).unwrap_or_default());
        let behind = closed.and_then(|closed| bytes.get(closed + 1));
        let clean = closed.is_some() && behind.is_none_or(|byte| *byte == delimiter || matches!(byte, b'\r' | b'\n'));
        if lines > 0 && (!clean || !fits || lines > CELL_LINES) {
            return Some(at);
        }
        at = closed.unwrap_or(bytes.len()) + 1;
        begins = false;
    }
    None
}

/// The quotation mark that closes the one at `opened`: the next that is not doubled.
fn closing(bytes: &[u8], opened: usize) -> Option<usize> {
    let mut at = opened + 1;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'"')?;
        if bytes.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

fn open_quote_at(line: u32, record: &str, opened: usize) -> RowFault {
    let (before, all) = (breaks(record.get(..opened).unwrap_or_default()), breaks(record.trim_end()));
    RowFault::OpenQuote { opened: line.saturating_add(before), reached: line.saturating_add(all) }
}

fn breaks(text: &str) -> u32 {
    u32::try_from(text.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(u32::MAX)
}

/// As many cells as columns: empty ones too many are dropped; a row too short is refused unless `pad`.
fn fit(mut cells: Vec<String>, columns: usize, pad: bool) -> Result<Vec<String>, RowFault> {
    while cells.len() > columns && cells.last().is_some_and(|cell| cell.trim().is_empty()) {
        cells.pop();
    }
    if pad && cells.len() < columns {
        cells.resize(columns, String::new());
    }
    if cells.len() == columns { Ok(cells) } else { Err(RowFault::Ragged { found: cells.len(), expected: columns }) }
}

fn sheet(content: &[u8]) -> Result<Vec<Vec<String>>, String> {
    let not_excel = |_| "this is a zip archive without an Excel workbook in it: unpack it and upload the file inside".to_owned();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(content)).map_err(not_excel)?;
    let range =
        book.worksheet_range_at(0).ok_or("the Excel file has no sheet")?.map_err(|error| format!("the first sheet cannot be read: {error}"))?;
    let (above, left) = range.start().unwrap_or_default();
    if above > 0 || left > 0 {
        return Err(format!("the first sheet must begin with the header in cell A1; it begins in row {}, column {}", above + 1, left + 1));
    }
    Ok(range.rows().map(|row| row.iter().map(cell_text).collect()).collect())
}

fn cell_text(cell: &Data) -> String {
    match cell {
        Data::Empty | Data::Error(_) => String::new(),
        // Excel keeps 12.99 as a binary fraction; Rust's shortest text for it is "12.99" again.
        Data::Float(number) => number.to_string(),
        other => other.to_string().trim().to_owned(),
    }
}

fn json_columns(text: &str) -> Result<Vec<String>, String> {
    let mut columns = Vec::new();
    let mut known = HashSet::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line) {
            Ok(object) => columns.extend(object.keys().filter(|key| known.insert((*key).clone())).cloned()),
            // The first line decides whether it is JSON lines at all; a later one is an error of its row.
            Err(error) if columns.is_empty() => return Err(format!("line {}: not a JSON object: {error}", index + 1)),
            Err(_) => {}
        }
        if let Some(column) = columns.iter().find(|column| column.is_empty() || column.chars().any(char::is_control)) {
            return Err(format!("line {}: the key {column:?} cannot be a column", index + 1));
        }
        if columns.len() > MAX_COLUMNS {
            return Err(format!("the objects have more than {MAX_COLUMNS} different keys"));
        }
    }
    Ok(columns)
}

fn json_rows(text: &str, shape: &Shape, each: &mut impl FnMut(Row) -> bool) {
    let places: HashMap<&str, usize> = shape.columns.iter().enumerate().map(|(place, column)| (column.as_str(), place)).collect();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let cells = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line).map(|object| {
            let mut cells = vec![String::new(); shape.columns.len()];
            for (key, value) in object {
                if let Some(cell) = places.get(key.as_str()).and_then(|place| cells.get_mut(*place)) {
                    *cell = json_text(value);
                }
            }
            cells
        });
        let cells = cells.map_err(|error| RowFault::Unreadable(format!("not a JSON object: {error}")));
        if !each(Row { line: u32::try_from(index + 1).unwrap_or(u32::MAX), cells }) {
            return;
        }
    }
}

fn json_text(value: serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        serde_json::Value::Array(items) => items.into_iter().map(json_text).collect::<Vec<_>>().join("|"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(content: &[u8]) -> (Shape, Vec<Row>) {
        let shape = recognise(content).unwrap();
        let mut found = Vec::new();
        rows(content, &shape, |row| {
            found.push(row);
            true
        })
        .unwrap();
        (shape, found)
    }

    fn refusal(content: &[u8]) -> String {
        recognise(content).unwrap_err()
    }

    #[test]
    fn delimiters_and_encodings_are_found() {
        for (text, delimiter) in [("id,name\n1,a b", b','), ("id;name\n1;a,b\n2;c,d", b';'), ("id\tname\n1\ta", b'\t'), ("id|name|x\n1|a|b", b'|')] {
            assert_eq!(recognise(text.as_bytes()).unwrap().delimiter, delimiter, "{text}");
        }
        let (shape, found) = read(b"\xef\xbb\xbfid,name\r\n1,caf\xc3\xa9\r\n");
        assert_eq!((shape.columns[0].as_str(), shape.encoding.as_str()), ("id", "utf-8"));
        assert_eq!(found[0].cells.as_ref().unwrap()[1], "café");
        let (shape, found) = read(b"id,name\n1,caf\xe9 \x80 5");
        assert_eq!(shape.encoding, "windows-1252");
        assert_eq!(found[0].cells.as_ref().unwrap()[1], "café € 5");
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("id,name\n1,x".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&utf16).1[0].cells.as_ref().unwrap()[1], "x");
    }

    #[test]
    fn rows_keep_their_lines_and_faults() {
        let (_, found) = read(b"id,name\n1,\"say \"\"hi\"\", ok\"\n\n2,\"two\nlines\"\n3\n4,x,y\n5,z,,\n");
        let lines: Vec<u32> = found.iter().map(|row| row.line).collect();
        assert_eq!(lines, [2, 4, 6, 7, 8]);
        assert_eq!(found[0].cells.as_ref().unwrap()[1], "say \"hi\", ok");
        assert_eq!(found[2].cells, Err(RowFault::Ragged { found: 1, expected: 2 }));
        assert_eq!(found[3].cells, Err(RowFault::Ragged { found: 3, expected: 2 }));
        assert!(found[4].cells.is_ok());
    }

    #[test]
    fn an_open_quotation_mark_is_named_and_every_line_it_swallowed_counts() {
        let faults = |text: &str| -> Vec<(u32, RowFault)> {
            read(text.as_bytes()).1.into_iter().filter_map(|row| Some((row.line, row.cells.err()?))).collect()
        };
        let open = |opened, reached| RowFault::OpenQuote { opened, reached };
        // To a later cell's mark, to the end of the file (where the cells even fit), from a second line on, in a row that closes too late.
        assert_eq!(
            faults("a,b,c,d\n1,\"x,2,3\n4,y,5,6\n7,\"z\",8,9\n10,w,1,2\n"),
            [(2, open(2, 4)), (3, RowFault::Swallowed(2)), (4, RowFault::Swallowed(2))]
        );
        assert_eq!(faults("a,b\n0,x\n1,\"x\n2,y\n\n3,z\n"), [(3, open(3, 6)), (4, RowFault::Swallowed(3)), (6, RowFault::Swallowed(3))]);
        assert_eq!(faults("a,b,c\n1,\"two\nlines\",\"x\n2,y,z\n"), [(2, open(3, 4)), (3, RowFault::Swallowed(3)), (4, RowFault::Swallowed(3))]);
        assert_eq!(faults("a,b,c\n1,\"x,2\n3,y\",4,5\n"), [(2, open(2, 3)), (3, RowFault::Swallowed(2))]);
        assert_eq!(faults(&format!("id,name\n1,\"open\n{}", "2,x\n".repeat(600))).len(), 601);
        assert_eq!(faults("a,b\n1,\"say \"\"hi\"\"\nand go\"\r\n2,\"x\"y\n"), []);
    }

    #[test]
    fn json_lines_and_excel_read_like_csv() {
        let (shape, found) = read(b"{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"tags\":[\"x\",\"y\"],\"price\":12.5}\nnonsense\n");
        assert_eq!(shape.columns, ["id", "name", "price", "tags"]);
        assert_eq!(found[1].cells.as_ref().unwrap(), &["2", "", "12.5", "x|y"]);
        assert!(found[2].cells.is_err());
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet();
        sheet.write_row(0, 0, ["id", "price"]).unwrap();
        sheet.write_number(1, 0, 7).unwrap();
        sheet.write_number(1, 1, 12.99).unwrap();
        let (shape, found) = read(&book.save_to_buffer().unwrap());
        assert_eq!(shape.format, Format::Xlsx);
        assert_eq!(found[0], Row { line: 2, cells: Ok(vec!["7".to_owned(), "12.99".to_owned()]) });
    }

    #[test]
    fn what_is_no_feed_is_told_clearly() {
        for (content, told) in [
            (&b""[..], "empty"),
            (b" \n\n", "empty"),
            (b"\x89PNG\r\n\x1a\n....", "PNG picture"),
            (b"PK\x03\x04 some zip", "zip archive"),
            (b"\xd0\xcf\x11\xe0", "old Excel"),
            (b"<!DOCTYPE html><html><body>not found</body></html> and more text to fill it up", "web page"),
            (b"just one column\nvalue\n", "one column"),
            (b"1,2.50,3\n4,5,6\n", "header is missing"),
            (b"id,,name\n1,2,3\n", "column 2 has no name"),
            (b"id,name,id\n1,2,3\n", "twice"),
            (b"id,name\n\x001,2", "not text"),
            (b"{\"id\": oops}\n", "line 1"),
        ] {
            assert!(refusal(content).contains(told), "{told}: {}", refusal(content));
        }
        let mut damaged = "id,name\n1,äöüßéèêàáâ\n2,x".to_owned().into_bytes();
        damaged.push(0xe9);
        assert!(refusal(&damaged).contains("line 3"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(content in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(shape) = recognise(&content) {
                let _ = rows(&content, &shape, |_| true);
            }
        }

        #[test]
        fn every_table_is_read_back(table in prop::collection::vec(prop::collection::vec("[a-z \",;\n|]{0,12}", 3), 1..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["first", "second", "third"]).unwrap();
            for row in &table { writer.write_record(row).unwrap(); }
            let content = writer.into_inner().unwrap();
            let shape = Shape { format: Format::Csv, delimiter: b',', encoding: "utf-8".to_owned(), columns: vec!["first".into(), "second".into(), "third".into()] };
            let mut found = Vec::new();
            rows(&content, &shape, |row| { found.push(row.cells.unwrap()); true }).unwrap();
            prop_assert_eq!(found, table);
        }
    }
}
