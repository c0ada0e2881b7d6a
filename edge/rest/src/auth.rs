//! Who is asking: the bearer token of a request, asked of identity.

use api_identity::AuthenticateRequest;
use api_identity::identity_client::IdentityClient;
use kit_core::{TenantId, UserId};
use kit_rpc::{Actor, Ctx, Link, denied, parse};
use tonic::{Code, Status};

/// Asks identity who tokens speak for. For all edges that take bearer tokens.
#[derive(Clone)]
pub struct Authenticator {
    identity: IdentityClient<Link>,
}

impl Authenticator {
    pub fn new(identity: Link) -> Self {
        Self { identity: IdentityClient::new(identity) }
    }

    /// The context of a request: `ctx` with the actor, tenant and permissions that its `Authorization` and `X-Tenant-Id` headers
    /// give. Without `Authorization` the caller is nobody.
    pub async fn identify(&self, ctx: Ctx, headers: &http::HeaderMap) -> Result<Ctx, Status> {
        let Some(authorization) = headers.get(http::header::AUTHORIZATION) else {
            return Ok(ctx);
        };
        let invalid = |message| denied(Code::Unauthenticated, "TOKEN_INVALID", message);
        let text = authorization.to_str().map_err(|_| invalid("the Authorization header is not text"))?;
        let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let token = token.filter(|token| !token.is_empty()).ok_or_else(|| invalid("the Authorization header must be: Bearer <token>"))?;
        let tenant_id = match headers.get("x-tenant-id") {
            Some(tenant) => parse::<TenantId>("X-Tenant-Id", tenant.to_str().unwrap_or_default())?.to_string(),
            None => String::new(),
        };
        let request = ctx.as_service("edge").request(AuthenticateRequest { token: token.to_owned(), tenant_id });
        let known = self.identity.clone().authenticate(request).await?.into_inner();
        let user: UserId = known.user_id.parse().map_err(|_| Status::internal("identity answered without a user"))?;
        Ok(Ctx {
            actor: if known.guest { Actor::Guest(user) } else { Actor::User(user) },
            tenant: known.tenant_id.parse().ok(),
            sells: !known.tenant_ids.is_empty(),
            permissions: std::sync::Arc::new(known.permissions.into_iter().collect()),
            ..ctx
        })
    }
}
