//! Pure decisions: which password is good enough, what a role allows, when to pause after failures.

pub(crate) mod password;
pub(crate) mod policy;
pub(crate) mod throttle;
pub(crate) mod token;

use kit_core::{Email, Time, UserId};

use self::policy::Membership;

/// An account or a guest.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub id: UserId,
    /// None for guests.
    pub email: Option<Email>,
    pub email_verified: bool,
    pub name: String,
    pub language: String,
    pub currency: String,
    pub guest: bool,
    pub disabled: bool,
    pub version: i64,
    pub created_at: Time,
}

/// A person with everything a request needs to know of them.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub person: Person,
    pub memberships: Vec<Membership>,
}

/// Why a session ended, as events and the database write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndCause {
    SignedOut,
    Revoked,
    TokenReused,
    PasswordChanged,
    Disabled,
    Upgraded,
}

impl EndCause {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::TokenReused => "token_reused",
            Self::PasswordChanged => "password_changed",
            Self::Disabled => "disabled",
            Self::Upgraded => "upgraded",
        }
    }
}

/// The language of a person, as a BCP 47 tag in its plain form: a language, then subtags of letters and digits.
pub(crate) fn language(text: &str) -> Option<&str> {
    let mut parts = text.split('-');
    let language = parts.next().is_some_and(|part| (2..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase()));
    let subtags = parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    (language && subtags && text.len() <= 35).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_bcp_47_tags() {
        for good in ["en", "pt-BR", "zh-Hant-TW", "fil"] {
            assert_eq!(language(good), Some(good));
        }
        for wrong in ["", "e", "EN", "english", "en-", "en_US", "en-<b>"] {
            assert_eq!(language(wrong), None, "{wrong}");
        }
    }
}
