//! How methods to pay with look: the choice among them, a provider's card form, and the list of those that are kept.

use api_payments::{PaymentMethod, PaymentMethodKind, PaymentOption};
use maud::{Markup, html};

use crate::buyer::paying::{CardAnswer, Means};
use crate::ui::form::{self, Form, Input, check};
use crate::ui::{self, Head, Tone, icon, show};
use crate::visit::Visit;

/// The choice of a method: `review` is where it leads, an address without a query; `extra` is kept on the way.
pub(crate) fn choice(visit: &Visit, means: &Means, form: &Form, review: &str, extra: &[(&str, &str)], submit: &str) -> Markup {
    let cards = || means.options.iter().filter(|option| !option.tokenisation_url.is_empty() || !option.script_url.is_empty());
    let others: Vec<&PaymentOption> = means.options.iter().filter(|option| !option.token.is_empty()).collect();
    if means.options.is_empty() {
        return ui::notice(Tone::Bad, "No way to pay is available right now. Try again in a moment.");
    }
    let return_url = with_query(&format!("{}{review}", visit.public_url), extra);
    html! {
        div.stack.loose {
            (form.summary())
            @if !means.kept.is_empty() {
                section.stack {
                    h2 { "Pay with a card you kept" }
                    (choose(review, extra, "Use this card", html! {
                        @for (index, method) in means.kept.iter().enumerate() {
                            label.choice {
                                input type="radio" name="payment_token" value=(method.method_id) required checked[index == 0];
                                span.what { (kept_words(method)) }
                                span.more { (expiry(method)) }
                            }
                        }
                    }))
                }
            }
            @for option in cards() { (card_form(visit, option, form, &return_url, submit, visit.viewer.signed_in)) }
            @if !others.is_empty() {
                section.stack {
                    h2 { @if cards().next().is_some() { "Or pay another way" } @else { "Choose how to pay" } }
                    (choose(review, extra, "Continue", html! { @for option in others { (other(option)) } }))
                }
            }
        }
    }
}

fn with_query(address: &str, extra: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(extra.iter().filter(|(_, value)| !value.is_empty())).finish();
    match (query.is_empty(), address.contains('?')) {
        (true, _) => address.to_owned(),
        (false, asked) => format!("{address}{}{query}", if asked { '&' } else { '?' }),
    }
}

fn choose(review: &str, extra: &[(&str, &str)], submit: &str, choices: Markup) -> Markup {
    html! {
        form.stack method="get" action=(review) {
            @for (name, value) in extra { @if !value.is_empty() { input type="hidden" name=(name) value=(value); } }
            div.choices { (choices) }
            div.row.end { button.btn.large type="submit" { (submit) (icon("arrow-right")) } }
        }
    }
}

/// A method that is finished at its provider.
fn other(option: &PaymentOption) -> Markup {
    let more = match option.method() {
        PaymentMethodKind::Upi => "You confirm in your UPI app.",
        PaymentMethodKind::NetBanking => "You sign in at your bank.",
        PaymentMethodKind::Wallet => "You confirm in your wallet.",
        _ => "You confirm at the provider and come back here.",
    };
    html! {
        label.choice {
            input type="radio" name="payment_token" value=(option.token) required;
            span.what { (option.name) }
            span.more {
                (more)
                @if !option.choices.is_empty() {
                    " "
                    select name={ "choice_" (option.token) } aria-label=(option.choice) {
                        @for choice in &option.choices { option value=(choice.code) { (choice.name) } }
                    }
                }
            }
        }
    }
}

