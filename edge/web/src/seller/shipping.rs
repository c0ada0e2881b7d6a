//! How the shop sends: its shipping methods, what they cost, where to, how long they take.

use api_fulfillment::{
    CreateShippingMethodRequest, DeleteShippingMethodRequest, ListShippingMethodsRequest, RateKind, RateTier, ShippingMethod, ShippingTerms,
    UpdateShippingMethodRequest,
};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_core::{Currency, Money};
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, shop_currency, working};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

/// Rows for tiers in the form.
const TIERS: usize = 8;
const RATES: [(&str, &str); 3] = [("flat", "The same for every parcel"), ("by_weight", "By weight"), ("by_price", "By the price of the goods")];

async fn methods(site: &Site, visit: &Visit) -> Result<Vec<ShippingMethod>, Failure> {
    Ok(site.fulfillment.clone().list_shipping_methods(visit.ctx.request(ListShippingMethodsRequest {})).await?.into_inner().methods)
}

pub(crate) async fn list(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    Ok(view_list(&here, &methods(&site, &here).await?).into_response())
}

pub(crate) async fn new(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    let currency = shop_currency(&site, &here).await?;
    let form = Form::default().with("terms.rate", "flat").with("terms.min_days", "2").with("terms.max_days", "5");
    Ok(view(&here, "", currency, &form).into_response())
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(id): Path<String>) -> Page {
    working(&here)?;
    let method = methods(&site, &here).await?.into_iter().find(|method| method.shipping_method_id == id).ok_or_else(Failure::not_found)?;
    let shop = shop_currency(&site, &here).await?;
    Ok(view(&here, &id, currency_of(&method, shop), &filled(&method)).into_response())
}

fn currency_of(method: &ShippingMethod, shop: Currency) -> Currency {
    method.terms.as_ref().and_then(|terms| terms.currency.parse().ok()).unwrap_or(shop)
}

pub(crate) async fn create(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let currency = shop_currency(&site, &here).await?;
    let failed = match terms_of(&form, currency) {
        Ok(terms) => {
            site.fulfillment.clone().create_shipping_method(here.ctx.request(CreateShippingMethodRequest { terms: Some(terms) })).await.err()
        }
        Err(form) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, view(&here, "", currency, &form)).into_response()),
    };
    Ok(answer(&site, &here, "", currency, &form, failed))
}

pub(crate) async fn save(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    working(&here)?;
    let method = methods(&site, &here).await?.into_iter().find(|method| method.shipping_method_id == id).ok_or_else(Failure::not_found)?;
    let currency = currency_of(&method, shop_currency(&site, &here).await?);
    let failed = match terms_of(&form, currency) {
        Ok(terms) => {
            let request =
                UpdateShippingMethodRequest { shipping_method_id: id.clone(), terms: Some(terms), if_version: form.get("if_version").parse().ok() };
            site.fulfillment.clone().update_shipping_method(here.ctx.request(request)).await.err()
        }
        Err(form) => return Ok((StatusCode::UNPROCESSABLE_ENTITY, view(&here, &id, currency, &form)).into_response()),
    };
    Ok(answer(&site, &here, &id, currency, &form, failed))
}

fn answer(site: &Site, visit: &Visit, id: &str, currency: Currency, form: &Form, failed: Option<tonic::Status>) -> axum::response::Response {
    match failed {
        None => site.redirect("/seller/shipping", Tone::Good, "Saved. The next checkout offers it."),
        Some(status) => (StatusCode::UNPROCESSABLE_ENTITY, view(visit, id, currency, &form.clone().rejected(&problem_of(&status)))).into_response(),
    }
}

pub(crate) async fn delete(State(site): State<Web>, here: Here, Path(shipping_method_id): Path<String>, Posted(_): Posted) -> Page {
    working(&here)?;
    site.fulfillment.clone().delete_shipping_method(here.ctx.request(DeleteShippingMethodRequest { shipping_method_id })).await?;
    Ok(site.redirect("/seller/shipping", Tone::Info, "Deleted. Orders already placed keep it."))
}

