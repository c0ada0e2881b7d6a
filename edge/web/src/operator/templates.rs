//! What the market writes to people: each template, filled with sample values.

use api_notifications::{ListTemplatesRequest, Template, Topic};
use axum::extract::{Path, State};
use axum::response::{Html, IntoResponse};
use maud::{Markup, html};

use super::{console, staff, word};
use crate::buyer::messages::letter;
use crate::failure::{Failure, Page};
use crate::security::Letter;
use crate::session::Here;
use crate::site::{Site, Web};
use crate::ui::{self, Tone, badge};
use crate::visit::Visit;

async fn all(site: &Site, visit: &Visit) -> Result<Vec<Template>, Failure> {
    Ok(site.notifications.clone().list_templates(visit.ctx.request(ListTemplatesRequest {})).await?.into_inner().templates)
}

async fn one(site: &Site, visit: &Visit, name: &str) -> Result<Template, Failure> {
    all(site, visit).await?.into_iter().find(|template| template.name == name).ok_or_else(Failure::not_found)
}

pub(crate) async fn list(State(site): State<Web>, here: Here) -> Page {
    staff(&here)?;
    Ok(view_list(&here, &all(&site, &here).await?).into_response())
}

const fn topic_words(topic: Topic) -> &'static str {
    match topic {
        Topic::Security => "Security, always sent",
        Topic::Orders => "Own orders, always sent",
        Topic::Tenant => "Shops and staff, always sent",
        Topic::Sales => "New orders, can be switched off",
        Topic::Stock => "Low stock, can be switched off",
        Topic::Unspecified => "Other",
    }
}

fn way(last: Option<(&str, &str)>) -> Vec<(String, String)> {
    let first = [("/operator/messages", "Messages")];
    first.into_iter().chain(last).map(|(address, name)| (address.to_owned(), name.to_owned())).collect()
}

fn view_list(visit: &Visit, templates: &[Template]) -> Markup {
    let body = html! {
        (ui::crumbs(&way(None), "Templates"))
        div.card.flush {
            table.table.cards {
                thead { tr { th scope="col" { "Subject, with sample values" } th scope="col" { "Template" } th scope="col" { "Topic" } } }
                tbody {
                    @for template in templates {
                        tr {
                            th scope="row" { a href={ "/operator/templates/" (template.name) } { (template.subject) } }
                            td data-label="Template" { span.mono.tiny { (template.name) } }
                            td data-label="Topic" { (topic_words(template.topic())) }
                        }
                    }
                }
            }
        }
    };
    console(visit, "/operator/messages", "Templates", "What the market writes, and when people can do without it.", html! {}, body)
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(name): Path<String>) -> Page {
    staff(&here)?;
    Ok(view(&here, &one(&site, &here, &name).await?).into_response())
}

/// The letter's own document, as mail programs show it.
pub(crate) async fn html(State(site): State<Web>, here: Here, Path(name): Path<String>) -> Page {
    staff(&here)?;
    let mut response = Html(one(&site, &here, &name).await?.html).into_response();
    response.extensions_mut().insert(Letter);
    Ok(response)
}

fn view(visit: &Visit, template: &Template) -> Markup {
    let body = html! {
        (ui::crumbs(&way(Some(("/operator/templates", "Templates"))), &word(&template.name, "")))
        section.card.stack.medium-start {
            div.row { (badge(Tone::Plain, topic_words(template.topic()))) span.mono.tiny.hush { (template.name) } }
            (letter(&template.text))
        }
    };
    let open = html! { a.btn.outline href={ "/operator/templates/" (template.name) "/html" } target="_blank" rel="noopener" { (ui::icon("external-link")) "As mail programs show it" } };
    console(visit, "/operator/messages", &template.subject, "The values are samples.", open, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let template = |name: &str, topic: Topic| Template {
        name: name.to_owned(),
        topic: topic.into(),
        subject: "Your order MH-2026-7K3F".to_owned(),
        text: "Dear Ann,\n\nthank you. Follow it here:\nhttp://127.0.0.1:8080/orders/ord_1\n".to_owned(),
        html: String::new(),
    };
    let all: Vec<_> = [Topic::Security, Topic::Orders, Topic::Tenant, Topic::Sales, Topic::Stock].map(|topic| template("order_placed", topic)).into();
    vec![("operator-templates", view_list(&operator(), &all)), ("operator-template", view(&operator(), &all[1]))]
}
