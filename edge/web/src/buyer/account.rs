//! The account: profile, password, address book, sessions.

use api_identity::{
    AddAddressRequest, ChangePasswordRequest, Country, DeleteAddressRequest, GetProfileRequest, ListAddressesRequest, ListCountriesRequest,
    ListSessionsRequest, RevokeSessionRequest, SavedAddress, SessionInfo, UpdateAddressRequest, UpdateProfileRequest, User,
};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use kit_core::Code;
use kit_rpc::problem_of;
use maud::{Markup, html};

use crate::buyer::address;
use crate::failure::{Failure, Page};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input, check};
use crate::ui::{self, Head, Tone, icon, show};
use crate::visit::Visit;

const LANGUAGES: [(&str, &str); 12] = [
    ("en", "English"),
    ("ar", "العربية"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("hi", "हिन्दी"),
    ("it", "Italiano"),
    ("ja", "日本語"),
    ("nl", "Nederlands"),
    ("pl", "Polski"),
    ("pt-BR", "Português (Brasil)"),
    ("zh", "中文"),
];
const CURRENCIES: [(&str, &str); 10] = [
    ("USD", "US dollar (USD)"),
    ("EUR", "Euro (EUR)"),
    ("GBP", "Pound sterling (GBP)"),
    ("JPY", "Yen (JPY)"),
    ("INR", "Indian rupee (INR)"),
    ("CHF", "Swiss franc (CHF)"),
    ("CAD", "Canadian dollar (CAD)"),
    ("AUD", "Australian dollar (AUD)"),
    ("PLN", "Złoty (PLN)"),
    ("SEK", "Swedish krona (SEK)"),
];

/// What is offered, with what is set before it when that is something else.
fn offered(usual: &'static [(&'static str, &'static str)], present: &str) -> Vec<(String, String)> {
    let other =
        usual.iter().all(|(value, _)| *value != present).then(|| (present.to_owned(), if present.is_empty() { "–" } else { present }.to_owned()));
    other.into_iter().chain(usual.iter().map(|(value, shown)| ((*value).to_owned(), (*shown).to_owned()))).collect()
}

/// A guest has a cart and orders, but no account.
pub(crate) fn account_needed(visit: &Visit) -> Result<(), Failure> {
    if visit.viewer.signed_in { Ok(()) } else { Err(Failure { code: Code::Unauthenticated, message: String::new() }) }
}

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    let profile = site.identity.clone().get_profile(here.ctx.request(GetProfileRequest {})).await?.into_inner();
    Ok(view(&here, &profile.user.unwrap_or_default()).into_response())
}

pub(crate) fn view(visit: &Visit, user: &User) -> Markup {
    let head = Head { title: "Account", tab: "account", ..Head::default() };
    let mut tiles = vec![
        ("/orders", "package", "Orders", "Track, cancel, get invoices"),
        ("/account/profile", "user", "Profile and password", "Name, language, how you sign in"),
        ("/account/addresses", "map-pin", "Addresses", "Where your parcels go"),
        ("/account/payment-methods", "credit-card", "Payment methods", "Cards you have kept"),
        ("/account/sessions", "monitor", "Devices", "Where you are signed in"),
        ("/messages", "mail", "Messages", "Everything we sent you"),
        ("/account/notifications", "bell", "Notifications", "What we write to you about"),
        ("/privacy", "eye", "Recommendations", "What we may learn from what you look at"),
    ];
    if visit.tenant().is_some() || !visit.viewer.tenants.is_empty() {
        tiles.push(("/seller", "store", "Seller portal", "Your shop's products and orders"));
    } else {
        tiles.push(("/sell", "store", "Open a shop", "Sell in this market"));
    }
    if visit.is_operator() {
        tiles.push(("/operator", "shield-check", "Operator console", "The whole market"));
    }
    let hello =
        if user.name.is_empty() { "Your account".to_owned() } else { format!("Hello, {}", user.name.split_whitespace().next().unwrap_or_default()) };
    ui::page(
        visit,
        &head,
        html! {
            div.page-head { div { h1 { (hello) } p { (user.email) } } }
            @if !user.email_verified {
                div.mb6 {
                    (ui::notice(Tone::Warn, html! { p { "Your address is not confirmed yet. Look for our message, or have it sent again." } (form::post(visit, "/verify/resend", html! { button.link type="submit" { "Send it again" } })) }))
                }
            }
            ul.account-grid {
                @for (address, picture, name, more) in tiles {
                    li { a.tile href=(address) { (icon(picture)) span.name { (name) } span.more { (more) } } }
                }
            }
        },
    )
}

