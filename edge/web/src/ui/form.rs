//! Forms that remember what was typed and say what is wrong next to the field it concerns.

use std::collections::BTreeMap;

use api_identity::Country;
use kit_rpc::Problem;
use maud::{Markup, Render, html};

use crate::ui::icon;
use crate::visit::Visit;

/// What a form holds: values by field name, errors by field name, and an error that belongs to no single field.
/// Field names equal the request's field paths (`address.line1`), so a service's violations find their fields by themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form {
    values: BTreeMap<String, Vec<String>>,
    errors: BTreeMap<String, String>,
    trouble: Option<String>,
}

impl Form {
    /// From a posted body; a name may occur several times (check boxes).
    pub(crate) fn posted(pairs: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in pairs {
            form.values.entry(name).or_default().push(value);
        }
        form
    }

    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.insert(name.to_owned(), vec![value.into()]);
        self
    }

    #[must_use]
    pub(crate) fn wrong(mut self, name: &str, message: impl Into<String>) -> Self {
        self.errors.insert(name.to_owned(), message.into());
        self
    }

    /// Something wrong with the form as a whole.
    #[must_use]
    pub(crate) fn refused(self, trouble: impl Into<String>) -> Self {
        Self { trouble: Some(trouble.into()), ..self }
    }

    /// Takes over what a service said: violations go to their fields, anything else above the form.
    #[must_use]
    pub(crate) fn rejected(mut self, problem: &Problem) -> Self {
        for violation in &problem.violations {
            self.errors.insert(violation.field.clone(), sentence(&violation.message));
        }
        if problem.violations.is_empty() {
            self.trouble = Some(sentence(&problem.message));
        }
        self
    }

    /// The (first) value, trimmed; "" when there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.values.get(name).and_then(|values| values.first()).map_or("", |value| value.trim())
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.get(name).to_owned()
    }

    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(crate) fn error(&self, name: &str) -> Option<&str> {
        self.errors.get(name).map(String::as_str)
    }

    /// Above the form: what is wrong as a whole, and the errors of fields this form does not show.
    pub(crate) fn summary(&self) -> Markup {
        html! {
            @if let Some(trouble) = &self.trouble {
                div.notice.bad role="alert" { (icon("circle-alert")) div { (trouble) } }
            } @else if !self.errors.is_empty() {
                div.notice.bad role="alert" {
                    (icon("circle-alert"))
                    div {
                        strong { "Please check what you entered." }
                        ul { @for (name, message) in &self.errors { li { a href={ "#" (field_id(name)) } { strong { (spoken(name)) ":" } " " (message) } } } }
                    }
                }
            }
        }
    }
}

/// Fields whose name says too little.
const SPOKEN: [(&str, &str); 3] = [("line1", "Street and number"), ("line2", "Flat, floor, building"), ("subdivision", "State or province")];

/// What a field is called where it stands alone: "shipping_address.postal_code" → "Postal code", "lines[0].quantity" → "Quantity".
fn spoken(field: &str) -> String {
    let last = field.rsplit('.').next().unwrap_or(field);
    let last = last.split('[').next().unwrap_or(last);
    let known = SPOKEN.iter().find(|(name, _)| *name == last).map(|(_, spoken)| (*spoken).to_owned());
    known.unwrap_or_else(|| capital(&last.replace('_', " ")))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    format!("{start}{}", chars.as_str())
}

/// "is required" → "Is required."
fn sentence(text: &str) -> String {
    let text = text.trim();
    let ending = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{ending}", capital(text))
}

fn field_id(name: &str) -> String {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("f-{plain}")
}

/// A form that changes something; carries the token that proves it came from one of our pages.
pub(crate) fn post(visit: &Visit, action: &str, body: impl Render) -> Markup {
    html! { form method="post" action=(action) { (csrf(visit)) (body) } }
}

/// The hidden proof, for forms written out in full (htmx attributes, classes, uploads).
pub(crate) fn csrf(visit: &Visit) -> Markup {
    html! { input type="hidden" name="csrf" value=(visit.csrf); }
}

/// One labelled input. Made by `Input::text("email", "E-mail address")` and shown by `.show(&form)`.
pub(crate) struct Input<'a> {
    name: &'a str,
    label: &'a str,
    kind: &'a str,
    hint: &'a str,
    unit: &'a str,
    placeholder: &'a str,
    autocomplete: &'a str,
    inputmode: &'a str,
    max_len: u32,
    rows: u32,
    optional: bool,
    lenient: bool,
    focus: bool,
    class: &'a str,
    options: Option<Vec<(String, String)>>,
}

