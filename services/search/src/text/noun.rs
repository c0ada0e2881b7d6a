//! What a title says the thing is: "Projector Lamp" is a lamp, "Laptop Case for MacBook" a case.

use super::{fold, stem};

/// Words that begin something said about the thing.
const BREAKS: [&str; 18] =
    ["for", "with", "in", "by", "from", "to", "of", "on", "and", "or", "w", "without", "fits", "compatible", "incl", "including", "featuring", "per"];

/// Words that say how a thing is, not what; titles end with them.
const QUALITIES: [&str; 32] = [
    "black", "white", "silver", "red", "blue", "green", "grey", "gray", "pink", "yellow", "gold", "purple", "orange", "brown", "beige", "small",
    "medium", "large", "xs", "xl", "xxl", "mini", "pack", "kit", "set", "pcs", "eu", "us", "uk", "pro", "plus", "new",
];

/// The stem of the noun that heads the title: the last word of its first part that is neither a number nor a quality.
pub(crate) fn head(title: &str) -> Option<String> {
    let mut head: Option<String> = None;
    for piece in fold(title).split_whitespace() {
        let word = piece.trim_matches(|c: char| !c.is_alphanumeric());
        let opens = piece.starts_with(['(', '[', '|', '&', '/', '-', '\u{2013}']);
        if (opens || word.is_empty() || BREAKS.contains(&word)) && head.is_some() {
            break;
        }
        let last = word.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        let names = last.chars().count() > 1 && last.chars().all(char::is_alphabetic) && !BREAKS.contains(&last) && !QUALITIES.contains(&last);
        if names {
            head = Some(stem(last));
        }
        if head.is_some() && piece.ends_with([',', ';', ':', ')', ']']) {
            break;
        }
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_about_its_head() {
        for (title, noun) in [
            ("Projector Lamp", "lamp"),
            ("vp6110 Digital Projector", "projector"),
            ("15.6\" Laptop Case for Laptops, Black", "case"),
            ("Clock Radio AJB4500/05", "radio"),
            ("ThinkPad Tablet Stand - Universal", "stand"),
            ("wireless mouse", "mouse"),
        ] {
            assert_eq!(head(title).as_deref(), Some(stem(noun).as_str()), "{title}");
        }
        assert_eq!(head("8GB 3-pack"), None);
    }
}