fn tier_field(row: usize, name: &str) -> String {
    format!("terms.tiers[{row}].{name}")
}

fn decimal(minor: i64, currency: Currency) -> String {
    Money::new(minor, currency).decimal()
}

fn filled(method: &ShippingMethod) -> Form {
    let terms = method.terms.clone().unwrap_or_default();
    let currency = terms.currency.parse().unwrap_or(Currency::USD);
    let rate = match terms.rate() {
        RateKind::ByWeight => "by_weight",
        RateKind::ByPrice => "by_price",
        RateKind::Flat | RateKind::Unspecified => "flat",
    };
    let mut form = Form::default()
        .with("if_version", method.version.to_string())
        .with("terms.name", terms.name.clone())
        .with("terms.rate", rate)
        .with("terms.flat_minor", if rate == "flat" { decimal(terms.flat_minor, currency) } else { String::new() })
        .with("terms.free_above_minor", terms.free_above_minor.map(|minor| decimal(minor, currency)).unwrap_or_default())
        .with("terms.countries", terms.countries.join(", "))
        .with("terms.min_days", terms.min_days.to_string())
        .with("terms.max_days", terms.max_days.to_string());
    for (row, tier) in terms.tiers.iter().enumerate() {
        let up_to = if rate == "by_price" { decimal(i64::try_from(tier.up_to).unwrap_or(i64::MAX), currency) } else { tier.up_to.to_string() };
        form = form.with(&tier_field(row, "up_to"), up_to).with(&tier_field(row, "price_minor"), decimal(tier.price_minor, currency));
    }
    form
}

/// How many rows of tiers the form shows: those it has, and always a few.
fn tier_rows(form: &Form) -> usize {
    let numbers = form.names().filter_map(|name| name.strip_prefix("terms.tiers[")?.split_once(']')?.0.parse::<usize>().ok());
    numbers.filter(|row| *row < 50).max().map_or(TIERS, |last| TIERS.max(last + 1))
}

/// The terms a form describes, or the form with what is wrong in it.
fn terms_of(form: &Form, currency: Currency) -> Result<ShippingTerms, Form> {
    let mut wrong = Vec::new();
    let mut minor = |name: &str| match form.get(name) {
        "" => 0,
        text => Money::parse_decimal(text, currency).map(|money| money.minor).unwrap_or_else(|_| {
            wrong.push((name.to_owned(), "Write an amount as in 4.99."));
            0
        }),
    };
    let flat_minor = minor("terms.flat_minor");
    let free_above_minor = (!form.get("terms.free_above_minor").is_empty()).then(|| minor("terms.free_above_minor"));
    let rate = RateKind::from_str_name(&format!("RATE_KIND_{}", form.get("terms.rate").to_uppercase())).unwrap_or_default();
    let mut tiers = Vec::new();
    let used = |row: &usize| !(form.get(&tier_field(*row, "up_to")).is_empty() && form.get(&tier_field(*row, "price_minor")).is_empty());
    for row in (0..tier_rows(form)).filter(used).filter(|_| rate != RateKind::Flat) {
        let up_to = match rate {
            RateKind::ByPrice => u64::try_from(minor(&tier_field(row, "up_to"))).unwrap_or_default(),
            _ => form.get(&tier_field(row, "up_to")).parse().unwrap_or_default(),
        };
        tiers.push((row, RateTier { up_to, price_minor: minor(&tier_field(row, "price_minor")) }));
    }
    wrong.extend(tiers.iter().filter(|(_, tier)| tier.up_to == 0).map(|(row, _)| (tier_field(*row, "up_to"), "Write how far it goes, above zero.")));
    let mut days = |name: &str| {
        form.get(name).parse().unwrap_or_else(|_| {
            wrong.push((name.to_owned(), "Write a number of days."));
            0
        })
    };
    let (min_days, max_days) = (days("terms.min_days"), days("terms.max_days"));
    if !wrong.is_empty() {
        return Err(wrong.into_iter().fold(form.clone(), |form, (name, message)| form.wrong(&name, message)));
    }
    let countries =
        form.get("terms.countries").split([',', ' ', ';']).map(|code| code.trim().to_uppercase()).filter(|code| !code.is_empty()).collect();
    let tiers = tiers.into_iter().map(|(_, tier)| tier).collect();
    Ok(ShippingTerms {
        name: form.text("terms.name"),
        rate: rate.into(),
        currency: currency.to_string(),
        flat_minor,
        tiers,
        free_above_minor,
        countries,
        min_days,
        max_days,
    })
}