async fn own(site: &Site, visit: &Visit) -> Result<User, Failure> {
    Ok(site.identity.clone().get_profile(visit.ctx.request(GetProfileRequest {})).await?.into_inner().user.unwrap_or_default())
}

fn profile_of(user: &User) -> Form {
    let form = Form::default().with("name", user.name.as_str()).with("version", user.version.to_string());
    form.with("language", user.language.as_str()).with("currency", user.currency.as_str())
}

pub(crate) async fn show_profile(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    let user = own(&site, &here).await?;
    Ok(view_profile(&here, &user.email, &profile_of(&user), &Form::default()).into_response())
}

pub(crate) async fn update_profile(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    let chosen = |name: &str| Some(form.text(name)).filter(|value| !value.is_empty());
    let request = UpdateProfileRequest {
        name: Some(form.text("name")),
        language: chosen("language"),
        currency: chosen("currency"),
        if_version: form.get("version").parse().ok(),
    };
    match site.identity.clone().update_profile(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/account/profile", Tone::Good, "Saved.")),
        Err(status) => Ok(again(view_profile(&here, &here.viewer.email, &form.clone().rejected(&problem_of(&status)), &Form::default()))),
    }
}

pub(crate) async fn change_password(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    let typed = |name: &str| form.all(name).first().cloned().unwrap_or_default();
    let request = ChangePasswordRequest {
        old_password: typed("old_password"),
        new_password: typed("new_password"),
        keep_session_id: here.viewer.session_id.clone(),
    };
    match site.identity.clone().change_password(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/account/profile", Tone::Good, "Your password is changed. Other devices are signed out.")),
        Err(status) => {
            let profile = profile_of(&own(&site, &here).await?);
            Ok(again(view_profile(&here, &here.viewer.email, &profile, &form.clone().rejected(&problem_of(&status)))))
        }
    }
}

fn again(page: Markup) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

pub(crate) fn to_account() -> Vec<(String, String)> {
    vec![("/account".to_owned(), "Account".to_owned())]
}

pub(crate) fn view_profile(visit: &Visit, email: &str, profile: &Form, password: &Form) -> Markup {
    let head = Head { title: "Profile and password", tab: "account", ..Head::default() };
    let profile_fields = html! {
        div.stack {
            (profile.summary())
            input type="hidden" name="version" value=(profile.get("version"));
            (Input::text("name", "Name").autocomplete("name").max_len(100).optional().show(profile))
            div.columns {
                (Input::select("language", "Language", offered(&LANGUAGES, profile.get("language"))).class("half").hint("Kept with your account. Pages and messages are in English for now.").show(profile))
                (Input::select("currency", "Currency", offered(&CURRENCIES, profile.get("currency"))).class("half").hint("Counts where there is a choice; each shop sets the currency of its prices.").show(profile))
            }
            dl.facts { dt { "E-mail" } dd { (email) } }
            div { button.btn type="submit" { "Save" } }
        }
    };
    let password_fields = html! {
        div.stack {
            (password.summary())
            (Input::password("old_password", "Present password").show(password))
            (Input::password("new_password", "New password").autocomplete("new-password").hint("At least 10 characters.").show(password))
            div { button.btn type="submit" { "Change password" } }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&to_account(), "Profile and password"))
                div.page-head { h1 { "Profile and password" } }
                div.stack.loose {
                    section.card { h2.mb4 { "Profile" } (form::post(visit, "/account/profile", profile_fields)) }
                    section.card { h2.mb4 { "Password" } (form::post(visit, "/account/password", password_fields)) }
                }
            }
        },
    )
}

pub(crate) async fn countries(site: &Site, visit: &Visit) -> Vec<Country> {
    // Without the list the form asks for a country code instead.
    site.identity
        .clone()
        .list_countries(visit.ctx.request(ListCountriesRequest {}))
        .await
        .map(|answer| answer.into_inner().countries)
        .unwrap_or_default()
}

