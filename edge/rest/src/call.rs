//! Calls any operation by its path, with bytes in and bytes out.

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use kit_rpc::{Ctx, Link};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Response, Status, Streaming};

/// The largest answer the edge passes on.
const LARGEST_ANSWER_BYTES: usize = 128 << 20;

/// Messages as they are on the wire.
#[derive(Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

pub(crate) async fn unary(link: Link, path: PathAndQuery, ctx: &Ctx, message: Vec<u8>) -> Result<Response<Bytes>, Status> {
    let mut grpc = client(link);
    ready(&mut grpc).await?;
    grpc.unary(request(ctx, message, true), path, RawCodec).await
}

pub(crate) async fn stream(link: Link, path: PathAndQuery, ctx: &Ctx, message: Vec<u8>) -> Result<Streaming<Bytes>, Status> {
    let mut grpc = client(link);
    ready(&mut grpc).await?;
    let answer = grpc.server_streaming(request(ctx, message, false), path, RawCodec).await?;
    Ok(answer.into_inner())
}

fn client(link: Link) -> tonic::client::Grpc<Link> {
    tonic::client::Grpc::new(link).max_decoding_message_size(LARGEST_ANSWER_BYTES)
}

async fn ready(grpc: &mut tonic::client::Grpc<Link>) -> Result<(), Status> {
    grpc.ready().await.map_err(|error| Status::unavailable(error.message().to_owned()))
}

/// Carries the context as it is: the idempotency key is for exactly this call. A stream has no deadline.
fn request(ctx: &Ctx, message: Vec<u8>, timed: bool) -> Request<Bytes> {
    let mut request = Request::new(Bytes::from(message));
    if timed {
        request.set_timeout(ctx.time_left());
    }
    request.extensions_mut().insert(ctx.clone());
    request
}
