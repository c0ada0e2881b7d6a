//! One person with an account: what they may do, and whether they may sign in.

use api_identity::{
    DisableUserRequest, EnableUserRequest, GetUserRequest, GrantPlatformRoleRequest, Membership, RevokePlatformRoleRequest, Role, UserWithRoles,
};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{console, moment, staff, word};
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, badge};
use crate::visit::Visit;

const ROLES: [(&str, &str); 3] = [
    ("support_agent", "Support: helps buyers and sellers"),
    ("analyst", "Analyst: reads figures"),
    ("platform_admin", "Admin: runs the marketplace"),
];

pub(super) fn role_of(text: &str) -> Role {
    Role::from_str_name(&format!("ROLE_{}", text.to_uppercase())).unwrap_or_default()
}

async fn load(site: &Site, visit: &Visit, user_id: &str) -> Result<UserWithRoles, Failure> {
    let request = GetUserRequest { user_id: user_id.to_owned() };
    site.identity.clone().get_user(visit.ctx.request(request)).await?.into_inner().user.ok_or_else(Failure::not_found)
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(user_id): Path<String>) -> Page {
    staff(&here)?;
    Ok(view(&here, &load(&site, &here, &user_id).await?, &Form::default()).into_response())
}

/// One change to a person, by the last word of the address.
pub(crate) async fn act(State(site): State<Web>, here: Here, Path((user_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    staff(&here)?;
    let (mut identity, ctx, id, role) = (site.identity.clone(), &here.ctx, user_id.clone(), role_of(form.get("role")).into());
    let (failed, told) = match act.as_str() {
        "disable" => {
            let request = DisableUserRequest { user_id: id, reason: form.text("reason") };
            (identity.disable_user(ctx.request(request)).await.err(), "Disabled, and signed out everywhere.")
        }
        "enable" => (identity.enable_user(ctx.request(EnableUserRequest { user_id: id })).await.err(), "They can sign in again."),
        "grant" => (identity.grant_platform_role(ctx.request(GrantPlatformRoleRequest { user_id: id, role })).await.err(), "Role given."),
        "revoke" => (identity.revoke_platform_role(ctx.request(RevokePlatformRoleRequest { user_id: id, role })).await.err(), "Role taken away."),
        _ => return Err(Failure::not_found()),
    };
    match failed {
        None => Ok(site.redirect(&format!("/operator/users/{user_id}"), Tone::Good, told)),
        Some(status) => {
            let page = view(&here, &load(&site, &here, &user_id).await?, &form.rejected(&problem_of(&status)));
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
    }
}

fn view(visit: &Visit, found: &UserWithRoles, form: &Form) -> Markup {
    let user = found.user.clone().unwrap_or_default();
    let title = if user.name.is_empty() { user.email.as_str() } else { user.name.as_str() };
    let (on_platform, in_shops): (Vec<&Membership>, Vec<&Membership>) =
        found.memberships.iter().partition(|membership| membership.tenant_id.is_empty());
    let manages = visit.may("operator:users.write");
    let body = html! {
        (ui::crumbs(&[("/operator/users".to_owned(), "People".to_owned())], title))
        div.mb4 { (form.summary()) }
        div.with-aside {
            div.stack.loose {
                section.card {
                    header.row.between.mb4 { h2 { "Account" } (badge(if user.disabled { Tone::Bad } else { Tone::Good }, if user.disabled { "disabled" } else { "can sign in" })) }
                    dl.facts {
                        dt { "E-mail" } dd { (user.email) @if !user.email_verified { " " span.hush { "not confirmed" } } }
                        dt { "Name" } dd { (if user.name.is_empty() { "–" } else { user.name.as_str() }) }
                        dt { "Language, currency" } dd { (user.language) ", " (user.currency) }
                        dt { "Since" } dd { (moment(user.created_at.as_ref())) }
                        dt { "Id" } dd.mono.tiny { (user.user_id) }
                    }
                    @if visit.may("operator:audit.read") { p.small.mt4 { a href={ "/operator/audit?actor=" (user.user_id) } { "What they did, in the audit log" } } }
                }
                section.card.stack {
                    h2 { "On the platform" }
                    @if on_platform.is_empty() { p.hush { "No role: they buy, like everybody." } } @else {
                        ul.divided { @for held in on_platform { (role_row(visit, &user.user_id, held, manages)) } }
                    }
                }
                section.card.stack {
                    h2 { "In shops" }
                    @if in_shops.is_empty() { p.hush { "They work for no shop." } } @else {
                        ul.divided { @for held in in_shops { li.row.between { span { (role_word(held.role())) div.tiny.hush { "since " (moment(held.granted_at.as_ref())) } } a.small href={ "/operator/tenants/" (held.tenant_id) } { "The shop" } } } }
                        p.small.hush { "Roles in a shop are given by its own staff." }
                    }
                }
            }
            @if manages { aside.stack { (changes(visit, &user, form)) } }
        }
    };
    console(visit, "/operator/users", title, "", html! {}, body)
}

fn role_word(role: Role) -> String {
    let words = word(role.as_str_name(), "ROLE_");
    words.chars().next().map(|first| first.to_uppercase().chain(words.chars().skip(1)).collect()).unwrap_or_default()
}

fn role_row(visit: &Visit, user_id: &str, held: &Membership, manages: bool) -> Markup {
    let name = role_word(held.role());
    let question = format!("Take the role away: {name}?");
    let revoke = html! {
        input type="hidden" name="role" value=(word(held.role().as_str_name(), "ROLE_").replace(' ', "_"));
        button.btn.danger.quiet.small type="submit" data-confirm=(question) { "Take away" span.sr { " " (name) } }
    };
    html! {
        li.row.between {
            span { (name) div.tiny.hush { "since " (moment(held.granted_at.as_ref())) } }
            @if manages { (form::post(visit, &format!("/operator/users/{user_id}/revoke"), revoke)) }
        }
    }
}

/// What can be changed; what hurts asks for a reason or a second look.
fn changes(visit: &Visit, user: &api_identity::User, form: &Form) -> Markup {
    let action = |act: &str| format!("/operator/users/{}/{act}", user.user_id);
    let oneself = visit.ctx.user().is_some_and(|own| own.to_string() == user.user_id);
    let refused = form.error("reason").is_some();
    html! {
        section.card.stack {
            h2 { "Give a role" }
            (form::post(visit, &action("grant"), html! { div.stack {
                (Input::select("role", "Role on the platform", ROLES).hint("It counts from their next page on.").show(form))
                button.btn.block type="submit" data-confirm="Give this person the role?" { (ui::icon("key-round")) "Give the role" }
            } }))
        }
        section.card.stack {
            h2 { "Signing in" }
            @if user.disabled {
                p.small { "The account is disabled: nobody can sign in with it. Orders go on." }
                (form::post(visit, &action("enable"), html! { button.btn.block type="submit" { "Let them sign in again" } }))
            } @else if oneself {
                p.small.hush { "This is you. Somebody else has to disable your account." }
            } @else {
                details.fold open[refused] {
                    summary { "Disable the account…" }
                    (form::post(visit, &action("disable"), html! { div.stack {
                        (Input::area("reason", "Reason").max_len(500).hint("They are told it by e-mail; the audit log keeps it.").show(form))
                        button.btn.danger.block type="submit" { "Disable and sign out everywhere" }
                    } }))
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    use api_identity::User;
    let held = |tenant_id: &str, role: Role| Membership { tenant_id: tenant_id.to_owned(), role: role.into(), ..Default::default() };
    let person = |disabled| UserWithRoles {
        user: Some(User {
            user_id: "usr_2".to_owned(),
            name: "Ann Smith".to_owned(),
            email: "ann@example.com".to_owned(),
            language: "en".to_owned(),
            currency: "USD".to_owned(),
            disabled,
            ..Default::default()
        }),
        memberships: vec![held("", Role::Analyst), held("", Role::SupportAgent), held("ten_1", Role::SellerAdmin)],
    };
    let own = operator().ctx.user().map(|user| user.to_string()).unwrap_or_default();
    let oneself = UserWithRoles { user: Some(User { user_id: own, email: "op@example.com".to_owned(), ..Default::default() }), memberships: vec![] };
    vec![
        ("operator-user", view(&operator(), &person(false), &Form::default())),
        ("operator-user-disabled", view(&operator(), &person(true), &Form::default().refused("The last platform admin stays."))),
        ("operator-user-wrong", view(&operator(), &person(false), &Form::default().wrong("reason", "Is required."))),
        ("operator-user-oneself", view(&operator(), &oneself, &Form::default())),
    ]
}