pub(crate) async fn address_book(site: &Site, visit: &Visit) -> Result<Vec<SavedAddress>, Failure> {
    Ok(site.identity.clone().list_addresses(visit.ctx.request(ListAddressesRequest {})).await?.into_inner().addresses)
}

pub(crate) async fn show_addresses(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    let addresses = address_book(&site, &here).await?;
    Ok(view_addresses(&here, &addresses).into_response())
}

pub(crate) fn view_addresses(visit: &Visit, addresses: &[SavedAddress]) -> Markup {
    let head = Head { title: "Addresses", tab: "account", ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&to_account(), "Addresses"))
                div.page-head { h1 { "Addresses" } a.btn href="/account/addresses/new" { (icon("plus")) "Add an address" } }
                @if addresses.is_empty() {
                    (ui::empty("map-pin", "No address yet", "Add one now, or give one at the checkout.", None))
                } @else {
                    ul.grid.two {
                        @for saved in addresses {
                            li.card.stack {
                                div.row.between.top {
                                    (address::lines(&saved.address.clone().unwrap_or_default()))
                                    @if saved.default { (ui::badge(Tone::Info, "Default")) }
                                }
                                div.row.tight {
                                    a.btn.outline.small href={ "/account/addresses/" (saved.address_id) } { (icon("pencil")) "Change" }
                                    (form::post(visit, &format!("/account/addresses/{}/delete", saved.address_id), html! { button.btn.quiet.small type="submit" data-confirm="Remove this address?" { (icon("trash-2")) "Remove" } }))
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

pub(crate) async fn show_new_address(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    let form = Form::default().with("address.name", here.viewer.name.clone()).with("address.country", "US");
    Ok(view_address(&here, "/account/addresses/new", &form, &countries(&site, &here).await).into_response())
}

pub(crate) async fn add_address(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    let request = AddAddressRequest { address: Some(address::read(&form, "address.")), default: form.get("default") == "on" };
    match site.identity.clone().add_address(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/account/addresses", Tone::Good, "The address is saved.")),
        Err(status) => {
            Ok(again(view_address(&here, "/account/addresses/new", &form.clone().rejected(&problem_of(&status)), &countries(&site, &here).await)))
        }
    }
}

pub(crate) async fn show_address(State(site): State<Web>, here: Here, Path(id): Path<String>) -> Page {
    account_needed(&here)?;
    let saved = address_book(&site, &here).await?.into_iter().find(|saved| saved.address_id == id).ok_or_else(Failure::not_found)?;
    let form = address::fill(Form::default(), "address.", &saved.address.unwrap_or_default()).with("default", if saved.default { "on" } else { "" });
    Ok(view_address(&here, &format!("/account/addresses/{id}"), &form, &countries(&site, &here).await).into_response())
}

pub(crate) async fn update_address(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(form): Posted) -> Page {
    let request =
        UpdateAddressRequest { address_id: id.clone(), address: Some(address::read(&form, "address.")), default: form.get("default") == "on" };
    match site.identity.clone().update_address(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/account/addresses", Tone::Good, "The address is saved.")),
        Err(status) => Ok(again(view_address(
            &here,
            &format!("/account/addresses/{id}"),
            &form.clone().rejected(&problem_of(&status)),
            &countries(&site, &here).await,
        ))),
    }
}

pub(crate) async fn delete_address(State(site): State<Web>, here: Here, Path(id): Path<String>, Posted(_): Posted) -> Page {
    site.identity.clone().delete_address(here.ctx.request(DeleteAddressRequest { address_id: id })).await?;
    Ok(site.redirect("/account/addresses", Tone::Good, "The address is removed."))
}

pub(crate) fn view_address(visit: &Visit, action: &str, form: &Form, countries: &[Country]) -> Markup {
    let head = Head { title: "Address", tab: "account", ..Head::default() };
    let way = [to_account(), vec![("/account/addresses".to_owned(), "Addresses".to_owned())]].concat();
    let fields = html! {
        div.stack {
            (form.summary())
            (address::fields(form, "address.", countries))
            (check(form, "default", "Use as the default address"))
            div.row { button.btn type="submit" { "Save" } a.btn.quiet href="/account/addresses" { "Cancel" } }
        }
    };
    ui::page(
        visit,
        &head,
        html! { div.medium { (ui::crumbs(&way, "Address")) div.page-head { h1 { "Address" } } div.card { (form::post(visit, action, fields)) } } },
    )
}

pub(crate) async fn show_sessions(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    let sessions = site.identity.clone().list_sessions(here.ctx.request(ListSessionsRequest {})).await?.into_inner().sessions;
    Ok(view_sessions(&here, &sessions).into_response())
}

pub(crate) async fn revoke_session(State(site): State<Web>, here: Here, Path(session_id): Path<String>, Posted(_): Posted) -> Page {
    site.identity.clone().revoke_session(here.ctx.request(RevokeSessionRequest { session_id })).await?;
    Ok(site.redirect("/account/sessions", Tone::Good, "That device is signed out."))
}

/// What a browser calls itself, shortened to what people recognise.
fn device_name(device: &str) -> String {
    let browser = ["Edg", "OPR", "Firefox", "Chrome", "Safari"].into_iter().find(|name| device.contains(name));
    let system = ["Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"].into_iter().find(|name| device.contains(name));
    let browser = browser.map(|name| match name {
        "Edg" => "Edge",
        "OPR" => "Opera",
        other => other,
    });
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        _ if device.is_empty() => "Unknown device".to_owned(),
        _ => device.chars().take(60).collect(),
    }
}

pub(crate) fn view_sessions(visit: &Visit, sessions: &[SessionInfo]) -> Markup {
    let head = Head { title: "Devices", tab: "account", ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&to_account(), "Devices"))
                div.page-head { div { h1 { "Where you are signed in" } p { "Something you do not know? Sign it out and change your password." } } }
                ul.card.divided {
                    @for session in sessions {
                        @let own = session.session_id == visit.viewer.session_id;
                        li.row.between {
                            div {
                                p.strong { (device_name(&session.device)) " " @if own { (ui::badge(Tone::Good, "This one")) } }
                                p.small.hush {
                                    @if !session.address.is_empty() { (session.address) " · " }
                                    @if let Some(used) = &session.last_used_at { "last used " (show::moment(kit_rpc::time(used))) }
                                }
                            }
                            @if !own {
                                (form::post(visit, &format!("/account/sessions/{}/revoke", session.session_id), html! { button.btn.outline.small type="submit" { "Sign out" } }))
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
    use crate::buyer::sample::{LONG, address, countries};
    use crate::visit::sample;
    let user = User { name: "Ann Smith".to_owned(), email: "ann@example.com".to_owned(), email_verified: true, ..User::default() };
    let known = User { language: "en-GB".to_owned(), currency: "EUR".to_owned(), ..user.clone() };
    let unverified = User { name: LONG.to_owned(), email_verified: false, ..user.clone() };
    let saved = vec![
        SavedAddress { address_id: "adr_1".to_owned(), address: Some(address()), default: true },
        SavedAddress { address_id: "adr_2".to_owned(), address: Some(address()), default: false },
    ];
    let agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0 Safari/537.36";
    let sessions = vec![
        SessionInfo { session_id: String::new(), device: agent.to_owned(), address: "127.0.0.1".to_owned(), ..SessionInfo::default() },
        SessionInfo {
            session_id: "ses_2".to_owned(),
            device: "curl".to_owned(),
            last_used_at: Some(kit_rpc::timestamp(sample::nobody().now)),
            ..SessionInfo::default()
        },
    ];
    let wrong = address::fill(Form::default(), "address.", &address()).wrong("address.postal_code", "Must look like 94103 in the United States.");
    vec![
        ("account", view(&sample::buyer(), &user)),
        ("account-seller", view(&sample::seller(), &user)),
        ("account-unverified", view(&sample::operator(), &unverified)),
        ("profile", view_profile(&sample::buyer(), "ann@example.com", &profile_of(&known), &Form::default())),
        (
            "profile-wrong",
            view_profile(&sample::buyer(), "ann@example.com", &Form::default(), &Form::default().wrong("old_password", "Is not right.")),
        ),
        ("addresses", view_addresses(&sample::buyer(), &saved)),
        ("addresses-empty", view_addresses(&sample::buyer(), &[])),
        ("address", view_address(&sample::buyer(), "/account/addresses/new", &Form::default(), &countries())),
        ("address-wrong", view_address(&sample::buyer(), "/account/addresses/new", &wrong, &[])),
        ("sessions", view_sessions(&sample::buyer(), &sessions)),
    ]
}
