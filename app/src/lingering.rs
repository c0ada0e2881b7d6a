//! An answer that comes before the request was read to its end (too large, not allowed) would be lost: closing a connection on unread
//! bytes resets it. So the rest is read and thrown away first, within limits.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use futures::StreamExt;
use http::header::EXPECT;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// The most that is read for nothing; a client that sends more may see its connection reset.
const MOST_BYTES: usize = 64 << 20;
const LONGEST: Duration = Duration::from_secs(5);

/// A request body that comes back when it is dropped before its end.
struct Borrowed {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Borrowed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let (false, Some(back)) = (self.body.is_end_stream(), self.back.take()) {
            // Nobody waits for it when the request was given up.
            let _given_up = back.send(std::mem::take(&mut self.body));
        }
    }
}

pub(crate) async fn read_to_the_end(request: Request, next: Next) -> Response {
    // A client that asks before it sends has sent nothing yet.
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    let (back, mut rest) = oneshot::channel();
    let response = next.run(request.map(|body| Body::new(Borrowed { body, back: Some(back) }))).await;
    if let Ok(rest) = rest.try_recv() {
        // Within the limits or not, the answer goes out.
        let _late = tokio::time::timeout(LONGEST, drain(rest)).await;
    }
    response
}

async fn drain(rest: Body) {
    let mut left = MOST_BYTES;
    let mut chunks = rest.into_data_stream();
    while let Some(Ok(chunk)) = chunks.next().await {
        match left.checked_sub(chunk.len()) {
            Some(fewer) => left = fewer,
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::post;
    use http::StatusCode;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_refusal_reaches_a_client_that_is_still_sending() {
        let refuse = post(async || StatusCode::PAYLOAD_TOO_LARGE);
        let router = Router::new().route("/", refuse).layer(axum::middleware::from_fn(read_to_the_end));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 20000000\r\n\r\n").await.unwrap();
        stream.write_all(&vec![b'x'; 20_000_000]).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
}
