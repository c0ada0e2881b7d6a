//! Tokenisation: the buyer's browser posts the card form here and is sent back to the merchant with a token, so that the merchant never
//! sees a card number. A plain form is enough; no script runs.

use axum::extract::{RawForm, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use kit_core::Time;
use serde_json::json;
use std::sync::Arc;
use url::{Url, form_urlencoded};

use crate::api::Shared;
use crate::cards::{Card, by_number, check_digit_fits};
use crate::error::Error;
use crate::journal::{Record, Token};
use crate::model::millis;
use crate::pages;
use crate::settings::Settings;
use crate::world::World;

/// What of the form goes back unchanged: fields whose names start with this.
const STATE_PREFIX: &str = "state";
/// Bytes of all fields that go back.
const MAX_STATE_BYTES: usize = 2_000;

/// Takes the card form. With a return_url the browser is redirected there; without one a program gets JSON.
pub(crate) async fn tokenise(State(world): Shared, RawForm(form): RawForm) -> Response {
    let fields: Vec<(String, String)> = form_urlencoded::parse(&form).into_owned().collect();
    let made = make(&world, &fields);
    let Some(return_url) = field(&fields, "return_url").filter(|url| !url.is_empty()) else {
        return match made {
            Ok(token) => axum::Json(json!({"token": token.id, "brand": token.card.brand, "last4": token.card.last4})).into_response(),
            Err(error) => error.into_response(),
        };
    };
    match allowed_return(&world.settings, return_url) {
        Ok(url) => Redirect::to(&back(url, &fields, &made)).into_response(),
        // Sending a browser to an address nobody registered would make this an open redirect.
        Err(error) => (StatusCode::BAD_REQUEST, pages::refusal(&error.to_string())).into_response(),
    }
}

fn make(world: &Arc<World>, fields: &[(String, String)]) -> Result<Token, Error> {
    if field(fields, "key") != Some(world.settings.publishable_key.as_str()) {
        return Err(Error::invalid("key", "is not a publishable key of a merchant"));
    }
    let card = read_card(fields, world.settings.clock.now())?;
    let expires_ms = world.now_ms().saturating_add(millis(world.settings.timings.token));
    let token = Token { id: world.new_id("tok"), card, expires_ms };
    let mut inner = world.lock();
    inner.tokens.insert(token.id.clone(), token.clone());
    // Under the lock, so that its line precedes that of the payment that uses it.
    world.note(&Record::Token(token.clone()));
    Ok(token)
}

/// Checks the card as a card form would, and forgets its number.
fn read_card(fields: &[(String, String)], now: Time) -> Result<Card, Error> {
    let number = field(fields, "number").unwrap_or_default();
    if !check_digit_fits(number) {
        return Err(Error::invalid("number", "this is not a card number; check the digits"));
    }
    let card = by_number(number).ok_or_else(|| Error::invalid("number", "the sandbox takes test cards only, as 4242 4242 4242 4242"))?;
    let (month, year) = read_expiry(fields)?;
    let (this_year, this_month) = (u32::try_from(chrono::Datelike::year(&now)).unwrap_or_default(), chrono::Datelike::month(&now));
    if (year, month) < (this_year, this_month) {
        return Err(Error::invalid("exp_month", "the card has expired"));
    }
    let cvc = field(fields, "cvc").unwrap_or_default().trim();
    if !(3..=4).contains(&cvc.len()) || !cvc.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::invalid("cvc", "the security code has three or four digits"));
    }
    Ok(Card::of(card, month, year))
}

/// Month and year in two fields, or in one field `expiry` as "12/30".
fn read_expiry(fields: &[(String, String)]) -> Result<(u32, u32), Error> {
    let invalid = || Error::invalid("exp_month", "the expiry is a month and a year, as 12/30");
    let together = field(fields, "expiry").and_then(|expiry| expiry.split_once('/'));
    let apart = field(fields, "exp_month").zip(field(fields, "exp_year"));
    let (month, year) = apart.filter(|(month, _)| !month.is_empty()).or(together).ok_or_else(invalid)?;
    let month: u32 = month.trim().parse().map_err(|_| invalid())?;
    let year: u32 = year.trim().parse().map_err(|_| invalid())?;
    let year = if year < 100 { year + 2000 } else { year };
    if (1..=12).contains(&month) && (2000..2100).contains(&year) { Ok((month, year)) } else { Err(invalid()) }
}

/// Where the browser goes: the return_url with the token or the error, and the merchant's own state.
fn back(mut url: Url, fields: &[(String, String)], made: &Result<Token, Error>) -> String {
    {
        let mut query = url.query_pairs_mut();
        let mut room = MAX_STATE_BYTES;
        for (name, value) in fields.iter().filter(|(name, _)| name.starts_with(STATE_PREFIX)) {
            let Some(left) = room.checked_sub(name.len() + value.len()) else { break };
            room = left;
            query.append_pair(name, value);
        }
        match made {
            Ok(token) => {
                query.append_pair("payment_token", &token.id).append_pair("brand", &token.card.brand).append_pair("last4", &token.card.last4)
            }
            Err(Error::Invalid { field, message }) => query.append_pair("payment_error", message).append_pair("payment_error_field", field),
            Err(error) => query.append_pair("payment_error", &error.to_string()),
        };
    }
    url.into()
}

/// A return_url is http(s), of a registered origin, and without credentials.
pub(crate) fn allowed_return(settings: &Settings, return_url: &str) -> Result<Url, Error> {
    let url = Url::parse(return_url).map_err(|_| Error::invalid("return_url", "is not an absolute URL"))?;
    let origin = url.origin().ascii_serialization();
    let registered = settings.return_origins.contains(&origin);
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() || !registered {
        return Err(Error::invalid("return_url", "is not of an origin that the merchant has registered"));
    }
    Ok(url)
}

fn field<'a>(fields: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}
