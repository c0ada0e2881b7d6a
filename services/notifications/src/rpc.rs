//! What people and operators read, and what people want to be told: parse, ask, map.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use api_notifications as api;
use api_notifications::notifications_event::Body;
use api_notifications::notifications_server::Notifications as Contract;
use api_notifications::{MessageId, NotificationsEvent, PreferencesChanged};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use kit_core::{Clock, TenantId, Time, UserId};
use kit_db::{Db, Event, Scope, log};
use kit_rpc::{Ctx, parse, status, timestamp};
use prost::Message as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::error::Error;
use crate::store::{self, Filter, Listed, Preferences};
use crate::templates::{Site, Topic, samples};

pub(crate) struct Notifications {
    pub db: Db,
    pub clock: Clock,
    pub site: Arc<Site>,
    /// Open streams end when the process drains.
    pub stop: CancellationToken,
}

#[derive(Clone)]
pub(crate) struct Rpc(pub Arc<Notifications>);

type Answer<T> = Result<Response<T>, Status>;

const PAGE: usize = 20;
/// How often the inbox of somebody who listens is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A part of the inbox.
struct Page {
    limit: usize,
    after: Option<(Time, Uuid)>,
}

fn page(limit: u32, cursor: &str) -> Result<Page, Error> {
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(PAGE);
    if cursor.is_empty() {
        return Ok(Page { limit, after: None });
    }
    let read = || {
        let (micros, id) = cursor.split_once('_')?;
        Some((Time::from_timestamp_micros(i64::from_str_radix(micros, 16).ok()?)?, Uuid::try_parse(id).ok()?))
    };
    Ok(Page { limit, after: Some(read().ok_or(Error::Cursor)?) })
}

impl From<Topic> for api::Topic {
    fn from(topic: Topic) -> Self {
        match topic {
            Topic::Security => Self::Security,
            Topic::Orders => Self::Orders,
            Topic::Tenant => Self::Tenant,
            Topic::Sales => Self::Sales,
            Topic::Stock => Self::Stock,
        }
    }
}

impl From<Listed> for api::Message {
    fn from(listed: Listed) -> Self {
        Self {
            message_id: MessageId::from(listed.message_id).to_string(),
            template: listed.template,
            topic: Topic::from_text(&listed.topic).map_or(api::Topic::Unspecified, Into::into).into(),
            recipient: listed.recipient,
            user_id: listed.user_id.map(|id| UserId::from(id).to_string()).unwrap_or_default(),
            tenant_id: listed.tenant_id.map(|id| TenantId::from(id).to_string()).unwrap_or_default(),
            subject: listed.subject,
            text: listed.body,
            html: listed.html,
            sent_at: Some(timestamp(listed.sent_at)),
        }
    }
}

impl From<Preferences> for api::Preferences {
    fn from(preferences: Preferences) -> Self {
        Self { sales: preferences.sales, stock: preferences.stock }
    }
}

impl Notifications {
    /// A part of the inbox and where it goes on.
    async fn list(&self, scope: Scope, filter: &Filter<'_>, limit: usize) -> Result<(Vec<api::Message>, String), Error> {
        let mut tx = self.db.begin(&scope).await?;
        let mut listed = store::list(&mut tx, filter, i64::try_from(limit + 1).unwrap_or(i64::MAX)).await?;
        tx.commit().await?;
        let more = listed.len() > limit;
        listed.truncate(limit);
        let next = listed.last().filter(|_| more).map(|last| format!("{:x}_{}", last.sent_at.timestamp_micros(), last.message_id.simple()));
        Ok((listed.into_iter().map(Into::into).collect(), next.unwrap_or_default()))
    }

    /// What is sent to a person from now on: their inbox is looked at every second, for as long as somebody listens.
    async fn watch(self: &Arc<Self>, user: UserId) -> Result<impl Stream<Item = Result<api::Message, Error>> + Send + use<>, Error> {
        let seen = self.newest(user).await?.into_iter().map(|message| message.message_id).collect::<HashSet<_>>();
        let inbox = Arc::clone(self);
        let looks = stream::unfold(seen, move |seen| {
            let inbox = Arc::clone(&inbox);
            async move {
                tokio::time::sleep(LOOK_EVERY).await;
                Some(match inbox.newest(user).await {
                    Ok(newest) => {
                        let ids = newest.iter().map(|message| message.message_id.clone()).collect();
                        let new = newest.into_iter().rev().filter(|message| !seen.contains(&message.message_id)).map(Ok);
                        (new.collect::<Vec<_>>(), ids)
                    }
                    Err(error) => (vec![Err(error)], seen),
                })
            }
        });
        Ok(looks.flat_map(stream::iter).take_until(self.stop.clone().cancelled_owned()))
    }

    async fn newest(&self, user: UserId) -> Result<Vec<api::Message>, Error> {
        let filter = Filter { user: Some(user), ..Default::default() };
        Ok(self.list(Scope::Buyer(user), &filter, PAGE).await?.0)
    }

