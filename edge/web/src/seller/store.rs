//! How the shop presents itself, and its holidays.

use api_catalog::UploadMediaRequest;
use api_identity::Country;
use api_tenants::{GetMineRequest, Tenant, UpdateStoreRequest};
use axum::extract::State;
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::buyer::account::countries;
use crate::failure::{Failure, Page};
use crate::multipart::Uploaded;
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input, check};
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

async fn load(site: &Site, visit: &Visit) -> Result<Tenant, Failure> {
    Ok(site.tenants.clone().get_mine(visit.ctx.request(GetMineRequest {})).await?.into_inner().tenant.unwrap_or_default())
}

fn filled(tenant: &Tenant) -> Form {
    let store = tenant.store.clone().unwrap_or_default();
    let values = [
        ("name", store.name),
        ("slug", store.slug),
        ("description", store.description),
        ("accent_colour", store.accent_colour),
        ("returns_policy", store.returns_policy),
        ("shipping_policy", store.shipping_policy),
        ("country", store.country),
        ("holiday", if store.holiday { "on".to_owned() } else { String::new() }),
        ("holiday_message", store.holiday_message),
        ("if_version", tenant.version.to_string()),
    ];
    values.into_iter().fold(Form::default(), |form, (name, value)| form.with(name, value))
}

pub(crate) async fn show(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    let tenant = load(&site, &here).await?;
    Ok(view(&here, &tenant, &filled(&tenant), &countries(&site, &here).await).into_response())
}

pub(crate) async fn save(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let request = UpdateStoreRequest {
        name: Some(form.text("name")),
        slug: Some(form.text("slug")),
        description: Some(form.text("description")),
        accent_colour: Some(form.text("accent_colour")),
        returns_policy: Some(form.text("returns_policy")),
        shipping_policy: Some(form.text("shipping_policy")),
        country: Some(form.get("country").to_uppercase()),
        if_version: form.get("if_version").parse().ok(),
        ..Default::default()
    };
    update(&site, &here, form, request, "Saved.").await
}

pub(crate) async fn holiday(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let holiday = form.get("holiday") == "on";
    let request = UpdateStoreRequest { holiday: Some(holiday), holiday_message: Some(form.text("holiday_message")), ..Default::default() };
    update(&site, &here, form, request, if holiday { "On holiday: buyers can look, not order." } else { "Open for orders." }).await
}

pub(crate) async fn logo(State(site): State<Web>, here: Here, upload: Uploaded) -> Page {
    working(&here)?;
    let Some(file) = upload.files.into_iter().next() else { return Ok(site.redirect("/seller/store", Tone::Warn, "Choose a picture first.")) };
    match site.catalog.clone().upload_media(here.ctx.request(UploadMediaRequest { content: file.content, ..Default::default() })).await {
        Ok(kept) => {
            let hash = kept.into_inner().media.unwrap_or_default().hash;
            update(&site, &here, Form::default(), UpdateStoreRequest { logo_hash: Some(hash), ..Default::default() }, "That is the shop's sign now.")
                .await
        }
        Err(status) => refused(&site, &here, Form::default(), &status).await,
    }
}

async fn update(site: &Site, visit: &Visit, form: Form, request: UpdateStoreRequest, told: &str) -> Page {
    match site.tenants.clone().update_store(visit.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect("/seller/store", Tone::Good, told)),
        Err(status) => refused(site, visit, form, &status).await,
    }
}

/// The page again: what was sent, over what is there, with what is wrong.
async fn refused(site: &Site, visit: &Visit, sent: Form, status: &tonic::Status) -> Page {
    let tenant = load(site, visit).await?;
    let form = sent.names().fold(filled(&tenant), |form, name| form.with(name, sent.text(name)));
    Ok((StatusCode::UNPROCESSABLE_ENTITY, view(visit, &tenant, &form.rejected(&problem_of(status)), &countries(site, visit).await)).into_response())
}

fn view(visit: &Visit, tenant: &Tenant, form: &Form, countries: &[Country]) -> Markup {
    let body = html! {
        div.mb4 { (form.summary()) }
        div.with-aside {
            @if visit.may("seller:store.write") { (settings(visit, form, countries)) } @else { (ui::notice(Tone::Info, "Only the shop's owner changes this.")) }
            aside.stack {
                @if visit.may("seller:store.write") { (holiday_card(visit, form)) (logo_card(visit, tenant)) }
                (terms_card(tenant))
            }
        }
    };
    let slug = tenant.store.as_ref().map(|store| store.slug.as_str()).unwrap_or_default();
    desk(
        visit,
        "/seller/store",
        "Store",
        "What buyers see of your shop.",
        html! { a.btn.outline href={ "/s/" (slug) } { (ui::icon("external-link")) "See the shop" } },
        body,
    )
}

