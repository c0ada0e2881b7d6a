//! Text with a form: parsed once at the boundary, valid by construction inside.

use std::fmt;
use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(pub &'static str);

/// Whether a text has anything to be seen: neither white space nor what Unicode draws nothing for (Default_Ignorable_Code_Point, the
/// Braille blank, interlinear marks).
pub fn is_visible(text: &str) -> bool {
    let ignorable = |c: char| {
        matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
    };
    text.chars().any(|c| !c.is_whitespace() && !c.is_control() && !ignorable(c))
}

/// An e-mail address, lower-cased, so that one person has one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(String);

/// A seller's stock keeping unit: 1 to 64 visible characters, unique within the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sku(String);

/// A word for an address: lower-case letters, digits and single hyphens, 2 to 63 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(String);

impl FromStr for Email {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let text = text.trim();
        let invalid = InvalidText("must be an e-mail address like name@example.com");
        let (local, domain) = text.rsplit_once('@').ok_or(invalid.clone())?;
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '@' && c != ',' && c != '<' && c != '>')
        };
        let domain_fits = domain.contains('.') && domain.split('.').all(|label| !label.is_empty()) && domain.len() <= 253;
        if text.len() <= 254 && local.len() <= 64 && plain(local) && plain(domain) && domain_fits {
            Ok(Self(text.to_lowercase()))
        } else {
            Err(invalid)
        }
    }
}

impl FromStr for Sku {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let text = text.trim();
        let fits = !text.is_empty() && text.chars().count() <= 64 && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidText("must be 1 to 64 visible characters")) }
    }
}

impl FromStr for Slug {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let tidy = !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
        if plain && tidy && (2..=63).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidText("must be 2 to 63 lower-case letters, digits and single hyphens"))
        }
    }
}

impl Slug {
    /// The nearest slug to any text ("Anna's Mugs & Co" → "anna-s-mugs-co"); `None` when nothing usable is left.
    pub fn from_name(name: &str) -> Option<Self> {
        let mut slug = String::new();
        for c in name.to_lowercase().chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
            if slug.len() >= 60 {
                break;
            }
        }
        slug.trim_end_matches('-').parse().ok()
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl Sku {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl Slug {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_are_checked_and_lowered() {
        assert_eq!("  Ann@Example.COM ".parse::<Email>().unwrap().as_str(), "ann@example.com");
        for wrong in ["", "ann", "ann@", "@example.com", "ann@example", "a b@example.com", "a@b@", "ann@example..com"] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn slugs_come_from_names() {
        assert_eq!(Slug::from_name("Anna's Mugs & Co").unwrap().as_str(), "anna-s-mugs-co");
        assert_eq!(Slug::from_name("—"), None);
        assert!("Anna".parse::<Slug>().is_err());
    }
}