impl<'a> Input<'a> {
    pub(crate) fn text(name: &'a str, label: &'a str) -> Self {
        Self {
            name,
            label,
            kind: "text",
            hint: "",
            unit: "",
            placeholder: "",
            autocomplete: "",
            inputmode: "",
            max_len: 0,
            rows: 0,
            optional: false,
            lenient: false,
            focus: false,
            class: "",
            options: None,
        }
    }
    pub(crate) fn email(name: &'a str, label: &'a str) -> Self {
        Self { kind: "email", autocomplete: "email", max_len: 254, ..Self::text(name, label) }
    }
    pub(crate) fn password(name: &'a str, label: &'a str) -> Self {
        Self { kind: "password", autocomplete: "current-password", max_len: 200, ..Self::text(name, label) }
    }
    pub(crate) fn number(name: &'a str, label: &'a str) -> Self {
        Self { inputmode: "numeric", ..Self::text(name, label) }
    }
    /// An amount in the given currency's symbol or code.
    pub(crate) fn amount(name: &'a str, label: &'a str, unit: &'a str) -> Self {
        Self { inputmode: "decimal", unit, ..Self::text(name, label) }
    }
    pub(crate) fn area(name: &'a str, label: &'a str) -> Self {
        Self { rows: 5, ..Self::text(name, label) }
    }
    /// A choice among (value, shown) pairs.
    pub(crate) fn select<V: Into<String>, S: Into<String>>(name: &'a str, label: &'a str, options: impl IntoIterator<Item = (V, S)>) -> Self {
        let options = options.into_iter().map(|(value, shown)| (value.into(), shown.into())).collect();
        Self { options: Some(options), ..Self::text(name, label) }
    }
    /// A country by its name; by its code where the list of countries could not be had.
    pub(crate) fn country(name: &'a str, label: &'a str, countries: &[Country]) -> Self {
        if countries.is_empty() {
            return Self { max_len: 2, hint: "Two letters, as in US.", ..Self::text(name, label) };
        }
        Self::select(name, label, countries.iter().map(|country| (country.code.as_str(), country.name.as_str())))
    }
    #[must_use]
    pub(crate) fn kind(self, kind: &'a str) -> Self {
        Self { kind, ..self }
    }
    #[must_use]
    pub(crate) fn hint(self, hint: &'a str) -> Self {
        Self { hint, ..self }
    }
    #[must_use]
    pub(crate) fn placeholder(self, placeholder: &'a str) -> Self {
        Self { placeholder, ..self }
    }
    #[must_use]
    pub(crate) fn autocomplete(self, autocomplete: &'a str) -> Self {
        Self { autocomplete, ..self }
    }
    #[must_use]
    pub(crate) fn inputmode(self, inputmode: &'a str) -> Self {
        Self { inputmode, ..self }
    }
    #[must_use]
    pub(crate) fn max_len(self, max_len: u32) -> Self {
        Self { max_len, ..self }
    }
    #[must_use]
    pub(crate) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }
    /// Asked for in some cases only, which the service knows: the browser does not insist.
    #[must_use]
    pub(crate) fn lenient(self) -> Self {
        Self { lenient: true, ..self }
    }
    #[must_use]
    pub(crate) fn focus(self) -> Self {
        Self { focus: true, ..self }
    }
    /// Classes for its place in a `.columns` grid: "half", "third", "two-thirds".
    #[must_use]
    pub(crate) fn class(self, class: &'a str) -> Self {
        Self { class, ..self }
    }

    pub(crate) fn show(&self, form: &Form) -> Markup {
        let id = field_id(self.name);
        let error = form.error(self.name);
        let told = match (error.is_some(), self.hint.is_empty()) {
            (true, _) => Some(format!("{id}-error")),
            (false, false) => Some(format!("{id}-hint")),
            (false, true) => None,
        };
        html! {
            div class={ "field " (self.class) @if error.is_some() { " invalid" } } {
                label for=(id) { (self.label) @if self.optional { " " span.optional { "(optional)" } } }
                (self.control(form, &id, told.as_deref(), error.is_some()))
                @if let Some(error) = error {
                    p.error id={ (id) "-error" } { (icon("circle-alert")) span { (error) } }
                } @else if !self.hint.is_empty() {
                    p.hint id={ (id) "-hint" } { (self.hint) }
                }
            }
        }
    }

    fn control(&self, form: &Form, id: &str, told: Option<&str>, invalid: bool) -> Markup {
        let value = form.get(self.name);
        let some = |text: &'a str| (!text.is_empty()).then_some(text);
        let invalid = invalid.then_some("true");
        let max = (self.max_len > 0).then_some(self.max_len);
        html! {
            @if let Some(options) = &self.options {
                select #(id) name=(self.name) required[!self.optional && !self.lenient] autocomplete=[some(self.autocomplete)] aria-describedby=[told] aria-invalid=[invalid] {
                    @if self.optional && options.iter().all(|(option, _)| !option.is_empty()) { option value="" { "–" } }
                    @for (option, shown) in options { option value=(option) selected[option == value] { (shown) } }
                }
            } @else if self.rows > 0 {
                textarea #(id) name=(self.name) rows=(self.rows) required[!self.optional && !self.lenient] maxlength=[max] placeholder=[some(self.placeholder)]
                    aria-describedby=[told] aria-invalid=[invalid] { (value) }
            } @else {
                div.with-unit[!self.unit.is_empty()] {
                    @if !self.unit.is_empty() { span.unit aria-hidden="true" { (self.unit) } }
                    input.input #(id) type=(self.kind) name=(self.name) value=(if self.kind == "password" { "" } else { value }) required[!self.optional && !self.lenient] maxlength=[max]
                        placeholder=[some(self.placeholder)] autocomplete=[some(self.autocomplete)] inputmode=[some(self.inputmode)]
                        autofocus[self.focus] aria-describedby=[told] aria-invalid=[invalid];
                }
            }
        }
    }
}

/// A box to tick, value "on".
pub(crate) fn check(form: &Form, name: &str, label: impl Render) -> Markup {
    html! { label.check { input type="checkbox" name=(name) value="on" checked[form.get(name) == "on"]; span { (label) } } }
}
