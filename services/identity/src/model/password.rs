//! Which passwords are refused: short ones, and those an attacker tries first. No rules about character classes, which make
//! passwords worse (NIST SP 800-63B, section 5.1.1.2).

const SHORTEST: usize = 10;

/// Words that most leaked passwords are made of, plain and lower-case.
const COMMON: &str = include_str!("common_passwords.txt");

/// What keyboards and alphabets offer in order.
const ROWS: [&str; 7] = ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop"];

/// Refuses a weak password, telling why.
pub(crate) fn check(password: &str, email: &str) -> Result<(), &'static str> {
    if password.chars().count() < SHORTEST {
        return Err("the password needs at least 10 characters");
    }
    if password.contains('\0') {
        return Err("the password contains a character that cannot be typed");
    }
    let lower = password.to_lowercase();
    let hearts = [plain(lower.trim_matches(|c: char| !c.is_alphabetic())), plain(lower.trim_end_matches(|c: char| !c.is_alphabetic()))];
    let common = |heart: &String| heart.chars().count() < 4 || COMMON.lines().any(|word| heart == word || is_repeated(heart, word));
    if hearts.iter().any(common) {
        return Err("this password is among the first an attacker tries; choose another");
    }
    if distinct(password) < 5 || is_in_order(&lower) || hearts.iter().any(|heart| is_in_order(heart)) {
        return Err("the password repeats or follows the keyboard; choose another");
    }
    let local = email.split('@').next().unwrap_or_default().to_lowercase();
    if local.chars().count() >= 4 && password.to_lowercase().contains(&local) && password.chars().count() < local.chars().count() + 8 {
        return Err("the password is too close to the e-mail address");
    }
    Ok(())
}

/// The letters of a text, the usual replacements undone.
fn plain(text: &str) -> String {
    let undone = text.chars().filter_map(|c| match c {
        '0' => Some('o'),
        '1' | '!' => Some('i'),
        '3' => Some('e'),
        '4' | '@' => Some('a'),
        '5' | '$' => Some('s'),
        '7' => Some('t'),
        c if c.is_alphabetic() => Some(c),
        _ => None,
    });
    undone.collect()
}

fn is_repeated(text: &str, word: &str) -> bool {
    !word.is_empty()
        && text.len() > word.len()
        && text.len().is_multiple_of(word.len())
        && text.as_bytes().chunks(word.len()).all(|chunk| chunk == word.as_bytes())
}

fn distinct(text: &str) -> usize {
    text.chars().collect::<std::collections::BTreeSet<_>>().len()
}

/// The whole text walks along a row of the keyboard or the alphabet, forwards or backwards, perhaps more than once.
fn is_in_order(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let steps = chars.windows(2).filter(|pair| matches!(pair, [a, b] if a == b || follows(*a, *b) || follows(*b, *a))).count();
    chars.len() > 1 && steps * 10 >= (chars.len() - 1) * 8
}

fn follows(a: char, b: char) -> bool {
    ROWS.iter().any(|row| row.chars().zip(row.chars().skip(1)).any(|pair| pair == (a, b)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_attackers_try_first_is_refused() {
        for weak in [
            "short",
            "password12",
            "P@ssw0rd2024!",
            "1234567890",
            "qwertyuiop",
            "Welcome2024!",
            "iloveyou!!!!",
            "aaaaaaaaaaaa",
            "abcdefghijkl",
            "987654321098",
            "letmein12345",
            "passwordpassword",
            "!!!!!!!!!!!!",
            "trustno1234",
            "zxcvbnm,./123",
            "annsmith-2024",
            "marketHub123",
        ] {
            assert!(check(weak, "annsmith@example.com").is_err(), "{weak}");
        }
        for good in ["seven blue kettles", "x9!kLm2#pQz7", "rumpelkammer im august", "дом у синего озера"] {
            assert_eq!(check(good, "annsmith@example.com"), Ok(()), "{good}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_judged_without_harm_and_short_ones_are_refused(password in "\\PC{0,40}", email in "[a-z]{1,9}@example.com") {
            let verdict = check(&password, &email);
            if password.chars().count() < SHORTEST { prop_assert!(verdict.is_err()); }
        }

        #[test]
        fn digits_around_a_common_word_do_not_help(digits in "[0-9]{4,8}") {
            let sandwich = format!("{digits}password{digits}");
            prop_assert!(check(&sandwich, "ann@example.com").is_err());
        }
    }
}
