//! A repeated write is answered, not repeated: the first answer under an idempotency key is kept for a day.

use std::future::Future;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use kit_core::Clock;
use kit_db::{Db, Earlier};
use kit_rpc::wire::{Reader, Value};
use kit_rpc::{Actor, Ctx, denied, problem_of};
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::guard::Layers;
use crate::table::Method;

/// Longer keys are refused; a UUID has 36 characters.
const LONGEST_KEY: usize = 255;

/// Whose keys these are: a person's, a guest's, or those of whoever has an access token. Services repeat by business keys, and nobody's keys
/// would mix strangers.
pub(crate) fn caller(ctx: &Ctx, method: &Method, message: &[u8]) -> Option<String> {
    match &ctx.actor {
        _ if !method.replayed => None,
        Actor::Guest(user) | Actor::User(user) => Some(user.to_string()),
        Actor::Nobody => token(message, method.token_field?).map(|token| {
            let hash = Sha256::digest(token);
            hash.iter().fold("token:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
        }),
        Actor::Service(_) => None,
    }
}

fn token(message: &[u8], field: u32) -> Option<&[u8]> {
    let mut reader = Reader::new(message);
    let mut found = None;
    while let Ok(Some((number, value))) = reader.field() {
        if let (true, Value::Bytes(text)) = (number == field, value) {
            found = Some(text).filter(|text| !text.is_empty());
        }
    }
    found
}

pub(crate) struct Replay {
    db: Db,
    clock: Clock,
    caller: String,
    key: String,
    hash: [u8; 32],
}

/// An answer as it is kept.
#[derive(Clone, PartialEq, prost::Message)]
struct Kept {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(bytes = "bytes", tag = "3")]
    details: Bytes,
    /// The framed response message of a success.
    #[prost(bytes = "bytes", tag = "4")]
    body: Bytes,
}

impl Replay {
    pub(crate) fn new(layers: &Layers, method: &Method, caller: String, key: &str, message: &[u8]) -> Self {
        let hash = Sha256::new().chain_update(&method.path).chain_update([0]).chain_update(message).finalize();
        Self { db: layers.db.clone(), clock: layers.clock.clone(), caller, key: key.to_owned(), hash: hash.into() }
    }

    /// The earlier answer, or the answer of `work`, kept for the next time.
    pub(crate) async fn answer(self, work: impl Future<Output = http::Response<Body>> + Send + 'static) -> http::Response<Body> {
        if self.key.is_empty() || self.key.len() > LONGEST_KEY {
            return denied(Code::InvalidArgument, "IDEMPOTENCY_KEY_INVALID", "an idempotency key has 1 to 255 characters").into_http();
        }
        match self.db.idempotency_start(&self.caller, &self.key, &self.hash, self.clock.now()).await {
            Err(error) => kit_rpc::status(error).into_http(),
            Ok(Earlier::OtherRequest) => {
                denied(Code::FailedPrecondition, "IDEMPOTENCY_KEY_REUSED", "this idempotency key was used for another request").into_http()
            }
            Ok(Earlier::Running) => {
                kit_rpc::retry_later(Code::AlreadyExists, "IDEMPOTENCY_KEY_IN_USE", "the same request is being served; ask again in a moment", 1)
                    .into_http()
            }
            Ok(Earlier::Answered(kept)) => match Kept::decode(kept.as_slice()) {
                Ok(kept) => kept.into_response(),
                Err(_) => Status::internal("a kept answer could not be read").into_http(),
            },
            // On a task of its own: a caller that goes away does not leave the key half used.
            Ok(Earlier::Nothing) => match tokio::spawn(tracing::Instrument::in_current_span(self.first(work))).await {
                Ok(response) => response,
                Err(_) => Status::internal("the operation was broken off").into_http(),
            },
        }
    }

    async fn first(self, work: impl Future<Output = http::Response<Body>>) -> http::Response<Body> {
        let kept = Kept::of(work.await).await;
        let noted = if kept.is_definite() {
            self.db.idempotency_answered(&self.caller, &self.key, &kept.encode_to_vec()).await
        } else {
            self.db.idempotency_abandoned(&self.caller, &self.key).await
        };
        if let Err(error) = noted {
            // The effect stands; a repetition within the lease is told to wait, after it the flow's own idempotence decides.
            tracing::warn!(%error, "the answer to an idempotent request could not be kept");
        }
        kept.into_response()
    }
}

impl Kept {
    async fn of(response: http::Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let early = Status::from_header_map(&head.headers);
        let (body, late) = match body.collect().await {
            Ok(collected) => {
                let late = collected.trailers().and_then(Status::from_header_map);
                (collected.to_bytes(), late)
            }
            Err(status) => (Bytes::new(), Some(status)),
        };
        let status = early.or(late).unwrap_or_else(|| Status::internal("the service answered without a status"));
        Self { code: i32::from(status.code()), message: status.message().to_owned(), details: Bytes::copy_from_slice(status.details()), body }
    }

    fn status(&self) -> Status {
        Status::with_details(Code::from_i32(self.code), &self.message, self.details.clone())
    }

    /// A success, or an error that the same request would meet again.
    fn is_definite(&self) -> bool {
        use kit_core::Code::{Conflict, Forbidden, Invalid, NotFound, Refused, Stale};
        let problem = problem_of(&self.status());
        self.code == i32::from(Code::Ok)
            || (problem.retry_after_seconds == 0 && matches!(problem.code, Invalid | Forbidden | NotFound | Conflict | Stale | Refused))
    }

    fn into_response(self) -> http::Response<Body> {
        if self.code != i32::from(Code::Ok) {
            return self.status().into_http();
        }
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
        let frames = futures::stream::iter([http_body::Frame::data(self.body), http_body::Frame::trailers(trailers)]).map(Ok::<_, Status>);
        let mut response = http::Response::new(Body::new(StreamBody::new(frames)));
        response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/grpc"));
        response
    }
}