fn settings(visit: &Visit, form: &Form, countries: &[Country]) -> Markup {
    let fields = html! {
        div.stack.loose {
            input type="hidden" name="if_version" value=(form.get("if_version"));
            section.card.stack {
                h2 { "The shop" }
                div.columns {
                    (Input::text("name", "Name").max_len(80).class("half").show(form))
                    (Input::text("slug", "Word in the address").max_len(63).class("half").hint("As in /s/annas-mugs. Links to the old one end.").show(form))
                    (Input::country("country", "Ships from", countries).class("half").show(form))
                    (Input::text("accent_colour", "Colour").max_len(7).optional().class("half").placeholder("#aa3355").show(form))
                }
                (Input::area("description", "What buyers read about it").max_len(5000).optional().show(form))
            }
            section.card.stack {
                h2 { "Promises" }
                (Input::area("returns_policy", "Returns").max_len(10_000).optional().show(form))
                (Input::area("shipping_policy", "Shipping").max_len(10_000).optional().show(form))
            }
            div { button.btn.large type="submit" { "Save" } }
        }
    };
    form::post(visit, "/seller/store", fields)
}

fn holiday_card(visit: &Visit, form: &Form) -> Markup {
    let fields = html! { div.stack {
        (check(form, "holiday", "On holiday: nobody can order"))
        (Input::area("holiday_message", "What buyers read meanwhile").max_len(500).optional().show(form))
        button.btn.outline.block type="submit" { "Save" }
    } };
    html! { section.card.stack { h2 { "Holidays" } (form::post(visit, "/seller/store/holiday", fields)) } }
}

fn logo_card(visit: &Visit, tenant: &Tenant) -> Markup {
    let store = tenant.store.clone().unwrap_or_default();
    html! {
        section.card.stack {
            h2 { "Sign" }
            span.store-sign { (ui::picture(&store.logo_hash, "", &store.name, ui::IN_ROW)) }
            form.stack method="post" action="/seller/store/logo" enctype="multipart/form-data" data-upload {
                (form::csrf(visit))
                div.drop { (ui::sized_icon("image", "icon large")) label for="logo" { "A square picture" } input #logo type="file" name="file" required accept="image/jpeg,image/png,image/webp"; }
                progress hidden max="100" value="0" aria-label="Upload" {}
                p.small.hush data-upload-state role="status" {}
                button.btn.outline.block type="submit" { (ui::icon("upload")) "Use it" }
            }
        }
    }
}

fn terms_card(tenant: &Tenant) -> Markup {
    let quotas = tenant.quotas.unwrap_or_default();
    html! {
        section.card.stack {
            h2 { "Your terms" }
            dl.facts {
                dt { "Plan" } dd { (crate::portal::word(tenant.plan().as_str_name(), "PLAN_")) }
                dt { "Commission" } dd { (show::percent(tenant.commission_bps)) }
                dt { "Currency" } dd { (tenant.store.as_ref().map(|store| store.currency.as_str()).unwrap_or_default()) }
                dt { "Products" } dd { "up to " (show::count(quotas.products.into())) }
                dt { "Staff" } dd { "up to " (show::count(quotas.staff.into())) }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::buyer::sample::countries as known;
    use crate::visit::sample::seller;
    use api_tenants::{Plan, Quotas, Store};
    let store = Store {
        name: "Kilnhouse".to_owned(),
        slug: "kilnhouse".to_owned(),
        description: "Stoneware, fired twice.".to_owned(),
        country: "US".to_owned(),
        currency: "USD".to_owned(),
        holiday: true,
        holiday_message: "Back on Monday.".to_owned(),
        ..Default::default()
    };
    let tenant = Tenant {
        store: Some(store),
        plan: Plan::Pro.into(),
        commission_bps: 1050,
        quotas: Some(Quotas { products: 10_000, api_calls_per_minute: 600, staff: 10 }),
        ..Default::default()
    };
    let mut reader = seller();
    reader.ctx.permissions = std::sync::Arc::new(["seller:store.read".to_owned()].into_iter().collect());
    let wrong = filled(&tenant).rejected(&problem_of(&kit_rpc::violation("accent_colour", "must be # and six hexadecimal digits")));
    vec![
        ("seller-store", view(&seller(), &tenant, &filled(&tenant), &known())),
        ("seller-store-read", view(&reader, &Tenant::default(), &Form::default(), &known())),
        ("seller-store-wrong", view(&seller(), &tenant, &wrong, &known())),
    ]
}
