//! What the market wrote to the buyer.

use api_notifications::{GetMessageRequest, ListMyMessagesRequest, ListMyMessagesResponse, Message, Topic};
use axum::extract::{Path, Query as UrlQuery, State};
use axum::response::IntoResponse;
use maud::{Markup, html};

use crate::buyer::store::Cursor;
use crate::failure::{Failure, Page};
use crate::session::Here;
use crate::site::Web;
use crate::ui::{self, Head, icon, show};
use crate::visit::Visit;

pub(crate) async fn list(State(site): State<Web>, here: Here, UrlQuery(at): UrlQuery<Cursor>) -> Page {
    if here.ctx.user().is_none() {
        return Err(Failure { code: kit_core::Code::Unauthenticated, message: String::new() });
    }
    let request = ListMyMessagesRequest { limit: 30, cursor: at.cursor.clone() };
    let found = site.notifications.clone().list_my_messages(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &found, !at.cursor.is_empty()).into_response())
}

const fn picture(topic: Topic) -> &'static str {
    match topic {
        Topic::Security => "lock",
        Topic::Orders => "package",
        Topic::Tenant | Topic::Sales => "store",
        Topic::Stock => "boxes",
        Topic::Unspecified => "mail",
    }
}

pub(crate) fn view_list(visit: &Visit, found: &ListMyMessagesResponse, later: bool) -> Markup {
    let head = Head { title: "Messages", tab: "account", ..Head::default() };
    let next = (!found.next_cursor.is_empty()).then(|| format!("/messages?cursor={}", found.next_cursor));
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                div.page-head { h1 { "Messages" } }
                @if found.messages.is_empty() {
                    (ui::empty("mail", "No messages", "Confirmations and news of your parcels arrive here.", None))
                } @else {
                    div.card.flush {
                        @for message in &found.messages {
                            article.message-row {
                                (icon(picture(message.topic())))
                                h2 { a href={ "/messages/" (message.message_id) } { (message.subject) } }
                                span.tiny.hush { @if let Some(at) = &message.sent_at { (show::moment(kit_rpc::time(at))) } }
                                p.clamp-1 { (message.text.lines().find(|line| !line.is_empty()).unwrap_or_default()) }
                            }
                        }
                    }
                    (ui::pager(later.then_some("/messages"), next.as_deref()))
                }
            }
        },
    )
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(message_id): Path<String>) -> Page {
    let message = site
        .notifications
        .clone()
        .get_message(here.ctx.request(GetMessageRequest { message_id }))
        .await?
        .into_inner()
        .message
        .ok_or_else(Failure::not_found)?;
    Ok(view(&here, &message).into_response())
}

/// Addresses in plain text as links; nothing else of it is taken for markup.
pub(crate) fn letter(text: &str) -> Markup {
    html! {
        div.letter {
            @for (number, word) in text.split(' ').enumerate() {
                @if number > 0 { " " }
                @for (row, piece) in word.split('\n').enumerate() {
                    @if row > 0 { "\n" }
                    @if piece.starts_with("http://") || piece.starts_with("https://") { a href=(piece) { (piece) } } @else { (piece) }
                }
            }
        }
    }
}

pub(crate) fn view(visit: &Visit, message: &Message) -> Markup {
    let head = Head { title: &message.subject, tab: "account", ..Head::default() };
    ui::page(
        visit,
        &head,
        html! {
            div.medium {
                (ui::crumbs(&[("/messages".to_owned(), "Messages".to_owned())], &message.subject))
                div.page-head {
                    div {
                        h1 { (message.subject) }
                        p.small { "To " (message.recipient) @if let Some(at) = &message.sent_at { " · " (show::moment(kit_rpc::time(at))) } }
                    }
                }
                div.card { (letter(&message.text)) }
            }
        },
    )
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample;
    let message = |subject: &str| Message {
        message_id: "msg_1".to_owned(),
        topic: Topic::Orders.into(),
        recipient: "ann@example.com".to_owned(),
        subject: subject.to_owned(),
        text: "Dear Ann,\n\nthank you for your order. Follow it here:\nhttp://127.0.0.1:8080/orders/ord_1\n\nMarketHub <3".to_owned(),
        sent_at: Some(kit_rpc::timestamp(sample::nobody().now)),
        ..Message::default()
    };
    let found = ListMyMessagesResponse {
        messages: vec![message("Your order MH-2026-7K3F-9QXD"), message(crate::buyer::sample::LONG)],
        next_cursor: String::new(),
    };
    vec![
        ("messages", view_list(&sample::buyer(), &found, false)),
        ("messages-empty", view_list(&sample::buyer(), &ListMyMessagesResponse::default(), true)),
        ("message", view(&sample::buyer(), &message("Your order MH-2026-7K3F-9QXD"))),
    ]
}