/// The browser sends this form to the payment provider, never to us; the provider sends the buyer back with a token.
fn card_form(visit: &Visit, option: &PaymentOption, form: &Form, return_url: &str, submit: &str, may_save: bool) -> Markup {
    let head =
        html! { div.row.between { h2.row.tight { (icon("credit-card")) (option.name) } span.badge { (icon("lock")) "Sent to the provider only" } } };
    let save = html! { @if may_save && option.can_be_saved { (check(form, "state_save", "Keep this card for my next orders")) } };
    if !option.script_url.is_empty() {
        return html! {
            form.card.stack data-card data-psp=(option.psp) data-key=(option.publishable_key) data-return=(return_url) {
                (head)
                div.input data-card-fields {}
                p.small.bad-ink role="alert" data-card-error {}
                noscript { (ui::notice(Tone::Warn, "This provider's card fields need JavaScript. Choose another way to pay, or switch it on.")) }
                (save)
                button.btn.large.block type="submit" { (submit) (icon("arrow-right")) }
            }
            script src=(option.script_url) {}
        };
    }
    html! {
        div.stack {
            form.card.stack method="post" action=(option.tokenisation_url) autocomplete="on" {
                (head)
                input type="hidden" name="key" value=(option.publishable_key);
                input type="hidden" name="return_url" value=(return_url);
                input type="hidden" name="state_psp" value=(option.psp);
                (Input::text("number", "Card number").inputmode("numeric").autocomplete("cc-number").placeholder("4242 4242 4242 4242").max_len(23).focus().show(form))
                (Input::text("name", "Name on the card").autocomplete("cc-name").max_len(100).show(form))
                div.columns {
                    (Input::text("exp_month", "Month").inputmode("numeric").autocomplete("cc-exp-month").placeholder("MM").max_len(2).class("third").show(form))
                    (Input::text("exp_year", "Year").inputmode("numeric").autocomplete("cc-exp-year").placeholder("YYYY").max_len(4).class("third").show(form))
                    (Input::text("cvc", "Security code").inputmode("numeric").autocomplete("cc-csc").placeholder("123").max_len(4).class("third").show(form))
                }
                (save)
                button.btn.large.block type="submit" { (submit) (icon("arrow-right")) }
            }
            @if !option.test_cards.is_empty() {
                details.card.soft open {
                    summary.strong { "Cards to try: this is a sandbox" }
                    dl.facts.small.mt4 { @for card in &option.test_cards { dt.mono.nowrap { (grouped(&card.number)) } dd { (card.effect) } } }
                    p.tiny.hush.mt2 { "Any month in the future, any three digits. Today it is " (visit.now.format("%m/%Y")) "." }
                }
            }
        }
    }
}

/// "4242 4242 4242 4242".
fn grouped(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

fn kept_words(method: &PaymentMethod) -> String {
    let summary = method.summary.clone().unwrap_or_default();
    words(&summary.brand, &summary.last4)
}

fn expiry(method: &PaymentMethod) -> String {
    let summary = method.summary.clone().unwrap_or_default();
    if summary.exp_month == 0 { String::new() } else { format!("Good until {:02}/{}", summary.exp_month, summary.exp_year) }
}

fn words(brand: &str, last4: &str) -> String {
    let brand = match brand {
        "" => "Card".to_owned(),
        brand => {
            let mut letters = brand.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    };
    if last4.is_empty() { brand } else { format!("{brand} ending in {last4}") }
}

/// "Visa ending in 4242", "PayPal", "Net banking (HDFC)".
pub(crate) fn card_words(card: &CardAnswer) -> String {
    let (method, chosen) = card.payment_token.split_once(':').unwrap_or((&card.payment_token, ""));
    let name = match method {
        "paypal" => "PayPal",
        "upi" => "UPI",
        "net_banking" => "Net banking",
        "wallet" => "Wallet",
        _ => return words(&card.brand, &card.last4),
    };
    if chosen.is_empty() { name.to_owned() } else { format!("{name} ({chosen})") }
}

/// What goes with the order when it is placed.
pub(crate) fn hidden(card: &CardAnswer) -> Markup {
    html! {
        input type="hidden" name="payment_token" value=(card.payment_token);
        input type="hidden" name="brand" value=(card.brand);
        input type="hidden" name="last4" value=(card.last4);
        @if card.saves() { input type="hidden" name="state_save" value="on"; }
    }
}

pub(crate) fn kept(visit: &Visit, methods: &[PaymentMethod]) -> Markup {
    let head = Head { title: "Payment methods", tab: "account", ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&[("/account".to_owned(), "Account".to_owned())], "Payment methods"))
                div.page-head { div { h1 { "Payment methods" } p { "The provider has the numbers; we have its word for each card." } } }
                @if methods.is_empty() {
                    (ui::empty("credit-card", "No card is kept", "Tick \u{201c}Keep this card\u{201d} when you pay, and it is here the next time.", None))
                } @else {
                    ul.card.divided {
                        @for method in methods {
                            li.row.between {
                                div {
                                    p.strong.row.tight { (icon("credit-card")) (kept_words(method)) }
                                    p.small.hush { (expiry(method)) @if let Some(at) = &method.created_at { " · kept " (show::moment(kit_rpc::time(at))) } }
                                }
                                (form::post(visit, &format!("/account/payment-methods/{}/delete", method.method_id), html! { button.btn.small.quiet type="submit" { (icon("trash-2")) "Remove" } }))
                            }
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::means;
    use crate::visit::sample;
    vec![("payment-methods", kept(&sample::buyer(), &means().kept)), ("payment-methods-none", kept(&sample::buyer(), &[]))]
}
