//! What may be learnt from a visitor, and the switch for it.

use api_analytics::{GetConsentRequest, SetConsentRequest};
use axum::extract::State;
use axum::response::IntoResponse;
use maud::{Markup, html};

use crate::failure::Page;
use crate::session::{Here, Posted, with_cookies};
use crate::site::Web;
use crate::ui::{self, Head, Tone, form};
use crate::visit::Visit;

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    let given = if here.ctx.user().is_some() {
        let consent = site.analytics.clone().get_consent(here.ctx.request(GetConsentRequest {})).await?.into_inner();
        // Somebody who was never asked as a person may have agreed on this device.
        consent.given || (consent.changed_at.is_none() && !here.visitor.is_empty())
    } else {
        !here.visitor.is_empty()
    };
    Ok(view(&here, given).into_response())
}

pub(crate) async fn choose(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    let given = form.get("given") == "yes";
    let visitor = match (given, here.visitor.is_empty()) {
        (false, _) => String::new(),
        (true, true) => site.new_visitor(),
        (true, false) => here.visitor.clone(),
    };
    if here.ctx.user().is_some() {
        let request = SetConsentRequest { given, visitor_id: visitor.clone() };
        site.analytics.clone().set_consent(here.ctx.request(request)).await?;
    }
    let told = if given { "From now on shelves follow what you look at." } else { "Forgotten. Shelves show what everybody likes." };
    let back = if form.get("next") == "/" { "/" } else { "/privacy" };
    Ok(with_cookies(site.redirect(back, Tone::Good, told), [site.visitor_cookie(&visitor)]))
}

/// A way to agree, where shelves would be better for it.
pub(crate) fn offer(visit: &Visit) -> Markup {
    html! {
        div.row.between.mb4 {
            p.hush { "This is what everybody likes. Shelves can follow what you look at instead." }
            form method="post" action="/privacy" {
                (form::csrf(visit))
                input type="hidden" name="given" value="yes";
                input type="hidden" name="next" value="/";
                div.row { button.btn.outline.small type="submit" { "Choose for me" } a.small href="/privacy" { "What this means" } }
            }
        }
    }
}

fn view(visit: &Visit, given: bool) -> Markup {
    let head = Head { title: "Recommendations and privacy", tab: "account", canonical: "/privacy", ..Head::default() };
    let switch = |value: &str, label: &str, class: &str| {
        form::post(visit, "/privacy", html! { input type="hidden" name="given" value=(value); button class=(class) type="submit" { (label) } })
    };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                div.page-head { h1 { "Recommendations and privacy" } }
                div.stack.loose {
                    section.card.stack {
                        h2 { @if given { "Shelves follow what you look at" } @else { "Shelves show what everybody likes" } }
                        @if given {
                            p { "What you look at, put into your cart and buy is recorded under a pseudonym and used to choose what you are shown." }
                            (switch("no", "Switch it off and forget me", "btn outline"))
                        } @else {
                            p { "Nothing of what you look at is recorded." }
                            (switch("yes", "Choose for me", "btn"))
                        }
                    }
                    section.card.prose {
                        h2 { "What is recorded, and what is not" }
                        ul {
                            li { "Products you open, searches, what goes into the cart and what is bought. No address, no device, no name." }
                            li { "It stands under a number that only this market can tie to you. Nobody else is given it; sellers never see it." }
                            li { "Switching off cuts that tie and deletes what was learnt from you alone. Switching on again begins anew." }
                            li { "Each recommendation says why it is there: what it was looked at with, bought with, or is like." }
                        }
                    }
                }
            }
        },
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::{buyer, nobody};
    vec![("privacy-off", view(&nobody(), false)), ("privacy-on", view(&buyer(), true))]
}
