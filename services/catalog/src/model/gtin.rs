//! Global Trade Item Numbers (GTIN-8, -12, -13, -14), as GS1 General Specifications section 7.9 checks them.

/// The digits of a valid GTIN, spaces and hyphens taken out; `None` when the length or the check digit is wrong.
pub(crate) fn parse(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let fits = matches!(digits.len(), 8 | 12 | 13 | 14) && digits.bytes().all(|b| b.is_ascii_digit());
    (fits && check_digit_holds(&digits)).then_some(digits)
}

/// From the right, digits weigh 1 (the check digit), 3, 1, 3 …; the weighted sum is a multiple of ten.
fn check_digit_holds(digits: &str) -> bool {
    let weighted = digits.bytes().rev().zip([1u32, 3].into_iter().cycle()).map(|(digit, weight)| u32::from(digit - b'0') * weight);
    weighted.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gtin_has_a_known_length_and_its_check_digit() {
        for good in ["4006381333931", "036000291452", "96385074", "10614141000415", "4-006381-333931"] {
            assert!(parse(good).is_some(), "{good}");
        }
        for bad in ["", "4006381333932", "400638133393", "abc", "0000", "40063813339310000"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn any_one_wrong_digit_is_noticed() {
        let good = "4006381333931";
        for place in 0..good.len() {
            for digit in b'0'..=b'9' {
                let mut changed = good.as_bytes().to_vec();
                if changed[place] != digit {
                    changed[place] = digit;
                    assert!(parse(std::str::from_utf8(&changed).unwrap()).is_none());
                }
            }
        }
    }
}
