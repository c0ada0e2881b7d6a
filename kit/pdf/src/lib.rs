//! Plain business documents as PDF: headings, lines of text and tables on A4 pages, in whatever script people's names are written.

mod font;

use krilla::geom::{PathBuilder, Point};
use krilla::metadata::Metadata;
use krilla::page::PageSettings;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::text::TextDirection;

use font::{Weight, runs, width};

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const MARGIN: f32 = 56.0;

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    pub title: &'static str,
    /// Its share of the page's width.
    pub share: f32,
    pub right: bool,
}

/// What is put on a page, measured from its upper left corner.
enum Mark {
    Text { weight: Weight, size: f32, x: f32, y: f32, text: String },
    Rule { y: f32 },
}

/// A document being written, from top to bottom.
pub struct Document {
    title: String,
    pages: Vec<Vec<Mark>>,
    page: Vec<Mark>,
    y: f32,
}

impl Document {
    pub fn new(title: &str) -> Self {
        Self { title: title.to_owned(), pages: Vec::new(), page: Vec::new(), y: MARGIN }
    }

    pub fn heading(&mut self, text: &str) {
        self.advance(28.0);
        self.show(Weight::Bold, 20.0, MARGIN, text);
        self.gap(6.0);
    }

    pub fn bold(&mut self, text: &str) {
        self.advance(15.0);
        self.show(Weight::Bold, 10.0, MARGIN, text);
    }

    /// A line of text, cut where the page ends.
    pub fn line(&mut self, text: &str) {
        self.advance(14.0);
        self.show(Weight::Plain, 10.0, MARGIN, &fit(text, Weight::Plain, 10.0, WIDTH - 2.0 * MARGIN));
    }

    pub fn gap(&mut self, points: f32) {
        self.y += points;
    }

    /// A table with a header that is repeated on every page.
    pub fn table(&mut self, columns: &[Column], rows: &[Vec<String>]) {
        self.table_header(columns);
        for row in rows {
            if self.y + 16.0 > HEIGHT - MARGIN {
                self.new_page();
                self.table_header(columns);
            }
            self.advance(16.0);
            self.cells(Weight::Plain, columns, row.iter().map(String::as_str));
        }
        self.gap(8.0);
    }

    /// A label and an amount at the right edge, as under an invoice.
    pub fn sum(&mut self, label: &str, amount: &str, strong: bool) {
        self.advance(16.0);
        let font = if strong { Weight::Bold } else { Weight::Plain };
        self.show(font, 10.0, WIDTH - MARGIN - 220.0, label);
        self.show(font, 10.0, WIDTH - MARGIN - width(amount, font, 10.0), amount);
    }

    /// The finished file; empty when a page cannot be written, which no text can bring about.
    pub fn finish(mut self) -> Vec<u8> {
        self.new_page();
        let mut document = krilla::Document::new();
        document.set_metadata(Metadata::new().title(self.title));
        for marks in self.pages {
            let Some(settings) = PageSettings::from_wh(WIDTH, HEIGHT) else { continue };
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            for mark in marks {
                draw(&mut surface, &mark);
            }
            surface.finish();
            page.finish();
        }
        document.finish().unwrap_or_default()
    }

    fn table_header(&mut self, columns: &[Column]) {
        self.advance(18.0);
        self.cells(Weight::Bold, columns, columns.iter().map(|column| column.title));
        self.page.push(Mark::Rule { y: self.y + 4.0 });
        self.gap(4.0);
    }

    fn cells<'t>(&mut self, weight: Weight, columns: &[Column], texts: impl Iterator<Item = &'t str>) {
        let usable = WIDTH - 2.0 * MARGIN;
        let shares: f32 = columns.iter().map(|column| column.share).sum();
        let mut x = MARGIN;
        for (column, text) in columns.iter().zip(texts) {
            let room = usable * column.share / shares;
            let text = fit(text, weight, 9.0, room - 6.0);
            let start = if column.right { x + room - width(&text, weight, 9.0) } else { x };
            self.show(weight, 9.0, start, &text);
            x += room;
        }
    }

    fn advance(&mut self, points: f32) {
        if self.y + points > HEIGHT - MARGIN {
            self.new_page();
        }
        self.y += points;
    }

    fn new_page(&mut self) {
        self.pages.push(std::mem::take(&mut self.page));
        self.y = MARGIN;
    }

    fn show(&mut self, weight: Weight, size: f32, x: f32, text: &str) {
        self.page.push(Mark::Text { weight, size, x, y: self.y, text: text.to_owned() });
    }
}

fn draw(surface: &mut Surface<'_>, mark: &Mark) {
    match mark {
        Mark::Text { weight, size, x, y, text } => {
            surface.set_stroke(None);
            surface.set_fill(Some(Fill::default()));
            let mut x = *x;
            for run in runs(text, *weight) {
                surface.draw_text(Point::from_xy(x, *y), run.typeface.font.clone(), *size, run.text, false, TextDirection::Auto);
                x += run.width * size;
            }
        }
        Mark::Rule { y } => {
            let mut line = PathBuilder::new();
            line.move_to(MARGIN, *y);
            line.line_to(WIDTH - MARGIN, *y);
            surface.set_fill(None);
            surface.set_stroke(Some(Stroke { width: 0.7, ..Stroke::default() }));
            if let Some(line) = line.finish() {
                surface.draw_path(&line);
            }
        }
    }
}

/// The text, cut with an ellipsis when it is wider than the room.
fn fit(text: &str, weight: Weight, size: f32, room: f32) -> String {
    if width(text, weight, size) <= room {
        return text.to_owned();
    }
    let mut cut: String = text.to_owned();
    while cut.pop().is_some() {
        if width(&cut, weight, size) + width("…", weight, size) <= room {
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
        assert!(pdf.len() < 60_000, "only the letters used are embedded, not {} bytes", pdf.len());
    }

    #[test]
    fn text_is_cut_to_its_room() {
        assert_eq!(fit("short", Weight::Plain, 9.0, 100.0), "short");
        let cut = fit(&"very long title ".repeat(20), Weight::Plain, 9.0, 100.0);
        assert!(cut.ends_with('…') && width(&cut, Weight::Plain, 9.0) <= 100.0);
    }
}
