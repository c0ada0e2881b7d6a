//! Who is asking, for which tenant, by when: made at the edge, carried with every call, the first argument of every flow.
//!
//! In process it travels as an extension of the request. Between processes it travels as the header `mh-ctx` with a MAC under
//! the cluster's key (`mh-ctx-mac`), so that nobody outside can write one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use kit_core::{TenantId, UserId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tonic::{Request, Status};

use crate::status::denied;

/// The headers in which a context travels between processes.
pub const CTX_HEADER: &str = "mh-ctx";
pub const MAC_HEADER: &str = "mh-ctx-mac";

/// The longest a call may take when nobody set a deadline.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// Not signed in, not even as a guest.
    Nobody,
    /// A guest: has an id, a cart and orders, but no password.
    Guest(UserId),
    User(UserId),
    /// One of MarketHub's own services, by name.
    Service(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ctx {
    pub actor: Actor,
    /// The tenant a seller acts for; chosen at sign-in or by the `X-Tenant-Id` header among the tenants they work for.
    pub tenant: Option<TenantId>,
    /// The actor works for a tenant at least, chosen or not.
    #[serde(default)]
    pub sells: bool,
    /// What the actor may do: "seller:orders.write" in `tenant`, "operator:orders.read" on the platform.
    pub permissions: Arc<BTreeSet<String>>,
    /// One id for everything one outside request causes, in logs, events and audit.
    pub request_id: Arc<str>,
    pub idempotency_key: Option<Arc<str>>,
    pub address: Option<IpAddr>,
    /// The person on whose behalf a service acts, for the audit log.
    pub on_behalf_of: Option<UserId>,
    #[serde(skip)]
    pub deadline: Option<Instant>,
}

/// The cluster's key under which contexts between processes are authenticated.
#[derive(Clone)]
pub struct CtxKey(Arc<[u8]>);

impl Ctx {
    /// A caller nobody knows yet.
    pub fn anonymous(request_id: &str) -> Self {
        Self {
            actor: Actor::Nobody,
            tenant: None,
            sells: false,
            permissions: Arc::default(),
            request_id: request_id.into(),
            idempotency_key: None,
            address: None,
            on_behalf_of: None,
            deadline: None,
        }
    }

    /// A service acting on its own: a job, a consumer.
    pub fn service(name: &str, request_id: &str) -> Self {
        Self { actor: Actor::Service(name.to_owned()), ..Self::anonymous(request_id) }
    }

    /// The refusal of what is for sellers to somebody who acts for no tenant.
    pub fn without_tenant(&self) -> Status {
        match self.sells {
            true => denied(tonic::Code::PermissionDenied, "TENANT_REQUIRED", "you work for several shops: choose one with X-Tenant-Id"),
            false => denied(tonic::Code::PermissionDenied, "NO_TENANT", "this is for sellers, and you work for no shop"),
        }
    }

    /// The same request, continued by a service with its own authority; remembers the person for the audit log.
    #[must_use]
    pub fn as_service(&self, name: &str) -> Self {
        Self { actor: Actor::Service(name.to_owned()), on_behalf_of: self.user().or(self.on_behalf_of), ..self.clone() }
    }

    /// The context of a call being served. Present for every call that came through a link or the gRPC listener.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| Status::internal("the call carries no context"))
    }

    /// A request to another service: carries this context and what is left of its deadline.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.time_left());
        request.extensions_mut().insert(self.clone());
        request
    }

    pub fn time_left(&self) -> Duration {
        self.deadline.map_or(DEFAULT_DEADLINE, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The person or guest, if there is one.
    pub fn user(&self) -> Option<UserId> {
        match self.actor {
            Actor::Guest(user) | Actor::User(user) => Some(user),
            Actor::Nobody | Actor::Service(_) => None,
        }
    }

    pub fn is_service(&self) -> bool {
        matches!(self.actor, Actor::Service(_))
    }

    pub fn may(&self, permission: &str) -> bool {
        self.is_service() || self.permissions.contains(permission)
    }

    /// The person or guest, or the error that tells nobody is signed in.
    pub fn require_user(&self) -> Result<UserId, Status> {
        self.user().ok_or_else(|| denied(tonic::Code::Unauthenticated, "SIGN_IN_REQUIRED", "sign in first"))
    }

    /// The tenant the seller acts for, given the permission in it.
    pub fn require_seller(&self, permission: &str) -> Result<TenantId, Status> {
        let tenant = self.tenant.ok_or_else(|| self.without_tenant())?;
        if self.may(&format!("seller:{permission}")) { Ok(tenant) } else { Err(forbidden()) }
    }

    /// Platform staff with the permission, or a service.
    pub fn require_operator(&self, permission: &str) -> Result<(), Status> {
        if self.may(&format!("operator:{permission}")) { Ok(()) } else { Err(forbidden()) }
    }

    pub fn require_service(&self) -> Result<(), Status> {
        if self.is_service() { Ok(()) } else { Err(forbidden()) }
    }

    /// Who acted, as the audit log and change histories write it: `usr_…`, `service:orders`, `nobody`.
    pub fn actor_text(&self) -> String {
        match &self.actor {
            Actor::Nobody => "nobody".to_owned(),
            Actor::Guest(user) | Actor::User(user) => user.to_string(),
            Actor::Service(name) => format!("service:{name}"),
        }
    }

    /// The two headers (context, MAC) for a call to another process.
    pub(crate) fn seal(&self, key: &CtxKey) -> Option<(String, String)> {
        let text = BASE64.encode(serde_json::to_vec(self).ok()?);
        let mac = BASE64.encode(key.mac(&text).finalize().into_bytes());
        Some((text, mac))
    }

    /// Reads the headers of another process; `None` when the MAC is not under our key.
    pub fn unseal(text: &str, mac: &str, key: &CtxKey) -> Option<Self> {
        key.mac(text).verify_slice(&BASE64.decode(mac).ok()?).ok()?;
        serde_json::from_slice(&BASE64.decode(text).ok()?).ok()
    }
}

fn forbidden() -> Status {
    denied(tonic::Code::PermissionDenied, "FORBIDDEN", "you may not do this")
}

impl CtxKey {
    pub fn new(secret: &[u8]) -> Self {
        Self(secret.into())
    }

    /// A secret for one purpose, the same in every process of the cluster, that does not give the key away.
    pub fn derive(&self, purpose: &str) -> String {
        BASE64.encode(self.mac(purpose).finalize().into_bytes())
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        // HMAC takes a key of any length; the error case cannot occur, and an empty key would only fail to verify.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).unwrap_or_else(|_| Hmac::new(&Default::default()));
        mac.update(text.as_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_of_another_process_is_believed_only_under_our_key() {
        let key = CtxKey::new(b"ours");
        let ctx = Ctx::service("orders", "req_1");
        let (text, mac) = ctx.seal(&key).unwrap();
        assert_eq!(Ctx::unseal(&text, &mac, &key).unwrap().actor, ctx.actor);
        assert!(Ctx::unseal(&text, &mac, &CtxKey::new(b"theirs")).is_none());
        let forged = BASE64.encode(serde_json::to_vec(&Ctx::service("admin", "req_1")).unwrap());
        assert!(Ctx::unseal(&forged, &mac, &key).is_none());
    }
}