/// "$4.99", "$3.00 to $12.00 by weight".
fn price(terms: &ShippingTerms) -> String {
    let Ok(currency) = terms.currency.parse::<Currency>() else { return String::new() };
    let money = |minor| show::money(Money::new(minor, currency));
    let by = match terms.rate() {
        RateKind::ByWeight => "by weight",
        RateKind::ByPrice => "by price",
        RateKind::Flat | RateKind::Unspecified => return money(terms.flat_minor),
    };
    let prices = || terms.tiers.iter().map(|tier| tier.price_minor);
    format!("{} to {} {by}", money(prices().min().unwrap_or_default()), money(prices().max().unwrap_or_default()))
}

fn view_list(visit: &Visit, methods: &[ShippingMethod]) -> Markup {
    let free = |terms: &ShippingTerms| terms.free_above_minor.and_then(|minor| Some(show::money(Money::new(minor, terms.currency.parse().ok()?))));
    let body = html! {
        div.card.flush {
            @if methods.is_empty() { (ui::empty("truck", "No shipping method yet", "Without one, buyers cannot order from your shop.", Some(("/seller/shipping/new", "Add the first")))) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Method" } th scope="col" { "Price" } th scope="col" { "Free from" } th scope="col" { "To" } th scope="col" { "Days" } th scope="col" { span.sr { "Delete" } } } }
                    tbody {
                        @for method in methods {
                            @if let Some(terms) = &method.terms {
                                tr {
                                    th scope="row" { a href={ "/seller/shipping/" (method.shipping_method_id) } { (terms.name) } }
                                    td data-label="Price" { (price(terms)) }
                                    td data-label="Free from" { (free(terms).unwrap_or_else(|| "–".to_owned())) }
                                    td data-label="To" { span.clamp-2 { (if terms.countries.is_empty() { "everywhere".to_owned() } else { terms.countries.join(", ") }) } }
                                    td data-label="Days" { (terms.min_days) "–" (terms.max_days) }
                                    td { @if visit.may("seller:fulfillment.write") { (form::post(visit, &format!("/seller/shipping/{}/delete", method.shipping_method_id), html! { button.btn.danger.quiet.small type="submit" data-confirm="Delete this method?" { (ui::icon("trash-2")) "Delete" } })) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    let add = html! { a.btn href="/seller/shipping/new" { (ui::icon("plus")) "Add a method" } };
    desk(visit, "/seller/shipping", "Shipping", "What buyers choose from at checkout, by country.", add, body)
}

fn view(visit: &Visit, id: &str, currency: Currency, form: &Form) -> Markup {
    let title = if id.is_empty() { "Add a shipping method" } else { form.get("terms.name") };
    let action = if id.is_empty() { "/seller/shipping/new".to_owned() } else { format!("/seller/shipping/{id}") };
    let (flat, free, tier_price) = (format!("Price ({currency})"), format!("Free from ({currency})"), format!("Price ({currency})"));
    let fields = html! {
        div.stack.loose {
            input type="hidden" name="if_version" value=(form.get("if_version"));
            section.card.stack {
                div.columns {
                    (Input::text("terms.name", "Name").max_len(80).placeholder("Standard").class("half").show(form))
                    (Input::text("terms.countries", "Countries").max_len(1000).optional().class("half").placeholder("US, CA").hint("Two-letter codes; empty for everywhere.").show(form))
                    (Input::number("terms.min_days", "Days at least").max_len(3).class("half").show(form))
                    (Input::number("terms.max_days", "Days at most").max_len(3).class("half").show(form))
                }
            }
            section.card.stack {
                h2 { "Price" }
                div.columns {
                    (Input::select("terms.rate", "How it is reckoned", RATES).class("half").show(form))
                    (Input::amount("terms.flat_minor", &flat, "").max_len(12).optional().class("half").hint("When it is the same for every parcel.").show(form))
                    (Input::amount("terms.free_above_minor", &free, "").max_len(12).optional().class("half").hint("Price of the goods from which shipping is free.").show(form))
                }
                details.fold open[form.get("terms.rate") != "flat"] {
                    summary { "Steps, by weight (grams) or by price of the goods" }
                    @if let Some(error) = form.error("terms.tiers") { p.field-error { (error) } }
                    div.stack.mt4 {
                        @for row in 0..tier_rows(form) {
                            div.columns {
                                (Input::number(&tier_field(row, "up_to"), "Up to").max_len(12).optional().class("half").show(form))
                                (Input::amount(&tier_field(row, "price_minor"), &tier_price, "").max_len(12).optional().class("half").show(form))
                            }
                        }
                    }
                }
            }
            div { button.btn.large type="submit" { "Save" } }
        }
    };
    let body = html! {
        (ui::crumbs(&[("/seller/shipping".to_owned(), "Shipping".to_owned())], title))
        div.mb4 { (form.summary()) }
        div.medium-start { (form::post(visit, &action, fields)) }
    };
    desk(visit, "/seller/shipping", title, "", html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    let flat = ShippingTerms {
        name: "Standard".to_owned(),
        rate: RateKind::Flat.into(),
        currency: "USD".to_owned(),
        flat_minor: 499,
        free_above_minor: Some(5000),
        countries: vec!["US".to_owned(), "CA".to_owned()],
        min_days: 2,
        max_days: 5,
        ..Default::default()
    };
    let tiers = vec![RateTier { up_to: 1000, price_minor: 300 }, RateTier { up_to: 20_000, price_minor: 1200 }];
    let weighed = ShippingTerms {
        name: "Parcel".to_owned(),
        rate: RateKind::ByWeight.into(),
        tiers,
        free_above_minor: None,
        countries: Vec::new(),
        ..flat.clone()
    };
    let method = |id: &str, terms: ShippingTerms| ShippingMethod { shipping_method_id: id.to_owned(), terms: Some(terms), version: 1 };
    let wrong =
        terms_of(&Form::default().with("terms.rate", "by_price").with("terms.tiers[0].up_to", "x").with("terms.min_days", "soon"), Currency::USD)
            .unwrap_err();
    vec![
        ("seller-shipping", view_list(&seller(), &[method("smt_1", flat.clone()), method("smt_2", weighed.clone())])),
        ("seller-shipping-none", view_list(&seller(), &[])),
        ("seller-shipping-method", view(&seller(), "smt_2", Currency::USD, &filled(&method("smt_2", weighed)))),
        ("seller-shipping-wrong", view(&seller(), "", Currency::USD, &wrong)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_reads_back_as_the_terms_it_shows() {
        let tiers = vec![RateTier { up_to: 2500, price_minor: 300 }, RateTier { up_to: 10_000, price_minor: 0 }];
        let terms = ShippingTerms {
            name: "Parcel".to_owned(),
            rate: RateKind::ByPrice.into(),
            currency: "USD".to_owned(),
            tiers,
            free_above_minor: Some(5000),
            countries: vec!["US".to_owned()],
            min_days: 1,
            max_days: 3,
            ..Default::default()
        };
        let method = ShippingMethod { shipping_method_id: "smt_1".to_owned(), terms: Some(terms.clone()), version: 2 };
        assert_eq!(terms_of(&filled(&method), Currency::USD).unwrap(), terms);
    }
}
