//! Runs of three letters of a text written without spaces: what two spellings of one name share however they are divided.

use super::{Word, words};

/// Three characters in one number.
pub(crate) type Gram = u64;

const BITS: u32 = 21;

/// The runs of words written without spaces in the order they come, with repetitions, as numbers.
pub(crate) fn grams(squeezed: &str) -> Vec<Gram> {
    let letters: Vec<char> = squeezed.chars().collect();
    letters.windows(3).map(packed).collect()
}

/// The runs as words of a text field.
pub(crate) fn gram_text(text: &str) -> String {
    let letters: Vec<char> = squeezed(&words(text)).chars().collect();
    letters.windows(3).map(|run| run.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// A run as the index's dictionary has it.
pub(crate) fn gram(text: &str) -> Gram {
    packed(&text.chars().collect::<Vec<_>>())
}

fn packed(run: &[char]) -> Gram {
    run.iter().fold(0, |packed, c| packed << BITS | u64::from(u32::from(*c)))
}

/// Words without anything between them.
pub(crate) fn squeezed(words: &[Word]) -> String {
    words.iter().flat_map(|word| word.text.chars().filter(|c| *c != '.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divided_differently_but_the_same_letters() {
        let grams = |text: &str| grams(&squeezed(&words(text)));
        assert_eq!(grams("KX-TS208W"), grams("kxts 208w"));
        assert_eq!(gram_text("Video 8"), "vid ide deo eo8");
        assert_eq!(grams("vid"), [gram("vid")]);
        assert!(grams("tv").is_empty());
    }
}
