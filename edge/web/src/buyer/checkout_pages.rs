//! The pages of the checkout.

use api_identity::{Country, SavedAddress};
use api_orders::{Checkout, CheckoutPart, Item, Totals};
use maud::{Markup, html};

use crate::buyer::address;
use crate::buyer::cart::{days, free_or};
use crate::buyer::paying::{CardAnswer, Means};
use crate::buyer::paying_pages::{card_words, choice, hidden};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Head, Tone, amount, icon, show};
use crate::visit::Visit;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum Step {
    /// The checkout itself, without a step.
    Checkout,
    Address,
    Shipping,
    Payment,
    Review,
}

pub(crate) fn address_of(checkout_id: &str, step: Step) -> String {
    let word = match step {
        Step::Checkout => return format!("/checkout/{checkout_id}"),
        Step::Address => "address",
        Step::Shipping => "shipping",
        Step::Payment => "payment",
        Step::Review => "review",
    };
    format!("/checkout/{checkout_id}/{word}")
}

fn steps(checkout: &Checkout, now: Step) -> Markup {
    let all = [(Step::Address, "Address"), (Step::Shipping, "Shipping"), (Step::Payment, "Payment"), (Step::Review, "Review")];
    html! {
        nav.steps.mb6 aria-label="Checkout steps" {
            ol {
                @for (number, (step, word)) in (1..).zip(all) {
                    li.done[step < now] aria-current=[(step == now).then_some("step")] {
                        @if step < now {
                            a href=(address_of(&checkout.checkout_id, step)) { span.mark { (icon("check")) } span.word { (word) } }
                        } @else { span.mark { (number) } span.word { (word) } }
                    }
                }
            }
        }
    }
}

fn frame(visit: &Visit, title: &str, body: &Markup) -> Markup {
    ui::checkout_frame(visit, &Head { title, scripts: &["card.js"], ..Head::default() }, body)
}

fn with_summary(visit: &Visit, title: &str, checkout: &Checkout, now: Step, body: &Markup) -> Markup {
    let content = html! {
        (steps(checkout, now))
        div.with-aside {
            div { h1.mb6 { (title) } (body) }
            aside { (summary(checkout, now > Step::Address)) }
        }
    };
    frame(visit, title, &content)
}

fn summary(checkout: &Checkout, shipping_known: bool) -> Markup {
    html! {
        section.card.stack {
            h2 { "Your order" }
            div { @for part in &checkout.parts { (part_lines(part)) } }
            @if shipping_known { (sums(checkout.totals.as_ref())) } @else { (sums_so_far(checkout.totals.as_ref())) }
        }
    }
}

fn part_lines(part: &CheckoutPart) -> Markup {
    html! {
        p.tiny.hush.row.tight { (icon("store")) (part.store_name) }
        @for item in &part.items { (item_line(item)) }
    }
}

/// A line of something ordered, small.
pub(crate) fn item_line(item: &Item) -> Markup {
    html! {
        div.line.small-line {
            (ui::picture_at(&item.image_url, "", &item.title))
            p.small { span.clamp-2 { (item.title) } }
            p.num.small.strong { @if let Some(total) = amount(item.line_total.as_ref()) { (show::money(total)) } }
            p.meta.tiny {
                (item.quantity) " ×"
                @if let Some(price) = amount(item.unit_price.as_ref()) { " " (show::money(price)) }
                @if !item.options.is_empty() { " · " (item.options) }
                @if item.cancelled_quantity > 0 { " · " strong { (item.cancelled_quantity) " cancelled" } }
                @if item.returned_quantity > 0 { " · " strong { (item.returned_quantity) " sent back" } }
            }
        }
    }
}

/// Before it is known what shipping costs.
fn sums_so_far(totals: Option<&Totals>) -> Markup {
    let known = |totals: &Totals| amount(totals.total.as_ref())?.minus(amount(totals.shipping.as_ref())?).ok();
    html! {
        dl.sums {
            dt { "Shipping" } dd.hush { "at the next step" }
            @if let Some(total) = totals.and_then(known) { dt.total { "Without shipping" } dd.total { (show::money(total)) } }
        }
    }
}

/// Goods + tax + shipping − discount = total.
pub(crate) fn sums(totals: Option<&Totals>) -> Markup {
    let Some(totals) = totals else { return Markup::default() };
    let some = |money: &Option<kit_rpc::proto::Money>| amount(money.as_ref()).filter(|money| !money.is_zero());
    html! {
        dl.sums {
            @if let Some(items) = amount(totals.items.as_ref()) { dt { "Goods" } dd { (show::money(items)) } }
            @if let Some(discount) = some(&totals.discount) { dt { "Discount" } dd { "−" (show::money(discount)) } }
            @if let Some(shipping) = amount(totals.shipping.as_ref()) { dt { "Shipping" } dd { (free_or(shipping)) } }
            @if let Some(tax) = some(&totals.tax) { dt { "Tax" } dd { (show::money(tax)) } }
            @if let Some(total) = amount(totals.total.as_ref()) { dt.total { "Total" } dd.total { (show::money(total)) } }
            @if let Some(included) = some(&totals.tax_included) { dt.tiny { "Tax included" } dd.tiny { (show::money(included)) } }
        }
    }
}

