//! Postal addresses: what each country's need, and how its postal codes are written.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Violation;

/// A postal address. Valid once `checked`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    pub name: String,
    pub company: String,
    pub line1: String,
    pub line2: String,
    pub city: String,
    /// State, province or region, by its local code where there is one.
    pub subdivision: String,
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    pub phone: String,
}

/// `code;name;flags;postal codes`. Flags: S the subdivision is required, C no city is needed, p the postal code may be left out.
/// In a postal code 9 stands for any digit and A for any letter; other characters stand for themselves. Without a form none is used.
const TABLE: &str = include_str!("countries.txt");

/// `country;code;names`: the states or provinces of the countries whose post writes them by a code (from commerceguys/addressing, MIT licence).
const SUBDIVISIONS: &str = include_str!("subdivisions.txt");

/// What an address needs wherever it is.
const ALWAYS_REQUIRED: [&str; 2] = ["name", "line1"];

#[derive(Debug)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: &'static str,
    pub name: &'static str,
    /// The fields an address there must have.
    pub required: Vec<&'static str>,
    forms: Vec<&'static str>,
    /// (code, names), where addresses are written with the code.
    subdivisions: Vec<(&'static str, Vec<&'static str>)>,
}

static COUNTRIES: LazyLock<Vec<Country>> = LazyLock::new(|| TABLE.lines().filter_map(read).collect());

fn read(line: &'static str) -> Option<Country> {
    let mut parts = line.split(';');
    let (code, name, flags, forms) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let forms: Vec<&str> = forms.split(',').filter(|form| !form.is_empty()).collect();
    let mut required = ALWAYS_REQUIRED.to_vec();
    if !flags.contains('C') {
        required.push("city");
    }
    if flags.contains('S') {
        required.push("subdivision");
    }
    if !forms.is_empty() && !flags.contains('p') {
        required.push("postal_code");
    }
    let subdivision = |line: &'static str| {
        let (code, names) = line.strip_prefix(code)?.strip_prefix(';')?.split_once(';')?;
        Some((code, names.split('|').collect()))
    };
    Some(Country { code, name, required, forms, subdivisions: SUBDIVISIONS.lines().filter_map(subdivision).collect() })
}

