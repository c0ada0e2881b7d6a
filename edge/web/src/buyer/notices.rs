//! What the visitor is told by mail, as far as that can be chosen.

use api_notifications::{GetPreferencesRequest, Preferences, SetPreferencesRequest};
use axum::extract::State;
use axum::response::IntoResponse;
use maud::{Markup, html};

use crate::buyer::account::{account_needed, to_account};
use crate::failure::Page;
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::form::{self, Form, check};
use crate::ui::{self, Head, Tone};
use crate::visit::Visit;

const ALWAYS: [(&str, &str); 3] = [
    ("Your own orders", "Confirmations, parcels, refunds"),
    ("Security", "New devices, passwords, addresses to confirm"),
    ("Shops you apply for or work in", "Decisions, invitations, suspensions"),
];

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    account_needed(&here)?;
    let found = site.notifications.clone().get_preferences(here.ctx.request(GetPreferencesRequest {})).await?.into_inner();
    Ok(view(&here, &found.preferences.unwrap_or_default()).into_response())
}

pub(crate) async fn choose(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    account_needed(&here)?;
    let on = |name: &str| Some(form.get(name) == "on");
    let request = SetPreferencesRequest { sales: on("sales"), stock: on("stock") };
    site.notifications.clone().set_preferences(here.ctx.request(request)).await?;
    Ok(site.redirect("/account/notifications", Tone::Good, "Saved."))
}

fn view(visit: &Visit, preferences: &Preferences) -> Markup {
    let head = Head { title: "Notifications", tab: "account", ..Head::default() };
    let works = visit.tenant().is_some() || !visit.viewer.tenants.is_empty();
    let on = |set: bool| if set { "on" } else { "" };
    let form = Form::default().with("sales", on(preferences.sales)).with("stock", on(preferences.stock));
    let fields = html! {
        div.stack {
            (check(&form, "sales", html! { strong { "New orders" } br; span.small.hush { "Each time one of your shops sells something" } }))
            (check(&form, "stock", html! { strong { "Low stock" } br; span.small.hush { "When something you sell is about to run out" } }))
            div { button.btn type="submit" { "Save" } }
        }
    };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&to_account(), "Notifications"))
                div.page-head { div { h1 { "What we write to you about" } p { "Everything also stands in your " a href="/messages" { "messages" } "." } } }
                div.stack.loose {
                    @if works { section.card { h2.mb4 { "For the shops you work in" } (form::post(visit, "/account/notifications", fields)) } }
                    section.card.stack {
                        h2 { "Always" }
                        ul.divided { @for (name, more) in ALWAYS { li { p.strong { (name) } p.small.hush { (more) } } } }
                        p.small.hush { "We write nothing else: no news, no offers." }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample;
    vec![
        ("notifications", view(&sample::buyer(), &Preferences::default())),
        ("notifications-seller", view(&sample::seller(), &Preferences { sales: true, stock: false })),
    ]
}