/// With or without an account.
pub(crate) fn who(visit: &Visit) -> Markup {
    let guest = html! { button.btn.outline.block type="submit" { "Go on as a guest" } };
    let body = html! {
        div.medium.sign {
            div.center { h1 { "How would you like to check out?" } p.soft-ink.mt2 { "Your cart comes along either way." } }
            div.grid.two {
                section.card.stack {
                    h2 { "With an account" }
                    p.small.soft-ink.grow { "Addresses are remembered and all your orders are in one place." }
                    a.btn.block href="/sign-in?next=%2Fcheckout" { "Sign in" }
                    a.btn.outline.block href="/sign-up?next=%2Fcheckout" { "Make an account" }
                }
                section.card.stack {
                    h2 { "Without one" }
                    p.small.soft-ink.grow { "You get a link to follow your order. You can still make an account later and keep it." }
                    (form::post(visit, "/checkout/guest", guest))
                }
            }
        }
    };
    frame(visit, "Check out", &body)
}

pub(crate) fn address(visit: &Visit, checkout: &Checkout, form: &Form, countries: &[Country], saved: &[SavedAddress]) -> Markup {
    let new = form.get("saved") == "new" || saved.is_empty();
    let fields = html! {
        div.stack.loose {
            (form.summary())
            section.card { (Input::email("email", "E-mail address").hint("For the confirmation and news of your parcels.").show(form)) }
            @if saved.is_empty() {
                section.card.stack { h2 { "Where to" } (address::fields(form, "shipping_address.", countries)) }
            } @else {
                fieldset.stack {
                    legend.sr { "Where to" }
                    div.choices {
                        @for entry in saved {
                            @let place = entry.address.clone().unwrap_or_default();
                            label.choice {
                                input type="radio" name="saved" value=(entry.address_id) checked[form.get("saved") == entry.address_id];
                                span.what { (place.name) }
                                span.more { (address::short(&place)) }
                            }
                        }
                        label.choice {
                            input type="radio" name="saved" value="new" checked[new];
                            span.what { "Another address" }
                            span.more { "Fill in the form below" }
                        }
                    }
                    // Browsers do not ask for fields of a saved choice: the form is only checked by the service.
                    details.card open[new] {
                        summary.strong { "Another address" }
                        div.mt4 { (address::fields(form, "shipping_address.", countries)) }
                    }
                }
            }
            div.row.end { button.btn.large type="submit" { "On to shipping" (icon("arrow-right")) } }
        }
    };
    let action = address_of(&checkout.checkout_id, Step::Address);
    let body = html! { form method="post" action=(action) novalidate[!saved.is_empty()] { (form::csrf(visit)) (fields) } };
    with_summary(visit, "Where should it go?", checkout, Step::Address, &body)
}

