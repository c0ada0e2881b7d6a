//! Which font writes a letter: DejaVu Sans for Latin, Greek, Cyrillic, Arabic, Hebrew and more, kept in the program; for what it lacks
//! (Chinese, Japanese, Korean, Indic scripts …) the fonts installed on the machine.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use fontdb::Database;
use krilla::text::Font;
use ttf_parser::Face;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Weight {
    Plain,
    Bold,
}

/// A font with its measures. Fonts live as long as the process.
pub(crate) struct Typeface {
    pub(crate) font: Font,
    face: Face<'static>,
}

impl Typeface {
    fn new(data: &'static [u8], index: u32) -> Option<Self> {
        Some(Self { font: Font::new(data.into(), index)?, face: Face::parse(data, index).ok()? })
    }

    fn covers(&self, letter: char) -> bool {
        self.face.glyph_index(letter).is_some()
    }

    fn width(&self, text: &str) -> f32 {
        let advance = |letter| self.face.glyph_index(letter).and_then(|glyph| self.face.glyph_hor_advance(glyph)).unwrap_or_default();
        text.chars().map(|letter| f32::from(advance(letter))).sum::<f32>() / f32::from(self.face.units_per_em())
    }
}

static PLAIN: LazyLock<Option<Typeface>> = LazyLock::new(|| Typeface::new(dejavu::sans_condensed::regular(), 0));
static BOLD: LazyLock<Option<Typeface>> = LazyLock::new(|| Typeface::new(dejavu::sans_condensed::bold(), 0));

fn own(weight: Weight) -> Option<&'static Typeface> {
    match weight {
        Weight::Plain => PLAIN.as_ref(),
        Weight::Bold => BOLD.as_ref(),
    }
}

/// The machine's fonts, and the ones found so far for letters our own lack.
struct Installed {
    fonts: Database,
    loaded: HashMap<fontdb::ID, Option<&'static Typeface>>,
    by_letter: HashMap<char, Option<&'static Typeface>>,
}

impl Installed {
    fn find(&mut self, letter: char) -> Option<&'static Typeface> {
        if let Some(known) = self.by_letter.get(&letter) {
            return *known;
        }
        let found = self.first_covering(letter);
        self.by_letter.insert(letter, found);
        found
    }

    fn first_covering(&mut self, letter: char) -> Option<&'static Typeface> {
        let covering = self.fonts.faces().map(|face| face.id).find(|id| {
            let covers = |data: &[u8], index| Face::parse(data, index).is_ok_and(|face| face.glyph_index(letter).is_some());
            self.fonts.with_face_data(*id, covers).unwrap_or(false)
        })?;
        let fonts = &self.fonts;
        *self.loaded.entry(covering).or_insert_with(|| {
            let (data, index) = fonts.with_face_data(covering, |data, index| (data.to_vec(), index))?;
            Typeface::new(data.leak(), index).map(|face| &*Box::leak(Box::new(face)))
        })
    }
}

static INSTALLED: LazyLock<Mutex<Installed>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_system_fonts();
    Mutex::new(Installed { fonts, loaded: HashMap::new(), by_letter: HashMap::new() })
});

fn for_letter(letter: char, weight: Weight) -> Option<&'static Typeface> {
    let own = own(weight)?;
    if own.covers(letter) {
        return Some(own);
    }
    // What no font has is drawn as our own font's empty box.
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner).find(letter).or(Some(own))
}

/// Hebrew, Arabic and their neighbours.
fn right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}

/// The text in pieces of one font and one direction, each with its place from the start and its width at size 1.
pub(crate) struct Run<'t> {
    pub(crate) typeface: &'static Typeface,
    pub(crate) text: &'t str,
    pub(crate) width: f32,
}

pub(crate) fn runs(text: &str, weight: Weight) -> Vec<Run<'_>> {
    let mut starts: Vec<(usize, &'static Typeface, bool)> = Vec::new();
    for (at, letter) in text.char_indices() {
        let Some(typeface) = for_letter(letter, weight) else { continue };
        match starts.last() {
            // A space belongs to the words around it.
            Some((_, last, _)) if letter == ' ' && last.covers(' ') => {}
            Some((_, last, direction)) if std::ptr::eq(*last, typeface) && *direction == right_to_left(letter) => {}
            _ => starts.push((at, typeface, right_to_left(letter))),
        }
    }
    let ends = starts.iter().skip(1).map(|(start, ..)| *start).chain([text.len()]);
    let piece = |((start, typeface, _), end): (&(usize, &'static Typeface, bool), usize)| {
        let text = text.get(*start..end).unwrap_or_default();
        Run { typeface, text, width: typeface.width(text) }
    };
    starts.iter().zip(ends).map(piece).collect()
}

pub(crate) fn width(text: &str, weight: Weight, size: f32) -> f32 {
    runs(text, weight).iter().map(|run| run.width).sum::<f32>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_many_countries_need_no_installed_font() {
        for name in ["Łódź", "Škoda", "Œuvre", "Ελλάδα", "Київ", "שלום", "محمد", "Nguyễn", "İstanbul", "№ 5 – €"] {
            assert!(name.chars().all(|letter| own(Weight::Plain).unwrap().covers(letter)), "{name}");
        }
    }

    #[test]
    fn directions_are_written_apart() {
        let pieces = runs("Box 12 شارع", Weight::Plain);
        assert_eq!(pieces.iter().map(|run| run.text).collect::<Vec<_>>(), ["Box 12 ", "شارع"]);
        assert!(runs("", Weight::Bold).is_empty());
    }

    #[test]
    fn digits_are_of_one_width_so_that_columns_stand() {
        assert!((width("111.11", Weight::Plain, 9.0) - width("888.88", Weight::Plain, 9.0)).abs() < 0.01);
        assert!(width("W", Weight::Bold, 9.0) > width("W", Weight::Plain, 9.0));
    }
}
