//! Weights and lengths as feeds write them, in whole grams and millimetres. Exact integer arithmetic, rounded half up at the end.

use super::product::Dimensions;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WeightUnit {
    Gram,
    Kilogram,
    Pound,
    Ounce,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LengthUnit {
    Millimetre,
    Centimetre,
    Metre,
    Inch,
}

impl WeightUnit {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word.trim().trim_end_matches('.').to_lowercase().as_str() {
            "g" | "gr" | "gram" | "grams" => Self::Gram,
            "kg" | "kgs" | "kilogram" | "kilograms" => Self::Kilogram,
            "lb" | "lbs" | "pound" | "pounds" => Self::Pound,
            "oz" | "ounce" | "ounces" => Self::Ounce,
            _ => return None,
        })
    }

    /// Micrograms in one, exact by definition (1 lb = 453.59237 g).
    const fn micrograms(self) -> u128 {
        match self {
            Self::Gram => 1_000_000,
            Self::Kilogram => 1_000_000_000,
            Self::Pound => 453_592_370,
            Self::Ounce => 28_349_523,
        }
    }
}

impl LengthUnit {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word.trim().trim_end_matches('.').to_lowercase().as_str() {
            "mm" | "millimetres" | "millimeters" => Self::Millimetre,
            "cm" | "centimetres" | "centimeters" => Self::Centimetre,
            "m" | "metres" | "meters" => Self::Metre,
            "in" | "inch" | "inches" | "\"" | "''" | "”" => Self::Inch,
            _ => return None,
        })
    }

    const fn micrometres(self) -> u128 {
        match self {
            Self::Millimetre => 1_000,
            Self::Centimetre => 10_000,
            Self::Metre => 1_000_000,
            Self::Inch => 25_400,
        }
    }
}

pub(crate) const MAX_GRAMS: u32 = 10_000_000;
pub(crate) const MAX_MM: u32 = 100_000;

/// "1.1", "2 kg", "3.5lbs" in grams. `None`: cannot be read.
pub(crate) fn grams(text: &str, unit: WeightUnit) -> Option<u32> {
    let (number, word) = number_and_word(text)?;
    let unit = if word.is_empty() { unit } else { WeightUnit::parse(word)? };
    scaled(number, unit.micrograms(), 1_000_000).filter(|grams| *grams <= MAX_GRAMS)
}

/// "12", "3.5 in" in millimetres.
pub(crate) fn millimetres(text: &str, unit: LengthUnit) -> Option<u32> {
    let (number, word) = number_and_word(text)?;
    let unit = if word.is_empty() { unit } else { LengthUnit::parse(word)? };
    scaled(number, unit.micrometres(), 1_000).filter(|mm| *mm <= MAX_MM)
}

/// "7.6 x 4.8 x 1.4 inches": length, width and, when there is a third, height.
pub(crate) fn dimensions(text: &str, unit: LengthUnit) -> Option<Dimensions> {
    let lower = text.trim().to_lowercase().replace(['×', '*'], "x");
    let parts: Vec<&str> = lower.split('x').map(str::trim).collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    // One unit behind the last number holds for all of them.
    let (_, word) = number_and_word(parts.last()?)?;
    let unit = if word.is_empty() { unit } else { LengthUnit::parse(word)? };
    let mut sides = parts.iter().map(|part| millimetres(part, unit));
    Some(Dimensions { length_mm: sides.next()??, width_mm: sides.next()??, height_mm: sides.next().unwrap_or(Some(0))? })
}

/// The number in millionths and what follows it.
fn number_and_word(text: &str) -> Option<(u128, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (number, word) = text.split_at_checked(end)?;
    let number = number.replace(',', ".");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let readable = !(whole.is_empty() && fraction.is_empty()) && whole.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit());
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(6).collect();
    let millionths = if readable { format!("{whole}{fraction}").parse().ok()? } else { return None };
    Some((millionths, word.trim()))
}

/// millionths × factor ÷ (per × a million), rounded half up.
fn scaled(millionths: u128, factor: u128, per: u128) -> Option<u32> {
    let divisor = per * 1_000_000;
    u32::try_from((millionths * factor + divisor / 2) / divisor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_grams() {
        assert_eq!(grams("1", WeightUnit::Pound), Some(454));
        assert_eq!(grams("1.1 kg", WeightUnit::Pound), Some(1100));
        assert_eq!(grams("0,5kg", WeightUnit::Gram), Some(500));
        assert_eq!(grams("2.6", WeightUnit::Pound), Some(1179));
        for wrong in ["", "heavy", "1 3", "1.2.3", "-1", "99999999999", "1 stone"] {
            assert_eq!(grams(wrong, WeightUnit::Gram), None, "{wrong}");
        }
    }

    #[test]
    fn dimensions_become_millimetres() {
        let read = |text| dimensions(text, LengthUnit::Millimetre).map(|d| (d.length_mm, d.width_mm, d.height_mm));
        assert_eq!(read("7.6 x 4.8 x 1.4 inches"), Some((193, 122, 36)));
        assert_eq!(read("10 × 20 cm"), Some((100, 200, 0)));
        assert_eq!(read("1 x 2 x 3"), Some((1, 2, 3)));
        for wrong in ["", "7.6 inches", "1 x 2 x 3 x 4 cm", "a x b x c", "1 x x 3"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