    /// People see what was sent to them, operators everything.
    async fn get(&self, ctx: &Ctx, id: MessageId) -> Result<api::Message, Error> {
        let scope = match ctx.user() {
            _ if ctx.may("operator:notifications.read") => Scope::Platform,
            Some(user) => Scope::Buyer(user),
            None => return Err(Error::MessageNotFound),
        };
        let mut tx = self.db.begin(&scope).await?;
        let found = store::find(&mut tx, id).await?.ok_or(Error::MessageNotFound)?;
        tx.commit().await?;
        Ok(found.into())
    }

    async fn get_preferences(&self, user: UserId) -> Result<Preferences, Error> {
        let mut tx = self.db.begin(&Scope::Buyer(user)).await?;
        let preferences = store::preferences(&mut tx, user).await?;
        tx.commit().await?;
        Ok(preferences)
    }

    async fn set_preferences(&self, ctx: &Ctx, user: UserId, sales: Option<bool>, stock: Option<bool>) -> Result<Preferences, Error> {
        let mut tx = self.db.begin(&Scope::Buyer(user)).await?;
        let before = store::preferences(&mut tx, user).await?;
        let after = store::put_preferences(&mut tx, user, sales, stock).await?;
        if before != after {
            let body = Body::PreferencesChanged(PreferencesChanged { user_id: user.to_string(), preferences: Some(after.into()) });
            let payload = NotificationsEvent { body: Some(body) }.encode_to_vec();
            let show = |p: Preferences| json!({ "sales": p.sales, "stock": p.stock });
            let change = Some(json!({ "before": show(before), "after": show(after) }));
            log::append(&mut tx, ctx, self.clock.now(), Event { key: user.uuid(), tenant: None, kind: "preferences_changed", payload, change })
                .await?;
        }
        tx.commit().await?;
        Ok(after)
    }
}

#[tonic::async_trait]
impl Contract for Rpc {
    async fn list_messages(&self, request: Request<api::ListMessagesRequest>) -> Answer<api::ListMessagesResponse> {
        Ctx::of(&request)?.require_operator("notifications.read")?;
        let r = request.get_ref();
        let page = page(r.limit, &r.cursor).map_err(status)?;
        let recipient = r.recipient.trim().to_lowercase();
        let given = |text: &'_ str| !text.is_empty();
        let filter = Filter {
            user: None,
            recipient: Some(recipient.as_str()).filter(|text| given(text)),
            template: Some(r.template.as_str()).filter(|text| given(text)),
            after: page.after,
        };
        let (messages, next_cursor) = self.0.list(Scope::Platform, &filter, page.limit).await.map_err(status)?;
        Ok(Response::new(api::ListMessagesResponse { messages, next_cursor }))
    }

    async fn list_my_messages(&self, request: Request<api::ListMyMessagesRequest>) -> Answer<api::ListMyMessagesResponse> {
        let user = Ctx::of(&request)?.require_user()?;
        let page = page(request.get_ref().limit, &request.get_ref().cursor).map_err(status)?;
        let filter = Filter { user: Some(user), after: page.after, ..Default::default() };
        let (messages, next_cursor) = self.0.list(Scope::Buyer(user), &filter, page.limit).await.map_err(status)?;
        Ok(Response::new(api::ListMyMessagesResponse { messages, next_cursor }))
    }

    type WatchMyMessagesStream = BoxStream<'static, Result<api::WatchMyMessagesResponse, Status>>;

    async fn watch_my_messages(&self, request: Request<api::WatchMyMessagesRequest>) -> Answer<Self::WatchMyMessagesStream> {
        let user = Ctx::of(&request)?.require_user()?;
        let messages = self.0.watch(user).await.map_err(status)?;
        let answers = messages.map(|message| message.map(|message| api::WatchMyMessagesResponse { message: Some(message) }).map_err(status));
        Ok(Response::new(answers.boxed()))
    }

    async fn get_message(&self, request: Request<api::GetMessageRequest>) -> Answer<api::GetMessageResponse> {
        let ctx = Ctx::of(&request)?;
        let message = self.0.get(&ctx, parse("message_id", &request.get_ref().message_id)?).await.map_err(status)?;
        Ok(Response::new(api::GetMessageResponse { message: Some(message) }))
    }

    async fn get_preferences(&self, request: Request<api::GetPreferencesRequest>) -> Answer<api::GetPreferencesResponse> {
        let preferences = self.0.get_preferences(Ctx::of(&request)?.require_user()?).await.map_err(status)?;
        Ok(Response::new(api::GetPreferencesResponse { preferences: Some(preferences.into()) }))
    }

    async fn set_preferences(&self, request: Request<api::SetPreferencesRequest>) -> Answer<api::SetPreferencesResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.get_ref();
        let preferences = self.0.set_preferences(&ctx, ctx.require_user()?, r.sales, r.stock).await.map_err(status)?;
        Ok(Response::new(api::SetPreferencesResponse { preferences: Some(preferences.into()) }))
    }

    async fn list_templates(&self, request: Request<api::ListTemplatesRequest>) -> Answer<api::ListTemplatesResponse> {
        Ctx::of(&request)?.require_operator("notifications.read")?;
        let templates = samples(&self.0.site).into_iter().map(|message| api::Template {
            name: message.template.to_owned(),
            topic: api::Topic::from(message.topic).into(),
            text: message.letter.text(),
            html: message.letter.html(),
            subject: message.letter.subject,
        });
        Ok(Response::new(api::ListTemplatesResponse { templates: templates.collect() }))
    }
}
