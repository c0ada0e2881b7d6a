//! What a buyer says about price, stock, brand, choices and order among the words: "red headphones from Sony under $50 in stock". Pure.

use kit_core::{Currency, Money};

use super::known::{Choice, Known};

/// What was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    AtMost(i64),
    AtLeast(i64),
    Between(i64, i64),
    InStock,
    Cheapest,
    Newest,
    Popular,
    Brand(String),
    Choice(Choice),
}

/// A wish and the words that said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) wish: Wish,
    pub(crate) words: String,
}

/// Words before a highest price, longest first; and before a lowest.
const UPPER: [&str; 12] =
    ["no more than", "not more than", "less than", "cheaper than", "at most", "up to", "under", "below", "beneath", "maximum", "max", "<"];
const LOWER: [&str; 6] = ["no less than", "more than", "at least", "over", "above", ">"];
const IN_STOCK: [&str; 3] = ["in stock", "available now", "available today"];
const CURRENCY_WORDS: [&str; 5] = ["dollars", "dollar", "bucks", "usd", "eur"];
/// Words before a brand.
const MAKERS: [&str; 4] = ["made by", "from", "by", "brand"];
/// The most words a brand or a choice has, with its key.
const LONGEST_NAME: usize = 4;
/// Longer queries are names of things, in which a colour is part of the name.
const LONGEST_DESCRIPTION: usize = 5;

/// Signs that stand before or behind an amount.
const SIGNS: [char; 3] = ['$', '€', '£'];

/// An amount and how many words it took; whether it said that it is money.
struct Amount {
    minor: i64,
    words: usize,
    money: bool,
}

/// Takes the wishes out of a query: the words that remain, and what was said.
pub(crate) fn read(query: &str, currency: Currency, known: &Known) -> (String, Vec<Said>) {
    let words: Vec<&str> = query.split_whitespace().collect();
    let mut rest: Vec<&str> = Vec::new();
    let mut said: Vec<Said> = Vec::new();
    let mut place = 0;
    while let Some(ahead) = words.get(place..).filter(|ahead| !ahead.is_empty()) {
        match wish(ahead, place == 0, currency) {
            Some((wish, taken)) => {
                said.push(Said { wish, words: ahead.iter().take(taken).copied().collect::<Vec<_>>().join(" ") });
                place += taken;
            }
            None => {
                rest.extend(ahead.first());
                place += 1;
            }
        }
    }
    choices(&mut rest, &mut said, known);
    (rest.join(" "), said)
}

/// Takes brands and choices out of the words that remain of a short query. A choice that says not what it is ("red") must leave
/// something that has it.
fn choices(rest: &mut Vec<&str>, said: &mut Vec<Said>, known: &Known) {
    let mut place = 0;
    while place < rest.len() && rest.len() <= LONGEST_DESCRIPTION {
        let ahead = rest.get(place..).unwrap_or_default();
        let Some((wish, taken)) = made_by(ahead, known).or_else(|| choice(ahead, rest.len(), known)) else {
            place += 1;
            continue;
        };
        let words = rest.drain(place..place + taken).collect::<Vec<_>>().join(" ");
        said.push(Said { wish, words });
    }
}

fn made_by(words: &[&str], known: &Known) -> Option<(Wish, usize)> {
    let opened = MAKERS.iter().find_map(|phrase| begins(words, phrase))?;
    let named = |count: usize| known.brand(words.get(opened..opened + count)?).map(|brand| (Wish::Brand(brand.to_owned()), opened + count));
    (1..=LONGEST_NAME).rev().find_map(named)
}

fn choice(words: &[&str], of: usize, known: &Known) -> Option<(Wish, usize)> {
    let said = |count: usize| {
        let words = words.get(..count)?;
        let choice = known.named(words).or_else(|| known.plain(words).filter(|_| count < of))?;
        Some((Wish::Choice(choice.clone()), count))
    };
    (1..=LONGEST_NAME).rev().find_map(said)
}

/// The wish that these words begin with, and how many of them say it.
fn wish(words: &[&str], first: bool, currency: Currency) -> Option<(Wish, usize)> {
    let order = words.first().filter(|_| first && words.len() > 1).and_then(|word| match word.to_lowercase().as_str() {
        "cheapest" => Some((Wish::Cheapest, 1)),
        "newest" => Some((Wish::Newest, 1)),
        "popular" | "bestselling" => Some((Wish::Popular, 1)),
        _ => None,
    });
    let stock = || IN_STOCK.iter().find_map(|phrase| begins(words, phrase)).map(|taken| (Wish::InStock, taken));
    order.or_else(stock).or_else(|| span(words, currency)).or_else(|| bound(words, currency))
}

/// "between $20 and $50", "$20 to $50", "$20-$50".
fn span(words: &[&str], currency: Currency) -> Option<(Wish, usize)> {
    let opened = ["between", "from"].iter().find_map(|word| begins(words, word)).unwrap_or(0);
    let ahead = words.get(opened..)?;
    if let Some((low, high)) = ahead.first().and_then(|word| word.split_once('-')) {
        let (low, high) = (amount(&[low], currency)?, amount(&[high], currency)?);
        let told = low.money && low.minor <= high.minor;
        return told.then_some((Wish::Between(low.minor, high.minor), opened + 1));
    }
    let low = amount(ahead, currency)?;
    let joint = ahead.get(low.words..)?;
    let joined = ["and", "to"].iter().find_map(|word| begins(joint, word))?;
    let high = amount(joint.get(joined..)?, currency)?;
    let told = (low.money || high.money || begins(words, "between").is_some()) && low.minor <= high.minor;
    told.then_some((Wish::Between(low.minor, high.minor), opened + low.words + joined + high.words))
}

