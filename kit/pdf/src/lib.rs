//! Plain business documents as PDF: headings, lines of text and tables on A4 pages. Fonts are the built-in Helvetica, so nothing is
//! embedded; letters outside Western European writing are shown as "?".

use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str};

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 56.0;
const PLAIN: Name<'static> = Name(b"F1");
const BOLD: Name<'static> = Name(b"F2");

/// Widths of Helvetica for the codes 32 to 126, in thousandths of the size, from Adobe's font metrics.
const HELVETICA: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584,
    584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667,
    611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500,
    722, 500, 500, 500, 334, 260, 334, 584,
];

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    /// Its share of the page's width.
    pub share: f32,
    pub right: bool,
}

/// A document being written, from top to bottom.
pub struct Document {
    title: String,
    pages: Vec<Content>,
    page: Content,
    y: f32,
}

impl Document {
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), pages: Vec::new(), page: Content::new(), y: HEIGHT - MARGIN }
    }

    pub fn heading(&mut self, text: &str) {
        self.advance(28.0);
        self.show(BOLD, 20.0, MARGIN, text);
        self.gap(6.0);
    }

    pub fn bold(&mut self, text: &str) {
        self.advance(15.0);
        self.show(BOLD, 10.0, MARGIN, text);
    }

    /// A line of text, cut where the page ends.
    pub fn line(&mut self, text: &str) {
        self.advance(14.0);
        self.show(PLAIN, 10.0, MARGIN, &fit(text, 10.0, WIDTH - 2.0 * MARGIN));
    }

    pub fn gap(&mut self, points: f32) {
        self.y -= points;
    }

    /// A table with a header that is repeated on every page.
    pub fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        self.table_header(columns);
        for row in rows {
            if self.y - 16.0 < MARGIN {
                self.new_page();
                self.table_header(columns);
            }
            self.advance(16.0);
            self.cells(PLAIN, columns, row.iter().map(String::as_str));
        }
        self.gap(8.0);
    }

    /// A label and an amount at the right edge, as under an invoice.
    pub fn sum(&mut self, label: &str, amount: &str, strong: bool) {
        self.advance(16.0);
        let font = if strong { BOLD } else { PLAIN };
        self.show(font, 10.0, WIDTH - MARGIN - 220.0, label);
        self.show(font, 10.0, WIDTH - MARGIN - width(amount, 10.0), amount);
    }

    /// The finished file.
    pub fn finish(mut self) -> Vec<u8> {
        let last = std::mem::replace(&mut self.page, Content::new());
        self.pages.push(last);
        let (catalog, tree, plain, bold, info) = (Ref::new(1), Ref::new(2), Ref::new(3), Ref::new(4), Ref::new(5));
        let count = i32::try_from(self.pages.len()).unwrap_or(i32::MAX);
        let page_ref = |index: i32| Ref::new(6 + index * 2);
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(tree);
        pdf.document_info(info).title(pdf_writer::TextStr(&self.title));
        pdf.pages(tree).kids((0..count).map(page_ref)).count(count);
        for (index, content) in (0..count).zip(self.pages) {
            let body = Ref::new(page_ref(index).get() + 1);
            let mut page = pdf.page(page_ref(index));
            page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(body);
            page.resources().fonts().pair(PLAIN, plain).pair(BOLD, bold);
            page.finish();
            pdf.stream(body, &content.finish());
        }
        pdf.type1_font(plain).base_font(Name(b"Helvetica")).encoding_predefined(Name(b"WinAnsiEncoding"));
        pdf.type1_font(bold).base_font(Name(b"Helvetica-Bold")).encoding_predefined(Name(b"WinAnsiEncoding"));
        pdf.finish()
    }

    fn table_header(&mut self, columns: &[Column]) {
        self.advance(18.0);
        self.cells(BOLD, columns, columns.iter().map(|column| column.title));
        self.page.set_line_width(0.7).move_to(MARGIN, self.y - 4.0).line_to(WIDTH - MARGIN, self.y - 4.0).stroke();
        self.gap(4.0);
    }

    fn cells<'t>(&mut self, font: Name<'static>, columns: &[Column], texts: impl Iterator<Item = &'t str>) {
        let usable = WIDTH - 2.0 * MARGIN;
        let shares: f32 = columns.iter().map(|column| column.share).sum();
        let mut x = MARGIN;
        for (column, text) in columns.iter().zip(texts) {
            let room = usable * column.share / shares;
            let text = fit(text, 9.0, room - 6.0);
            let start = if column.right { x + room - width(&text, 9.0) } else { x };
            self.show(font, 9.0, start, &text);
            x += room;
        }
    }

    fn advance(&mut self, points: f32) {
        if self.y - points < MARGIN {
            self.new_page();
        }
        self.y -= points;
    }

    fn new_page(&mut self) {
        let full = std::mem::replace(&mut self.page, Content::new());
        self.pages.push(full);
        self.y = HEIGHT - MARGIN;
    }

    fn show(&mut self, font: Name<'static>, size: f32, x: f32, text: &str) {
        self.page.begin_text().set_font(font, size).next_line(x, self.y).show(Str(&encoded(text))).end_text();
    }
}

/// The text in the encoding of the built-in fonts (Windows-1252, of which Latin-1 is the larger part).
fn encoded(text: &str) -> Vec<u8> {
    let byte = |c: char| match c {
        '€' => 0x80,
        '…' => 0x85,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '™' => 0x99,
        ' '..='~' | '\u{a0}'..='ÿ' => u8::try_from(u32::from(c)).unwrap_or(b'?'),
        _ => b'?',
    };
    text.chars().map(byte).collect()
}

fn width(text: &str, size: f32) -> f32 {
    let of = |byte: u8| byte.checked_sub(32).and_then(|index| HELVETICA.get(usize::from(index))).copied().unwrap_or(556);
    let thousandths: f32 = encoded(text).into_iter().map(|byte| f32::from(of(byte))).sum();
    thousandths * size / 1000.0
}

/// The text, cut with an ellipsis when it is wider than the room.
fn fit(text: &str, size: f32, room: f32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut cut: String = text.to_owned();
    while cut.pop().is_some() {
        if width(&cut, size) + width("…", size) <= room {
            break;
        }
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_goes_over_several_pages() {
        let mut document = Document::new("Invoice");
        document.heading("Invoice");
        let columns = [Column { title: "Item", share: 3.0, right: false }, Column { title: "Price", share: 1.0, right: true }];
        let rows: Vec<Vec<String>> = (0..120).map(|n| vec![format!("Mug № {n} – größer"), format!("{n}.00")]).collect();
        document.table(&columns, &rows);
        document.sum("Total", "12.00 EUR", true);
        let pdf = document.finish();
        assert!(pdf.starts_with(b"%PDF-"));
        let text = String::from_utf8_lossy(&pdf);
        assert!(text.contains("/Count 3"), "three pages");
    }

    #[test]
    fn text_is_cut_to_its_room() {
        assert_eq!(fit("short", 9.0, 100.0), "short");
        let cut = fit(&"very long title ".repeat(20), 9.0, 100.0);
        assert!(cut.ends_with('…') && width(&cut, 9.0) <= 100.0);
    }
}
