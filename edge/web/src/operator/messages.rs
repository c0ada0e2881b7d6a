//! The local inbox: every message the market sent, as its reader gets it.

use api_notifications::{GetMessageRequest, ListMessagesRequest, ListMessagesResponse, Message};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::{ListQuery, console, filter, link, moment, staff};
use crate::failure::Page;
use crate::session::Here;
use crate::site::Web;
use crate::ui;
use crate::visit::Visit;

const PAGE: u32 = 50;

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    staff(&here)?;
    let request = ListMessagesRequest { limit: PAGE, cursor: wanted.cursor.clone(), recipient: wanted.query.clone(), ..Default::default() };
    let found = site.notifications.clone().list_messages(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found).into_response())
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &ListMessagesResponse) -> Markup {
    let body = html! {
        (filter("/operator/messages", "Recipient", &wanted.query, &[], ""))
        div.card.flush {
            @if found.messages.is_empty() { (ui::empty("inbox", "Nothing sent yet", "Confirmations, invitations and alerts appear here as they go out.", None)) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Subject" } th scope="col" { "To" } th scope="col" { "Template" } th scope="col" { "Sent" } } }
                    tbody {
                        @for message in &found.messages {
                            tr {
                                th scope="row" { a href={ "/operator/messages/" (message.message_id) } { (message.subject) } }
                                td data-label="To" { (message.recipient) }
                                td data-label="Template" { span.mono.tiny { (message.template) } }
                                td data-label="Sent" { (moment(message.sent_at.as_ref())) }
                            }
                        }
                    }
                }
            }
        }
        (ui::pager(None, (!found.next_cursor.is_empty()).then(|| link("/operator/messages", &[("query", &wanted.query), ("cursor", &found.next_cursor)])).as_deref()))
    };
    console(
        visit,
        "/operator/messages",
        "Messages",
        "The local inbox: no mail provider is configured, so every message stays here.",
        html! { a.btn.outline href="/operator/templates" { (ui::icon("file-text")) "Templates" } },
        body,
    )
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(message_id): Path<String>) -> Page {
    staff(&here)?;
    let found = site.notifications.clone().get_message(here.ctx.request(GetMessageRequest { message_id })).await?.into_inner();
    Ok(view(&here, &found.message.unwrap_or_default()).into_response())
}

fn view(visit: &Visit, message: &Message) -> Markup {
    let body = html! {
        (ui::crumbs(&[("/operator/messages".to_owned(), "Messages".to_owned())], &message.subject))
        section.card.stack {
            dl.facts { dt { "To" } dd { (message.recipient) } dt { "Sent" } dd { (moment(message.sent_at.as_ref())) } dt { "Template" } dd.mono.tiny { (message.template) } }
            @for paragraph in message.text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) { p { @for line in paragraph.lines() { (line) br; } } }
        }
    };
    console(visit, "/operator/messages", &message.subject, "", html! {}, body)
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::operator;
    let message = Message {
        message_id: "msg_1".to_owned(),
        subject: "Your order MH-2026-7K3F".to_owned(),
        recipient: "ann@example.com".to_owned(),
        text: "Thank you.\n\nThree shops are packing.\nYou can follow each parcel.".to_owned(),
        template: "order_paid".to_owned(),
        ..Default::default()
    };
    vec![
        (
            "operator-messages",
            view_list(&operator(), &ListQuery::default(), &ListMessagesResponse { messages: vec![message.clone()], next_cursor: String::new() }),
        ),
        ("operator-messages-none", view_list(&operator(), &ListQuery::default(), &ListMessagesResponse::default())),
        ("operator-message", view(&operator(), &message)),
    ]
}
