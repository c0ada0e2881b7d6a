//! Addresses as forms: in the address book and at the checkout.

use api_identity::Country;
use kit_rpc::proto::Address;
use maud::{Markup, html};

use crate::ui::form::{Form, Input};

/// Reads the fields `{prefix}name`, `{prefix}line1` …
pub(crate) fn read(form: &Form, prefix: &str) -> Address {
    let text = |name: &str| form.text(&format!("{prefix}{name}"));
    Address {
        name: text("name"),
        company: text("company"),
        line1: text("line1"),
        line2: text("line2"),
        city: text("city"),
        subdivision: text("subdivision"),
        postal_code: text("postal_code"),
        country: text("country"),
        phone: text("phone"),
    }
}

/// Puts an address into a form's fields.
pub(crate) fn fill(form: Form, prefix: &str, address: &Address) -> Form {
    let values = [
        ("name", &address.name),
        ("company", &address.company),
        ("line1", &address.line1),
        ("line2", &address.line2),
        ("city", &address.city),
        ("subdivision", &address.subdivision),
        ("postal_code", &address.postal_code),
        ("country", &address.country),
        ("phone", &address.phone),
    ];
    values.into_iter().fold(form, |form, (name, value)| form.with(&format!("{prefix}{name}"), value))
}

/// The fields, for one country's customs as far as the form can know them; the service checks by the country's rules.
pub(crate) fn fields(form: &Form, prefix: &str, countries: &[Country]) -> Markup {
    let name = |field: &str| format!("{prefix}{field}");
    html! {
        div.columns {
            (Input::country(&name("country"), "Country", countries).autocomplete("shipping country").class("half").show(form))
            (Input::text(&name("name"), "Full name").autocomplete("shipping name").max_len(100).class("half").show(form))
            (Input::text(&name("line1"), "Street and number").autocomplete("shipping address-line1").max_len(200).show(form))
            (Input::text(&name("line2"), "Flat, floor, building").autocomplete("shipping address-line2").max_len(200).optional().show(form))
            (Input::text(&name("postal_code"), "Postal code").autocomplete("shipping postal-code").max_len(20).lenient().class("third").show(form))
            (Input::text(&name("city"), "City").autocomplete("shipping address-level2").max_len(100).class("two-thirds").show(form))
            (Input::text(&name("subdivision"), "State or province").autocomplete("shipping address-level1").max_len(100).lenient().class("half").hint("Where addresses have one; by its code, as in CA.").show(form))
            (Input::text(&name("phone"), "Phone").kind("tel").autocomplete("shipping tel").max_len(30).optional().class("half").hint("Only for the carrier, if it has a question.").show(form))
        }
    }
}

/// Where the postal code follows the city and the state.
const CITY_FIRST: [&str; 6] = ["US", "CA", "AU", "GB", "IN", "NZ"];

/// On lines, as on a label.
pub(crate) fn lines(address: &Address) -> Markup {
    let place = if CITY_FIRST.contains(&address.country.as_str()) {
        [address.city.as_str(), address.subdivision.as_str(), address.postal_code.as_str()]
    } else {
        [address.postal_code.as_str(), address.city.as_str(), address.subdivision.as_str()]
    };
    let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
    let all = [address.name.as_str(), &address.company, &address.line1, &address.line2, &place.join(" "), &address.country];
    html! { address.lines { @for line in all.iter().filter(|line| !line.is_empty()) { span { (line) } br; } } }
}

/// In one line.
pub(crate) fn short(address: &Address) -> String {
    let parts = [address.line1.as_str(), &address.city, &address.postal_code, &address.country];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}
