//! The test cards: what a number does is decided here, once, when the card form is posted.

use serde::{Deserialize, Serialize};

/// What a card does. Kept with a payment instead of the card's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Behaviour {
    Succeeds,
    Declined,
    InsufficientFunds,
    Expired,
    WrongCvc,
    Challenge,
    AnswersLater,
    DeclinesLater,
    TimesOut,
    DuplicateWebhooks,
    ReorderedWebhooks,
    Delayed,
    WebhookFirst,
    CaptureFails,
    RefundFails,
    RefundsLater,
    Disputed,
}

/// A card people can try, as documentation shows it.
#[derive(Debug, Clone, Copy)]
pub struct TestCard {
    /// In groups, as people type it.
    pub number: &'static str,
    /// A token that acts like this card and can be used any number of times by programs.
    pub token: &'static str,
    pub brand: &'static str,
    pub effect: &'static str,
    pub(crate) behaviour: Behaviour,
}

const fn card(number: &'static str, token: &'static str, brand: &'static str, behaviour: Behaviour, effect: &'static str) -> TestCard {
    TestCard { number, token, brand, effect, behaviour }
}

const CARDS: &[TestCard] = &[
    card("4242 4242 4242 4242", "tok_visa", "visa", Behaviour::Succeeds, "succeeds"),
    card("5555 5555 5555 4444", "tok_mastercard", "mastercard", Behaviour::Succeeds, "succeeds"),
    card("3782 822463 10005", "tok_amex", "amex", Behaviour::Succeeds, "succeeds"),
    card("4000 0000 0000 0002", "tok_declined", "visa", Behaviour::Declined, "is declined"),
    card("4000 0000 0000 9995", "tok_insufficient_funds", "visa", Behaviour::InsufficientFunds, "is declined for insufficient funds"),
    card("4000 0000 0000 0069", "tok_expired", "visa", Behaviour::Expired, "is declined as expired"),
    card("4000 0000 0000 0127", "tok_wrong_cvc", "visa", Behaviour::WrongCvc, "is declined for a wrong security code"),
    card("4000 0000 0000 3220", "tok_three_d_secure", "visa", Behaviour::Challenge, "asks for 3-D Secure: you approve or reject on a page"),
    card("4000 0000 0000 0077", "tok_answers_later", "visa", Behaviour::AnswersLater, "answers later, only by webhook: succeeds"),
    card("4000 0000 0000 0341", "tok_declines_later", "visa", Behaviour::DeclinesLater, "answers later, only by webhook: is declined"),
    card("4000 0000 0000 0119", "tok_times_out", "visa", Behaviour::TimesOut, "succeeds, but the answer never arrives"),
    card("4000 0000 0000 0259", "tok_duplicate_webhooks", "visa", Behaviour::DuplicateWebhooks, "succeeds; every webhook comes three times"),
    card("4000 0000 0000 0267", "tok_reordered_webhooks", "visa", Behaviour::ReorderedWebhooks, "succeeds; webhooks come in the wrong order"),
    card("4000 0000 0000 0275", "tok_delayed", "visa", Behaviour::Delayed, "succeeds; answers and webhooks are slow"),
    card("4000 0000 0000 0283", "tok_webhook_first", "visa", Behaviour::WebhookFirst, "succeeds; the webhook comes before the answer"),
    card("4000 0000 0000 0291", "tok_capture_fails", "visa", Behaviour::CaptureFails, "is authorised, but its capture fails"),
    card("4000 0000 0000 5126", "tok_refund_fails", "visa", Behaviour::RefundFails, "succeeds, but its refund fails"),
    card("4000 0000 0000 2685", "tok_disputed", "visa", Behaviour::Disputed, "succeeds; a while after the capture its owner disputes it"),
    card("4000 0000 0000 7726", "tok_refunds_later", "visa", Behaviour::RefundsLater, "succeeds; its refund answers later, only by webhook"),
];

/// What needs no card form: (token, what people read). The buyer approves or rejects it on a page.
const METHODS: &[(&str, &str)] = &[("tok_upi", "upi"), ("tok_net_banking", "net_banking"), ("tok_wallet", "wallet")];

/// All cards the sandbox knows; it accepts no others.
pub fn test_cards() -> &'static [TestCard] {
    CARDS
}

impl TestCard {
    fn digits(&self) -> String {
        self.number.chars().filter(char::is_ascii_digit).collect()
    }
}

/// The test card with this number, whatever spaces or hyphens it is typed with.
pub(crate) fn by_number(typed: &str) -> Option<&'static TestCard> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    CARDS.iter().find(|card| card.digits() == digits)
}

fn by_token(token: &str) -> Option<&'static TestCard> {
    CARDS.iter().find(|card| card.token == token)
}

/// What of a card may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) behaviour: Behaviour,
    pub(crate) brand: String,
    pub(crate) last4: String,
    pub(crate) exp_month: u32,
    pub(crate) exp_year: u32,
}

impl Card {
    /// What stands for a card with this token: a test card, or a method that needs none.
    pub(crate) fn of_token(token: &str) -> Option<Self> {
        let method = METHODS.iter().find(|(known, _)| *known == token);
        let method = method.map(|(_, brand)| Self {
            behaviour: Behaviour::Challenge,
            brand: (*brand).to_owned(),
            last4: String::new(),
            exp_month: 0,
            exp_year: 0,
        });
        method.or_else(|| by_token(token).map(|card| Self::of(card, 12, 2040)))
    }

    pub(crate) fn of(card: &TestCard, exp_month: u32, exp_year: u32) -> Self {
        let digits = card.digits();
        let last4 = digits.get(digits.len().saturating_sub(4)..).unwrap_or_default().to_owned();
        Self { behaviour: card.behaviour, brand: card.brand.to_owned(), last4, exp_month, exp_year }
    }
}

/// Whether a typed number passes the check digit of ISO/IEC 7812 (Luhn), to tell a typing error from an unknown card.
pub(crate) fn check_digit_fits(typed: &str) -> bool {
    let digits: Option<Vec<u32>> = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_digit(10)).collect();
    let Some(digits) = digits.filter(|digits| (12..=19).contains(&digits.len())) else { return false };
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits.iter().rev().enumerate().map(|(place, digit)| if place % 2 == 1 { doubled(*digit) } else { *digit }).sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_card_has_a_valid_number_and_a_token_of_its_own() {
        for card in test_cards() {
            assert!(check_digit_fits(card.number), "{} has a wrong check digit", card.number);
            assert_eq!(by_number(&card.number.replace(' ', "-")).unwrap().token, card.token);
            assert_eq!(by_token(card.token).unwrap().number, card.number);
        }
        assert!(!check_digit_fits("4242 4242 4242 4241") && !check_digit_fits("abc") && !check_digit_fits(""));
    }
}