pub(crate) fn shipping(visit: &Visit, checkout: &Checkout, form: &Form) -> Markup {
    let fields = html! {
        div.stack.loose {
            (form.summary())
            @if let Some(place) = &checkout.shipping_address {
                p.row.tight.soft-ink {
                    (icon("map-pin")) (address::short(place))
                    a href=(address_of(&checkout.checkout_id, Step::Address)) { "Change" }
                }
            }
            @for part in &checkout.parts {
                section.parcel {
                    header {
                        h2 { (icon("store")) (part.store_name) }
                        span.hush { (show::counted(u64::try_from(part.items.len()).unwrap_or(0), "product", "products")) }
                    }
                    div.inside.stack {
                        @if part.shipping_options.is_empty() {
                            (ui::notice(Tone::Bad, "This shop does not ship to your address. Change the address, or take its goods out of the cart."))
                        } @else {
                            fieldset { legend.sr { "Shipping from " (part.store_name) }
                                div.choices {
                                    @for option in &part.shipping_options {
                                        label.choice {
                                            input type="radio" name=(part.tenant_id) value=(option.shipping_method_id) required checked[option.shipping_method_id == part.shipping_method_id];
                                            span.what { (option.name) }
                                            span.num.strong { @if let Some(price) = amount(option.price.as_ref()) { (free_or(price)) } }
                                            span.more { (icon("truck")) " " (days(option.min_days, option.max_days)) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            div.row.between {
                a.btn.quiet href=(address_of(&checkout.checkout_id, Step::Address)) { (icon("arrow-left")) "Address" }
                button.btn.large type="submit" { "On to payment" (icon("arrow-right")) }
            }
        }
    };
    let body = form::post(visit, &address_of(&checkout.checkout_id, Step::Shipping), fields);
    with_summary(visit, "How should each shop ship?", checkout, Step::Shipping, &body)
}

pub(crate) fn payment(visit: &Visit, checkout: &Checkout, means: &Means, form: &Form) -> Markup {
    let body = html! {
        (choice(visit, means, form, &address_of(&checkout.checkout_id, Step::Review), &[], "Review the order"))
        p.mt4 { a.btn.quiet href=(address_of(&checkout.checkout_id, Step::Shipping)) { (icon("arrow-left")) "Shipping" } }
    };
    with_summary(visit, "How would you like to pay?", checkout, Step::Payment, &body)
}

pub(crate) fn review(visit: &Visit, checkout: &Checkout, card: &CardAnswer, form: &Form) -> Markup {
    let id = &checkout.checkout_id;
    let total = checkout.totals.as_ref().and_then(|totals| amount(totals.total.as_ref()));
    let place = html! {
        (hidden(card))
        button.btn.large.block type="submit" { "Place the order" @if let Some(total) = total { " · " (show::money(total)) } }
    };
    let content = html! {
        (steps(checkout, Step::Review))
        div.with-aside {
            div {
                h1.mb6 { "A last look" }
                div.stack.loose {
                    (form.summary())
                    div.grid.two {
                        section.card {
                            header { h2 { "Goes to" } a.small href=(address_of(id, Step::Address)) { "Change" } }
                            (address::lines(&checkout.shipping_address.clone().unwrap_or_default()))
                            p.small.hush.mt2 { (checkout.email) }
                        }
                        section.card {
                            header { h2 { "Paying with" } a.small href=(address_of(id, Step::Payment)) { "Change" } }
                            p.row.tight { (icon("credit-card")) (card_words(card)) }
                            @if card.saves() { p.small.hush.mt2 { "Kept for your next orders." } }
                        }
                    }
                    @for part in &checkout.parts {
                        @let method = part.shipping_options.iter().find(|option| option.shipping_method_id == part.shipping_method_id);
                        section.parcel {
                            header { h2 { (icon("store")) (part.store_name) } a.small href=(address_of(id, Step::Shipping)) { "Change shipping" } }
                            div.inside { @for item in &part.items { (item_line(item)) } }
                            @if let Some(method) = method {
                                footer {
                                    span.row.tight { (icon("truck")) (method.name) ", " (days(method.min_days, method.max_days)) }
                                    @if let Some(price) = amount(method.price.as_ref()) { span { (free_or(price)) } }
                                }
                            }
                        }
                    }
                }
            }
            aside {
                section.card.stack {
                    h2 { "Total" }
                    (sums(checkout.totals.as_ref()))
                    (form::post(visit, &format!("/checkout/{id}/place"), place))
                    p.tiny.hush.center { "You are charged once, for all shops together." }
                }
            }
        }
    };
    frame(visit, "A last look", &content)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::{address as place, checkout, countries, means};
    use crate::visit::sample;
    let saved = vec![SavedAddress { address_id: "adr_1".to_owned(), address: Some(place()), default: true }];
    let wrong = address::fill(Form::default().with("email", "ann@"), "shipping_address.", &place())
        .wrong("email", "Must be an e-mail address like name@example.com.")
        .wrong("shipping_address.postal_code", "Must look like 94103.");
    let card = CardAnswer { payment_token: "tok_1".to_owned(), brand: "visa".to_owned(), last4: "4242".to_owned(), ..CardAnswer::default() };
    let declined =
        CardAnswer { payment_error: "The card number is not valid".to_owned(), payment_error_field: "number".to_owned(), ..CardAnswer::default() };
    let mut unreachable = checkout();
    unreachable.parts[1].shipping_options.clear();
    let changed = Form::default().refused("A price changed since you last looked. Here are the new prices; place the order again to accept them.");
    vec![
        ("checkout-who", who(&sample::nobody())),
        ("checkout-address", address(&sample::nobody(), &checkout(), &Form::default(), &countries(), &[])),
        ("checkout-address-saved", address(&sample::buyer(), &checkout(), &Form::default().with("saved", "adr_1"), &countries(), &saved)),
        ("checkout-address-wrong", address(&sample::nobody(), &checkout(), &wrong, &countries(), &[])),
        ("checkout-shipping", shipping(&sample::buyer(), &checkout(), &Form::default())),
        ("checkout-shipping-none", shipping(&sample::buyer(), &unreachable, &Form::default())),
        ("checkout-payment", payment(&sample::buyer(), &checkout(), &means(), &Form::default())),
        ("checkout-payment-wrong", payment(&sample::buyer(), &checkout(), &means(), &declined.form())),
        ("checkout-payment-none", payment(&sample::buyer(), &checkout(), &Means::default(), &Form::default())),
        ("checkout-review", review(&sample::buyer(), &checkout(), &card, &Form::default())),
        ("checkout-review-changed", review(&sample::buyer(), &checkout(), &card, &changed)),
    ]
}
