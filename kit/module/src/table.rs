//! What the layers need to know of each operation of a service, worked out once from its contract.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use kit_rpc::{Actor, Ctx, contract, denied};
use metrics::{Counter, Histogram};
use prost_reflect::DescriptorPool;
use tonic::{Code, Status};

use crate::rules::{Shapes, Strictness};

/// The operations of one service by path (`/markethub.orders.v1.Orders/Cancel`).
pub(crate) struct Table {
    methods: HashMap<String, Arc<Method>>,
}

pub(crate) struct Method {
    /// `orders.Cancel`
    pub(crate) name: String,
    pub(crate) path: String,
    /// A write for people known to the market: its answer is kept for those who repeat it under one idempotency key. What anybody may
    /// call is not, because such operations sign people in, and their tokens must not be at rest; but what is for buyers and open to
    /// whoever has a thing's access token is.
    pub(crate) replayed: bool,
    /// The number of the field `access_token`, which says who calls when nobody is signed in.
    pub(crate) token_field: Option<u32>,
    /// Its request is one message.
    pub(crate) unary_request: bool,
    access: Access,
    shape: usize,
    shapes: Arc<Shapes>,
    pub(crate) requests: Counter,
    pub(crate) seconds: Histogram,
}

/// `kit.v1.access`, with the permissions as `Ctx` holds them.
struct Access {
    anonymous: bool,
    buyer: bool,
    seller: Option<String>,
    operator: Option<String>,
}

impl Table {
    /// Reads the contract of the service named `service` in it.
    pub(crate) fn read(module: &'static str, grpc_name: &str, descriptors: &[u8]) -> anyhow::Result<Self> {
        let pool = DescriptorPool::decode(descriptors).with_context(|| format!("reading the contract of {module}"))?;
        let service = pool.get_service_by_name(grpc_name).with_context(|| format!("the contract of {module} does not define {grpc_name}"))?;
        let mut shapes = Shapes::default();
        let indexed: Vec<_> = service.methods().map(|method| (shapes.add(&method.input()), method)).collect();
        let shapes = Arc::new(shapes);
        let methods = indexed.into_iter().map(|(shape, method)| {
            let name = format!("{module}.{}", method.name());
            let path = format!("/{}/{}", service.full_name(), method.name());
            let writes = contract::http(&method).is_some_and(|(verb, ..)| verb != http::Method::GET);
            let access = contract::access(&method);
            let method = Method {
                path: path.clone(),
                replayed: writes && (!access.anonymous || access.buyer) && !method.is_server_streaming(),
                token_field: method.input().get_field_by_name("access_token").map(|field| field.number()),
                unary_request: !method.is_client_streaming(),
                access: Access::of(access),
                shape,
                shapes: Arc::clone(&shapes),
                requests: metrics::counter!("rpc_requests_total", "method" => name.clone()),
                seconds: metrics::histogram!("rpc_seconds", "method" => name.clone()),
                name,
            };
            (path, Arc::new(method))
        });
        Ok(Self { methods: methods.collect() })
    }

    pub(crate) fn method(&self, path: &str) -> Option<Arc<Method>> {
        self.methods.get(path).cloned()
    }
}

impl Method {
    /// Deny by default: nobody but services passes where the contract says nothing.
    pub(crate) fn admit(&self, ctx: &Ctx) -> Result<(), Status> {
        let holds = |permission: &Option<String>| permission.as_ref().is_some_and(|permission| ctx.permissions.contains(permission));
        let access = &self.access;
        if ctx.is_service() || access.anonymous || (access.buyer && ctx.user().is_some()) || holds(&access.operator) {
            return Ok(());
        }
        if access.seller.is_some() && ctx.tenant.is_some() && holds(&access.seller) {
            return Ok(());
        }
        let public = access.buyer || access.seller.is_some() || access.operator.is_some();
        Err(match &ctx.actor {
            Actor::Nobody if public => denied(Code::Unauthenticated, "SIGN_IN_REQUIRED", "sign in first"),
            Actor::User(_) if access.seller.is_some() && ctx.tenant.is_none() => ctx.without_tenant(),
            _ => denied(Code::PermissionDenied, "FORBIDDEN", "you may not do this"),
        })
    }

    /// The request satisfies the contract's rules, or every field that does not is named.
    pub(crate) fn check(&self, ctx: &Ctx, message: &[u8]) -> Result<(), Status> {
        let strictness = if ctx.is_service() { Strictness::Service } else { Strictness::Outside };
        match self.shapes.check(self.shape, message, strictness) {
            Ok(violations) if violations.is_empty() => Ok(()),
            Ok(violations) => Err(kit_rpc::invalid(violations)),
            Err(_malformed) => {
                Err(denied(Code::InvalidArgument, "MALFORMED_MESSAGE", "the request is not a protobuf message of the operation's type"))
            }
        }
    }
}

impl Access {
    fn of(access: kit_rpc::proto::Access) -> Self {
        let permission = |side: &str, word: String| Some(word).filter(|word| !word.is_empty()).map(|word| format!("{side}:{word}"));
        Self {
            anonymous: access.anonymous,
            buyer: access.buyer,
            seller: permission("seller", access.seller),
            operator: permission("operator", access.operator),
        }
    }
}
