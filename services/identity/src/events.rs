//! What identity tells others: every event is keyed by the person it is about.

use api_identity::identity_event::Body;
use api_identity::{IdentityEvent, SessionEnded, SessionId};
use kit_core::UserId;
use kit_db::Event;
use prost::Message;
use serde_json::{Value, json};

use crate::model::policy::Membership;
use crate::model::{EndCause, Person};

/// An event about a person; `change` is what the audit log shows.
pub(crate) fn event(user: UserId, body: Body, change: Option<Value>) -> Event {
    let kind = kind(&body);
    Event { key: user.uuid(), tenant: None, kind, payload: IdentityEvent { body: Some(body) }.encode_to_vec(), change }
}

/// An event about a person's role in a tenant, which belongs to that tenant's history too.
pub(crate) fn role_event(membership: &Membership, body: Body, change: Value) -> Event {
    Event { tenant: membership.tenant, ..event(membership.user, body, Some(change)) }
}

pub(crate) fn ended(user: UserId, session: SessionId, cause: EndCause) -> Event {
    let body = SessionEnded { user_id: user.to_string(), session_id: session.to_string(), cause: cause.text().to_owned() };
    event(user, Body::SessionEnded(body), Some(json!({ "after": { "session": session, "cause": cause.text() } })))
}

/// What of a profile the audit log compares.
pub(crate) fn profile(person: &Person) -> Value {
    json!({ "name": person.name, "language": person.language, "currency": person.currency })
}

fn kind(body: &Body) -> &'static str {
    match body {
        Body::UserRegistered(_) => "user_registered",
        Body::EmailVerified(_) => "email_verified",
        Body::EmailVerificationRequested(_) => "email_verification_requested",
        Body::PasswordResetRequested(_) => "password_reset_requested",
        Body::PasswordChanged(_) => "password_changed",
        Body::NewDeviceSeen(_) => "new_device_seen",
        Body::GuestMerged(_) => "guest_merged",
        Body::ProfileUpdated(_) => "profile_updated",
        Body::RoleGranted(_) => "role_granted",
        Body::RoleRevoked(_) => "role_revoked",
        Body::SessionStarted(_) => "session_started",
        Body::SessionEnded(_) => "session_ended",
        Body::UserDisabled(_) => "user_disabled",
        Body::UserEnabled(_) => "user_enabled",
        Body::AddressBookChanged(_) => "address_book_changed",
        Body::SignInBlocked(_) => "sign_in_blocked",
    }
}
