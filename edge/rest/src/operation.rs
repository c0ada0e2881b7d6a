//! One public operation, as its contract describes it, ready to be served: where it is, what goes in, what comes out.

use std::sync::Arc;

use anyhow::{Context, ensure};
use http::Method;
use http::uri::PathAndQuery;
use kit_rpc::contract;
use kit_rpc::proto::Access;
use prost_reflect::{DescriptorPool, Kind as ProtoKind, MessageDescriptor, MethodDescriptor};

use crate::routes::{Segment, template};
use crate::schema::{Field, Schema};

/// Everything the edge serves, read from the contracts.
pub(crate) struct Contracts {
    pub(crate) schema: Schema,
    pub(crate) operations: Vec<Arc<Operation>>,
    /// Kept for the OpenAPI document: (service name, its contract).
    pub(crate) pools: Vec<(&'static str, DescriptorPool)>,
}

pub(crate) struct Operation {
    /// The service whose link leads there: `orders`.
    pub(crate) service: &'static str,
    /// `orders.Cancel`
    pub(crate) name: String,
    pub(crate) verb: Method,
    pub(crate) path: String,
    pub(crate) template: Vec<Segment>,
    pub(crate) grpc_path: PathAndQuery,
    pub(crate) access: Access,
    pub(crate) input: usize,
    pub(crate) body: Body,
    pub(crate) output: Output,
    /// The names of the fields the path gives, in order.
    pub(crate) path_fields: Vec<String>,
    pub(crate) has_if_version: bool,
    /// Fields of the request that the edge fills when it carries a raw body.
    pub(crate) content_type: Option<Field>,
    pub(crate) headers: Option<Field>,
    /// Where the answer keeps the version of its resource: the numbers of the fields that lead there.
    pub(crate) version: Option<Vec<u32>>,
    /// The answer never changes: it is named by its hash.
    pub(crate) immutable: bool,
}

pub(crate) enum Body {
    /// No body: what the path does not give, the query does.
    None,
    /// The whole request as JSON.
    All,
    /// One field as it comes; the rest by the query. With the most bytes it may have.
    Raw { field: Field, max_bytes: Option<u32> },
}

pub(crate) enum Output {
    Json(usize),
    /// `google.api.HttpBody`: bytes and their type.
    Raw,
    /// Server-sent events of this message.
    Events(usize),
}

impl Contracts {
    pub(crate) fn read(contracts: &[(&'static str, &'static [u8])]) -> anyhow::Result<Self> {
        let mut read = Self { schema: Schema::default(), operations: Vec::new(), pools: Vec::new() };
        for (service, descriptors) in contracts {
            let pool = DescriptorPool::decode(*descriptors).with_context(|| format!("reading the contract of {service}"))?;
            for method in pool.services().filter(|known| !known.full_name().starts_with("kit.")).flat_map(|known| known.methods().collect::<Vec<_>>())
            {
                if let Some((verb, path, body)) = contract::http(&method) {
                    let operation =
                        read.operation(service, &method, verb, path, &body).with_context(|| format!("the REST form of {}", method.full_name()))?;
                    read.operations.push(Arc::new(operation));
                }
            }
            read.pools.push((service, pool));
        }
        Ok(read)
    }

    fn operation(&mut self, service: &'static str, method: &MethodDescriptor, verb: Method, path: String, body: &str) -> anyhow::Result<Operation> {
        let input = self.schema.add(&method.input());
        let output = match (method.output().full_name(), method.is_server_streaming()) {
            ("google.api.HttpBody", false) => Output::Raw,
            (_, false) => Output::Json(self.schema.add(&method.output())),
            (_, true) => Output::Events(self.schema.add(&method.output())),
        };
        ensure!(!matches!(output, Output::Events(_)) || verb == Method::GET, "a stream is read with GET");
        let segments = template(&path)?;
        let path_fields: Vec<String> =
            segments.iter().filter_map(|segment| if let Segment::Field { name, .. } = segment { Some(name.clone()) } else { None }).collect();
        let request = self.schema.message(input).context("the request was just added")?;
        for name in &path_fields {
            ensure!(request.named(name).is_some(), "the path names the field {name}, which the request does not have");
        }
        let body = match body {
            "" => Body::None,
            "*" => Body::All,
            name => {
                let field = request.named(name).with_context(|| format!("the body is the field {name}, which the request does not have"))?;
                let max_bytes = method
                    .input()
                    .get_field_by_name(name)
                    .and_then(|field| contract::rules(&field))
                    .map(|rules| rules.max_len)
                    .filter(|max| *max > 0);
                Body::Raw { field: field.clone(), max_bytes }
            }
        };
        let raw = matches!(body, Body::Raw { .. });
        Ok(Operation {
            service,
            name: format!("{service}.{}", method.name()),
            grpc_path: format!("/{}/{}", method.parent_service().full_name(), method.name()).parse()?,
            access: contract::access(method),
            has_if_version: request.named("if_version").is_some(),
            content_type: request.named("content_type").filter(|_| raw).cloned(),
            headers: request.named("headers").filter(|_| raw).cloned(),
            version: version_of(&method.output()),
            immutable: path_fields.iter().any(|name| name == "hash"),
            verb,
            path,
            template: segments,
            input,
            body,
            output,
            path_fields,
        })
    }
}

/// The version of the resource an answer carries: its own, or that of the one message in it that has one.
fn version_of(output: &MessageDescriptor) -> Option<Vec<u32>> {
    let own = |message: &MessageDescriptor| {
        message
            .get_field_by_name("version")
            .filter(|field| matches!(field.kind(), ProtoKind::Uint32 | ProtoKind::Uint64 | ProtoKind::Int64 | ProtoKind::Int32))
    };
    if let Some(field) = own(output) {
        return Some(vec![field.number()]);
    }
    let mut inner = output.fields().filter(|field| !field.is_list() && !field.is_map()).filter_map(|field| {
        let version = own(field.kind().as_message()?)?;
        Some(vec![field.number(), version.number()])
    });
    inner.next().filter(|_| inner.next().is_none())
}