impl Country {
    /// Every country, by its code.
    pub fn all() -> &'static [Self] {
        &COUNTRIES
    }

    /// The country of an ISO 3166-1 alpha-2 code.
    pub fn of(code: &str) -> Option<&'static Self> {
        COUNTRIES.binary_search_by(|country| country.code.cmp(code)).ok().and_then(|at| COUNTRIES.get(at))
    }

    /// A postal code as this country writes it.
    pub fn postal_code_example(&self) -> String {
        let digits = "1234567".chars().cycle();
        self.forms.first().map(|form| form.chars().zip(digits).map(|(c, digit)| if c == '9' { digit } else { c }).collect()).unwrap_or_default()
    }

    /// The code of a state or province that is given by code or name; `None` when the country has none like it. Where no codes are used, any text.
    fn subdivision(&self, text: &str) -> Option<String> {
        if self.subdivisions.is_empty() || text.is_empty() {
            return Some(text.to_owned());
        }
        let wanted = bare(text);
        let is_it = |(code, names): &&(&'static str, Vec<&'static str>)| names.iter().chain([code]).any(|name| bare(name) == wanted);
        self.subdivisions.iter().find(is_it).map(|(code, _)| (*code).to_owned())
    }

    fn subdivision_examples(&self) -> String {
        let examples = self.subdivisions.iter().take(3).map(|(code, names)| format!("{code} ({})", names.first().unwrap_or(code)));
        examples.collect::<Vec<_>>().join(", ")
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

/// What is left of a name when case, accents and signs do not count.
fn bare(name: &str) -> String {
    let plain = |c: char| match c {
        'à'..='å' => 'a',
        'ç' => 'c',
        'è'..='ë' => 'e',
        'ì'..='ï' => 'i',
        'ñ' => 'n',
        'ò'..='ö' => 'o',
        'ù'..='ü' => 'u',
        other => other,
    };
    name.chars().flat_map(char::to_lowercase).map(plain).filter(|c| c.is_alphanumeric()).collect()
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

impl Address {
    /// Tidied and checked by its country's rules; all that is wrong is told at once, by field.
    pub fn checked(self) -> Result<Self, Vec<Violation>> {
        let mut address = self.tidied();
        let mut wrong = Vec::new();
        let mut tell = |field: &str, message: String| wrong.push(Violation { field: field.to_owned(), message });
        for (field, text, longest) in address.fields() {
            if text.chars().count() > longest {
                tell(field, format!("has more than {longest} characters"));
            } else if text.chars().any(char::is_control) {
                tell(field, "contains a control character".to_owned());
            }
        }
        if !address.phone.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '/')) {
            tell("phone", "holds something other than digits, spaces and +-()./".to_owned());
        }
        let country = Country::of(&address.country);
        for field in country.map_or(&ALWAYS_REQUIRED[..], |country| &country.required) {
            if address.fields().iter().any(|(name, text, _)| name == field && text.is_empty()) {
                tell(field, country.map_or_else(|| "is required".to_owned(), |country| format!("is required in {}", country.name)));
            }
        }
        if let Some(country) = country {
            match country.subdivision(&address.subdivision) {
                Some(code) => address.subdivision = code,
                None => tell(
                    "subdivision",
                    format!("is not a state or province of {}; they are written like {}", country.name, country.subdivision_examples()),
                ),
            }
        }
        match country {
            None if address.country.is_empty() => tell("country", "is required".to_owned()),
            None => tell("country", "is not an ISO 3166-1 alpha-2 code, as in GB".to_owned()),
            Some(_) if address.postal_code.is_empty() => {}
            Some(country) => match country.postal_code(&address.postal_code) {
                Some(spelled) => address.postal_code = spelled,
                None => tell("postal_code", format!("is not a postal code of {}; they look like {}", country.name, country.postal_code_example())),
            },
        }
        if wrong.is_empty() { Ok(address) } else { Err(wrong) }
    }

    fn tidied(&self) -> Self {
        let tidy = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        Self {
            name: tidy(&self.name),
            company: tidy(&self.company),
            line1: tidy(&self.line1),
            line2: tidy(&self.line2),
            city: tidy(&self.city),
            subdivision: tidy(&self.subdivision),
            postal_code: tidy(&self.postal_code),
            country: tidy(&self.country).to_uppercase(),
            phone: tidy(&self.phone),
        }
    }

    /// (field, text, the most characters it may have)
    fn fields(&self) -> [(&'static str, &str, usize); 8] {
        [
            ("name", &self.name, 100),
            ("company", &self.company, 100),
            ("line1", &self.line1, 150),
            ("line2", &self.line2, 150),
            ("city", &self.city, 100),
            ("subdivision", &self.subdivision, 60),
            ("postal_code", &self.postal_code, 20),
            ("phone", &self.phone, 30),
        ]
    }
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
            subdivision: Country::of(country).and_then(|country| country.subdivisions.first()).map_or("CA", |(code, _)| code).into(),
            postal_code: postal_code.into(),
            country: country.into(),
            ..Default::default()
        }
    }

    #[test]
    fn the_table_is_whole_and_its_examples_fit() {
        assert!(COUNTRIES.len() > 240 && COUNTRIES.len() == TABLE.lines().count());
        assert!(COUNTRIES.windows(2).all(|pair| pair[0].code < pair[1].code));
        for country in Country::all() {
            assert_eq!(Country::of(country.code).map(|found| found.name), Some(country.name));
            assert!(address(country.code, &country.postal_code_example()).checked().is_ok(), "{}", country.code);
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
            assert_eq!(address(country, written).checked().unwrap().postal_code, spelled);
        }
        for (country, wrong) in [("US", "9410"), ("DE", "ABCDE"), ("GB", "12345"), ("US", "")] {
            assert_eq!(address(country, wrong).checked().unwrap_err()[0].field, "postal_code", "{country} {wrong}");
        }
    }

    #[test]
    fn states_are_known_by_code_and_name_where_their_country_writes_codes() {
        let of = |country: &str, subdivision: &str| Address {
            subdivision: subdivision.into(),
            ..address(country, &Country::of(country).unwrap().postal_code_example())
        };
        for (country, written, code) in [
            ("US", "il", "IL"),
            ("US", "new york", "NY"),
            ("CA", "Quebec", "QC"),
            ("CA", "Québec", "QC"),
            ("BR", "Sao Paulo", "SP"),
            ("IT", "rm", "RM"),
            ("IE", "County Cork", "County Cork"),
        ] {
            assert_eq!(of(country, written).checked().unwrap().subdivision, code);
        }
        let told = of("US", "ZZ").checked().unwrap_err();
        assert_eq!(told[0].field, "subdivision");
        assert_eq!(
            told[0].message,
            "is not a state or province of United States; they are written like AL (Alabama), AK (Alaska), AS (American Samoa)"
        );
        assert!(of("US", "-").checked().is_err());
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let told = Address { country: "US".into(), phone: "call me".into(), ..Default::default() }.checked().unwrap_err();
        let fields: Vec<&str> = told.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["phone", "name", "line1", "city", "subdivision", "postal_code"]);
        assert_eq!(address("XX", "1").checked().unwrap_err()[0].field, "country");
    }

    proptest! {
        #[test]
        fn checking_a_checked_address_changes_nothing(country in prop::sample::select(vec!["US", "GB", "DE", "CA", "NL", "IE", "FR", "SG"]), code in "[0-9A-Za-z -]{3,9}", line1 in "\\PC{1,60}") {
            let mut address = address(country, &code);
            address.line1 = line1;
            if let Ok(checked) = address.checked() {
                prop_assert_eq!(checked.clone().checked(), Ok(checked));
            }
        }
    }
}