/// "under $50", "over 20 dollars"; a bare number counts only where the query ends, so that sizes and models stay words.
fn bound(words: &[&str], currency: Currency) -> Option<(Wish, usize)> {
    let upper = UPPER.iter().find_map(|phrase| begins(words, phrase));
    let lower = || LOWER.iter().find_map(|phrase| begins(words, phrase));
    let taken = upper.or_else(lower)?;
    let found = amount(words.get(taken..)?, currency)?;
    let taken = taken + found.words;
    let told = found.money || taken == words.len();
    let wish = if upper.is_some() { Wish::AtMost(found.minor) } else { Wish::AtLeast(found.minor) };
    told.then_some((wish, taken))
}

fn amount(words: &[&str], currency: Currency) -> Option<Amount> {
    let word = words.first()?.trim_end_matches([',', ';']);
    let bare = word.trim_start_matches(SIGNS).trim_end_matches(SIGNS);
    let signs = word.len() != bare.len();
    let ours = word.chars().filter(|c| SIGNS.contains(c)).all(|sign| sign_of(currency) == Some(sign));
    let minor = Money::parse_decimal(&bare.replace(',', ""), currency).ok().map(|money| money.minor).filter(|minor| ours && *minor > 0)?;
    let named = words.get(1).is_some_and(|next| CURRENCY_WORDS.contains(&next.to_lowercase().trim_end_matches([',', '.'])));
    Some(Amount { minor, words: 1 + usize::from(named), money: signs || named })
}

fn sign_of(currency: Currency) -> Option<char> {
    match currency.as_str() {
        "USD" => Some('$'),
        "EUR" => Some('€'),
        "GBP" => Some('£'),
        _ => None,
    }
}

/// How many words a phrase takes when the words begin with it.
fn begins(words: &[&str], phrase: &str) -> Option<usize> {
    let parts: Vec<&str> = phrase.split(' ').collect();
    let same = parts.len() <= words.len() && parts.iter().zip(words).all(|(part, word)| word.eq_ignore_ascii_case(part));
    same.then_some(parts.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wishes(query: &str) -> (String, Vec<Wish>) {
        let mut known = Known::default();
        for (key, value) in [("brand", "Sony"), ("brand", "Red Bull"), ("color", "Red"), ("color", "Light Blue"), ("size", "M"), ("size", "XL")] {
            known.add(key, value, 1);
        }
        let (rest, said) = read(query, Currency::USD, &known);
        (rest, said.into_iter().map(|said| said.wish).collect())
    }

    #[test]
    fn prices_are_read_as_people_write_them() {
        for (query, rest, wish) in [
            ("running shoes under $50", "running shoes", Wish::AtMost(5_000)),
            ("headphones below 50 dollars", "headphones", Wish::AtMost(5_000)),
            ("less than $49.99 lamp", "lamp", Wish::AtMost(4_999)),
            ("lamp up to 1,500$", "lamp", Wish::AtMost(150_000)),
            ("lamp under 50", "lamp", Wish::AtMost(5_000)),
            ("watch over $200", "watch", Wish::AtLeast(20_000)),
            ("mug between 10 and 20 dollars", "mug", Wish::Between(1_000, 2_000)),
            ("mug $10-$20", "mug", Wish::Between(1_000, 2_000)),
            ("mug from $10 to $20", "mug", Wish::Between(1_000, 2_000)),
            ("desk in stock", "desk", Wish::InStock),
            ("cheapest laptop", "laptop", Wish::Cheapest),
        ] {
            assert_eq!(wishes(query), (rest.to_owned(), vec![wish]), "{query}");
        }
        assert_eq!(wishes("lamp in stock under $30").1, [Wish::InStock, Wish::AtMost(3_000)]);
    }

    #[test]
    fn brands_and_choices_are_known_from_the_listings() {
        let brand = |name: &str| Wish::Brand(name.to_owned());
        let choice = |key: &str, value: &str| Wish::Choice(Choice { key: key.to_owned(), value: value.to_owned() });
        for (query, rest, said) in [
            ("headphones from sony", "headphones", vec![brand("Sony")]),
            ("red shirt", "shirt", vec![choice("color", "Red")]),
            ("light blue shirt xl", "shirt", vec![choice("color", "Light Blue"), choice("size", "XL")]),
            ("shirt size m by sony under $20", "shirt", vec![Wish::AtMost(2_000), choice("size", "M"), brand("Sony")]),
            ("drinks by red bull", "drinks", vec![brand("Red Bull")]),
        ] {
            assert_eq!(wishes(query), (rest.to_owned(), said), "{query}");
        }
        for query in ["red", "galaxy m", "letters from home", "sony turntable with red tone arm and lamp"] {
            assert_eq!(wishes(query), (query.to_owned(), vec![]), "{query}");
        }
    }

    #[test]
    fn words_that_are_no_wishes_stay_words() {
        for query in [
            "under 13 soccer ball",
            "over ear headphones",
            "windows 10",
            "10-20 mm lens",
            "up to date",
            "lamp under €50",
            "cheapest",
            "from home",
            "5 to 7 ports",
            "in",
        ] {
            assert_eq!(wishes(query), (query.to_owned(), vec![]), "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_word_is_lost(query in "(under|over|\\$|[0-9]{1,4}|to|and|in stock|lamp| ){0,12}") {
            let (rest, said) = read(&query, Currency::USD, &Known::default());
            let kept = rest.split_whitespace().count() + said.iter().map(|said| said.words.split_whitespace().count()).sum::<usize>();
            prop_assert_eq!(kept, query.split_whitespace().count());
        }
    }
}
