//! One typing error per query.

use crate::demo::Dice;

/// Shorter words are left alone, unless there are no others.
const SHORTEST: usize = 4;

/// A letter too many, too few, wrong, or in its neighbour's place, in a word picked at random.
pub(super) fn misspelled(query: &str, dice: &mut Dice) -> String {
    let words: Vec<&str> = query.split_whitespace().collect();
    let places: Vec<usize> = (0..words.len()).collect();
    let long: Vec<usize> = places.iter().copied().filter(|place| words.get(*place).is_some_and(|word| word.chars().count() >= SHORTEST)).collect();
    let Some(chosen) = dice.one_of(if long.is_empty() { &places } else { &long }).copied() else { return query.to_owned() };
    let word = |(place, word): (usize, &&str)| if place == chosen { with_error(word, dice) } else { (*word).to_owned() };
    words.iter().enumerate().map(word).collect::<Vec<_>>().join(" ")
}

fn with_error(word: &str, dice: &mut Dice) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    let at = usize::try_from(dice.below(u32::try_from(letters.len()).unwrap_or(1))).unwrap_or_default();
    let letter = char::from_u32(u32::from('a') + dice.below(26)).unwrap_or('a');
    match dice.below(4) {
        0 => letters.insert(at, letter),
        1 if letters.len() > 1 => {
            letters.remove(at);
        }
        2 if letters.len() > 1 => {
            let first = at.min(letters.len() - 2);
            letters.swap(first, first + 1);
        }
        _ => {
            letters.splice(at..=at, [letter]);
        }
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_changes_and_the_same_dice_make_the_same_errors() {
        let errors = |seed| (0..50).scan(Dice(seed), |dice, _| Some(misspelled("wireless mouse by logitech", dice))).collect::<Vec<_>>();
        assert_eq!(errors(1), errors(1));
        for wrong in errors(2) {
            let changed = wrong.split(' ').zip("wireless mouse by logitech".split(' ')).filter(|(a, b)| a != b).count();
            assert!(changed <= 1 && wrong.contains(" by "), "{wrong}");
        }
    }
}
