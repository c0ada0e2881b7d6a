//! Messages about an account's safety. Always sent.

use api_identity::{EmailVerificationRequested, NewDeviceSeen, PasswordResetRequested, SignInBlocked, User, UserDisabled};

use super::{Message, Site, Topic, hello, moment};
use crate::letter::Letter;

fn message(template: &'static str, letter: Letter) -> Message {
    Message { template, topic: Topic::Security, letter }
}

fn hello_to(user: Option<&User>) -> String {
    hello(user.map(|user| user.name.as_str()).unwrap_or_default())
}

pub(crate) fn verify_email(site: &Site, event: &EmailVerificationRequested) -> Message {
    let letter = Letter::new("Confirm your e-mail address", hello_to(event.user.as_ref()))
        .say("Please confirm that this is your e-mail address.")
        .action("Confirm", site.link(&format!("/verify?token={}", event.token)))
        .note(&format!("The link works until {}. If you did not sign up, ignore this message.", moment(event.expires_at.as_ref())));
    message("verify_email", letter)
}

pub(crate) fn reset_password(site: &Site, event: &PasswordResetRequested) -> Message {
    let letter = Letter::new("Choose a new password", hello_to(event.user.as_ref()))
        .say("Somebody, probably you, asked for a new password for your account.")
        .action("Choose a new password", site.link(&format!("/reset?token={}", event.token)))
        .note(&format!(
            "The link works once, until {}. If it was not you, ignore this message; nothing has changed.",
            moment(event.expires_at.as_ref())
        ));
    message("reset_password", letter)
}

pub(crate) fn password_changed(site: &Site, user: &User) -> Message {
    let letter = Letter::new("Your password was changed", hello_to(Some(user)))
        .say("The password of your account was changed, and other devices were signed out.")
        .action("It was not me", site.link("/forgot"))
        .note("If it was you, there is nothing to do.");
    message("password_changed", letter)
}

pub(crate) fn new_device(site: &Site, event: &NewDeviceSeen) -> Message {
    let letter = Letter::new("A new device signed in to your account", hello_to(event.user.as_ref()))
        .say("Somebody signed in to your account from a device that had not been used for it before.")
        .row("Device", if event.device.is_empty() { "unknown" } else { &event.device })
        .row("Address", if event.address.is_empty() { "unknown" } else { &event.address })
        .row("Time", moment(event.at.as_ref()))
        .action("See where I am signed in", site.link("/account/sessions"))
        .note("If it was not you, end that session and change your password.");
    message("new_device", letter)
}

pub(crate) fn sign_in_blocked(site: &Site, event: &SignInBlocked) -> Message {
    let letter = Letter::new("Sign-in to your account pauses", hello_to(event.user.as_ref()))
        .say(format!("Too many wrong passwords were tried for your account, so nobody can sign in to it before {}.", moment(event.until.as_ref())))
        .action("Choose a new password", site.link("/forgot"))
        .note("If it was not you: your password was not guessed, but a longer one will not hurt.");
    message("sign_in_blocked", letter)
}

pub(crate) fn account_disabled(site: &Site, event: &UserDisabled) -> Message {
    let letter = Letter::new("Your account was disabled", hello_to(event.user.as_ref()))
        .say("The marketplace has disabled your account.")
        .say_of("The reason given: ", &event.reason)
        .action("To the marketplace", site.link("/"));
    message("account_disabled", letter)
}
