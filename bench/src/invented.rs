//! Products nobody sells, any number of them, with words as uneven as in life: few makers and series are common and most are rare, and
//! model numbers are nearly unique. The same number always gives the same product.

use std::collections::BTreeMap;

use crate::demo::Dice;
use crate::demo::goods::{STYLES, TRADES};

/// How many there are to choose from.
const MAKERS: u32 = 3_000;
const SERIES: u32 = 40_000;

const SYLLABLES: [&str; 16] = ["ba", "ko", "ri", "len", "tor", "mi", "sa", "vel", "nor", "pa", "dun", "ke", "lo", "ra", "tis", "mon"];
const COLORS: [&str; 10] = ["Black", "White", "Gray", "Blue", "Red", "Green", "Brown", "Beige", "Silver", "Yellow"];
const MATERIALS: [&str; 8] = ["Wood", "Metal", "Glass", "Ceramic", "Plastic", "Leather", "Cotton", "Steel"];
const FEATURES: [&str; 16] = [
    "Two-year warranty",
    "made to last",
    "easy to clean",
    "folds flat for storage",
    "fits most standard sizes",
    "ships in recycled packaging",
    "tested for daily use",
    "a gift that keeps",
    "quiet in every room",
    "water resistant",
    "spare parts available",
    "assembled in minutes",
    "soft to the touch",
    "balanced by hand",
    "for home and office",
    "for travel and outdoors",
];

/// The columns of `row`, and the feed's fields that they are.
pub(crate) const COLUMNS: [&str; 9] = ["sku", "title", "brand", "category", "price", "description", "attribute:color", "attribute:material", "tags"];

/// The row of a feed for the `number`-th product. `categories`: the category's id for each kind of goods; `mark` is among its tags.
pub(crate) fn row(number: u32, mark: &str, categories: &BTreeMap<&'static str, String>) -> [String; COLUMNS.len()] {
    let mut dice = Dice(u64::from(number));
    let choice = |dice: &mut Dice, words: &[&'static str]| dice.one_of(words).copied().unwrap_or_default();
    let Some(goods) = dice.one_of(&TRADES).and_then(|trade| dice.one_of(&trade.goods)) else { return Default::default() };
    let maker = word(uneven(MAKERS, &mut dice), 3);
    let series = word(uneven(SERIES, &mut dice), 4);
    let model = format!("{}{}-{}", letter(&mut dice), letter(&mut dice), 100 + uneven(90_000, &mut dice));
    let (style, color, material) = (choice(&mut dice, &STYLES), choice(&mut dice, &COLORS), choice(&mut dice, &MATERIALS));
    let features = [choice(&mut dice, &FEATURES), choice(&mut dice, &FEATURES), choice(&mut dice, &FEATURES)].join(", ");
    let cents = goods.cents.0 + dice.below(goods.cents.1 - goods.cents.0);
    [
        format!("{mark}-{number}"),
        format!("{maker} {series} {style} {} {model}, {color}", goods.noun),
        maker.clone(),
        categories.get(goods.category).cloned().unwrap_or_default(),
        format!("{}.{:02}", cents / 100, cents % 100),
        format!("{} of the {series} series by {maker} in {}. {features}.", goods.noun, material.to_lowercase()),
        color.to_owned(),
        material.to_owned(),
        mark.to_owned(),
    ]
}

/// A number below `limit`, small ones much more often: the n-th about in proportion to 1/n.
fn uneven(limit: u32, dice: &mut Dice) -> u32 {
    let (mut bits, mut most) = (0, limit);
    while most > 1 {
        (bits, most) = (bits + 1, most / 2);
    }
    let magnitude = 1 << dice.below(bits + 1);
    (magnitude - 1 + dice.below(magnitude)) % limit
}

/// The `number`-th word of so many syllables.
fn word(number: u32, syllables: usize) -> String {
    // Neighbouring numbers get words that are not alike.
    let mut rest = number.wrapping_mul(40_503);
    let mut word = String::new();
    for _ in 0..syllables {
        word.push_str(SYLLABLES.get(usize::try_from(rest % 16).unwrap_or_default()).unwrap_or(&""));
        rest /= 16;
    }
    word.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    word
}

fn letter(dice: &mut Dice) -> char {
    char::from_digit(10 + dice.below(26), 36).unwrap_or('x').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_product_and_others_give_others() {
        let categories = BTreeMap::new();
        let titles: Vec<String> = (0..1000).map(|number| row(number, "m", &categories)[1].clone()).collect();
        assert_eq!(titles[7], row(7, "m", &categories)[1]);
        let different: std::collections::BTreeSet<&String> = titles.iter().collect();
        assert!(different.len() > 990, "{}", different.len());
    }

    #[test]
    fn small_numbers_are_much_commoner() {
        let mut dice = Dice(1);
        let numbers: Vec<u32> = (0..10_000).map(|_| uneven(3_000, &mut dice)).collect();
        let below = |limit: u32| numbers.iter().filter(|number| **number < limit).count();
        assert!((500..1600).contains(&below(1)) && (2500..4500).contains(&below(7)), "{} {}", below(1), below(7));
        assert!(numbers.iter().all(|number| *number < 3_000) && below(1500) < 9_950);
    }

    #[test]
    fn words_of_different_numbers_differ() {
        let words: std::collections::BTreeSet<String> = (0..3_000).map(|number| word(number, 3)).collect();
        assert_eq!(words.len(), 3_000);
    }
}
