//! What a postal address needs in each country, and how its postal codes are written.

use std::sync::LazyLock;

use kit_core::Violation;
use kit_rpc::proto::Address;

/// `code;name;flags;postal codes`. Flags: S the subdivision is required, C no city is needed, p the postal code may be left out.
/// In a postal code 9 stands for any digit and A for any letter; other characters stand for themselves. Without a form none is used.
const TABLE: &str = include_str!("countries.txt");

pub(crate) struct Country {
    pub code: &'static str,
    pub name: &'static str,
    pub required: Vec<&'static str>,
    forms: Vec<&'static str>,
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| TABLE.lines().filter_map(read).collect());

fn read(line: &'static str) -> Option<Country> {
    let mut parts = line.split(';');
    let (code, name, flags, forms) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let forms: Vec<&str> = forms.split(',').filter(|form| !form.is_empty()).collect();
    let mut required = vec!["name", "line1"];
    if !flags.contains('C') {
        required.push("city");
    }
    if flags.contains('S') {
        required.push("subdivision");
    }
    if !forms.is_empty() && !flags.contains('p') {
        required.push("postal_code");
    }
    Some(Country { code, name, required, forms })
}

impl Country {
    /// A postal code as this country writes it.
    pub(crate) fn postal_code_example(&self) -> String {
        let digits = "1234567".chars().cycle();
        self.forms.first().map(|form| form.chars().zip(digits).map(|(c, digit)| if c == '9' { digit } else { c }).collect()).unwrap_or_default()
    }

    /// The code in the country's spelling; `None` when it has no form used there.
    fn postal_code(&self, text: &str) -> Option<String> {
        if self.forms.is_empty() {
            return Some(text.to_owned());
        }
        let bare: Vec<char> = text.chars().filter(|c| !matches!(c, ' ' | '-' | '–')).flat_map(char::to_uppercase).collect();
        self.forms.iter().find_map(|form| spell(form, &bare))
    }
}

/// Writes the bare characters in a form; `None` when they do not fit it.
fn spell(form: &str, bare: &[char]) -> Option<String> {
    let mut rest = bare.iter();
    let mut spelled = String::new();
    for place in form.chars() {
        if matches!(place, ' ' | '-') {
            spelled.push(place);
            continue;
        }
        let c = *rest.next()?;
        let fits = match place {
            '9' => c.is_ascii_digit(),
            'A' => c.is_ascii_uppercase(),
            exact => c == exact,
        };
        if !fits {
            return None;
        }
        spelled.push(c);
    }
    rest.next().is_none().then_some(spelled)
}

pub(crate) fn countries() -> &'static [Country] {
    &COUNTRIES
}

/// Trims an address and checks it by its country's rules; all that is wrong is told at once, as paths under `address`.
pub(crate) fn check(address: &Address) -> Result<Address, Vec<Violation>> {
    let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut checked = Address {
        name: tidy(&address.name),
        company: tidy(&address.company),
        line1: tidy(&address.line1),
        line2: tidy(&address.line2),
        city: tidy(&address.city),
        subdivision: tidy(&address.subdivision),
        postal_code: tidy(&address.postal_code),
        country: tidy(&address.country).to_uppercase(),
        phone: tidy(&address.phone),
    };
    let mut wrong = Vec::new();
    let mut tell = |field: &str, message: String| wrong.push(Violation { field: format!("address.{field}"), message });
    for (field, text, longest) in lengths(&checked) {
        if text.chars().count() > longest {
            tell(field, format!("has more than {longest} characters"));
        } else if text.chars().any(char::is_control) {
            tell(field, "contains a control character".to_owned());
        }
    }
    if !checked.phone.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/')) {
        tell("phone", "holds something other than digits, spaces and +-()./".to_owned());
    }
    match COUNTRIES.iter().find(|country| country.code == checked.country) {
        None => tell("country", "is not an ISO 3166-1 alpha-2 code, as in GB".to_owned()),
        Some(country) => {
            for field in &country.required {
                if lengths(&checked).iter().any(|(name, text, _)| name == field && text.is_empty()) {
                    tell(field, format!("is required in {}", country.name));
                }
            }
            if !checked.postal_code.is_empty() {
                match country.postal_code(&checked.postal_code) {
                    Some(spelled) => checked.postal_code = spelled,
                    None => {
                        tell("postal_code", format!("is not a postal code of {}; they look like {}", country.name, country.postal_code_example()))
                    }
                }
            }
        }
    }
    if wrong.is_empty() { Ok(checked) } else { Err(wrong) }
}

fn lengths(address: &Address) -> [(&'static str, &str, usize); 9] {
    [
        ("name", &address.name, 100),
        ("company", &address.company, 100),
        ("line1", &address.line1, 150),
        ("line2", &address.line2, 150),
        ("city", &address.city, 100),
        ("subdivision", &address.subdivision, 60),
        ("postal_code", &address.postal_code, 20),
        ("country", &address.country, 2),
        ("phone", &address.phone, 30),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(country: &str, postal_code: &str) -> Address {
        Address {
            name: "Ann Smith".into(),
            line1: "1 High Street".into(),
            city: "Town".into(),
            subdivision: "CA".into(),
            postal_code: postal_code.into(),
            country: country.into(),
            ..Default::default()
        }
    }

    #[test]
    fn the_table_is_whole_and_its_examples_fit() {
        assert!(COUNTRIES.len() > 240 && COUNTRIES.len() == TABLE.lines().count());
        assert!(COUNTRIES.windows(2).all(|pair| pair[0].code < pair[1].code));
        for country in countries() {
            assert!(check(&address(country.code, &country.postal_code_example())).is_ok(), "{}", country.code);
        }
    }

    #[test]
    fn postal_codes_are_spelled_as_their_country_does() {
        for (country, written, spelled) in [
            ("GB", "sw1a1aa", "SW1A 1AA"),
            ("US", "94103 1234", "94103-1234"),
            ("CA", "k1a0b1", "K1A 0B1"),
            ("NL", "1234ab", "1234 AB"),
            ("DE", "10115", "10115"),
            ("JP", "1000001", "100-0001"),
        ] {
            assert_eq!(check(&address(country, written)).unwrap().postal_code, spelled);
        }
        for (country, wrong) in [("US", "9410"), ("DE", "ABCDE"), ("GB", "12345"), ("US", "")] {
            assert_eq!(check(&address(country, wrong)).unwrap_err()[0].field, "address.postal_code", "{country} {wrong}");
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let told = check(&Address { country: "US".into(), phone: "call me".into(), ..Default::default() }).unwrap_err();
        let fields: Vec<&str> = told.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["address.phone", "address.name", "address.line1", "address.city", "address.subdivision", "address.postal_code"]);
        assert_eq!(check(&address("XX", "1")).unwrap_err()[0].field, "address.country");
    }

    proptest! {
        #[test]
        fn checking_a_checked_address_changes_nothing(country in prop::sample::select(vec!["US", "GB", "DE", "CA", "NL", "IE", "FR", "SG"]), code in "[0-9A-Za-z -]{3,9}", line1 in "\\PC{1,60}") {
            let mut address = address(country, &code);
            address.line1 = line1;
            if let Ok(checked) = check(&address) {
                prop_assert_eq!(check(&checked), Ok(checked.clone()));
            }
        }
    }
}
