//! What the stories share: people with accounts, applications, sellers as the edge would make them.

use api_identity::identity_client::IdentityClient;
use api_identity::{AuthenticateRequest, SignUpRequest};
use api_tenants::tenants_client::TenantsClient;
use api_tenants::*;
use kit_core::Code;
use kit_rpc::{Actor, Ctx, Link, problem_of};
use kit_test::Market;
use tonic::Status;

pub(crate) struct Stand {
    pub(crate) market: Market,
    pub(crate) tenants: TenantsClient<Link>,
    pub(crate) identity: IdentityClient<Link>,
}

/// Somebody signed up, with the token that tells what they may do.
pub(crate) struct Person {
    pub(crate) ctx: Ctx,
    pub(crate) token: String,
}

pub(crate) async fn stand() -> Stand {
    let sections = "[identity]\nhash_memory_kib = 8\nhash_passes = 1\n[tenants]\nopen_applications = 2\n";
    let market = kit_test::start_with(&[&service_identity::MODULE, &service_tenants::MODULE], sections).await;
    let (tenants, identity) = (TenantsClient::new(market.link("tenants")), IdentityClient::new(market.link("identity")));
    Stand { market, tenants, identity }
}

impl Stand {
    pub(crate) fn operator(&self) -> Ctx {
        self.market.operator(&["tenants.read", "tenants.write"])
    }

    pub(crate) async fn person(&self, name: &str) -> Person {
        let request = SignUpRequest {
            email: format!("{name}@example.com"),
            password: "seven blue kettles".to_owned(),
            name: name.to_owned(),
            ..Default::default()
        };
        let session = self.identity.clone().sign_up(self.market.nobody().request(request)).await.unwrap().into_inner().session.unwrap();
        let user = session.user.unwrap().user_id.parse().unwrap();
        Person { ctx: Ctx { actor: Actor::User(user), ..self.market.nobody() }, token: session.session_token }
    }

    /// The person as identity knows them now, acting for this tenant.
    pub(crate) async fn acting(&self, person: &Person, tenant_id: &str) -> Result<Ctx, Status> {
        let request = AuthenticateRequest { token: person.token.clone(), tenant_id: tenant_id.to_owned() };
        let who = self.identity.clone().authenticate(self.market.service().request(request)).await?.into_inner();
        Ok(Ctx { tenant: who.tenant_id.parse().ok(), permissions: std::sync::Arc::new(who.permissions.into_iter().collect()), ..person.ctx.clone() })
    }

    pub(crate) async fn apply(&self, ctx: &Ctx, name: &str) -> Result<Tenant, Status> {
        Ok(self.tenants.clone().apply(ctx.request(application(name))).await?.into_inner().tenant.unwrap())
    }

    pub(crate) async fn approve(&self, tenant: &Tenant) -> Tenant {
        let request = ApproveRequest { tenant_id: tenant.tenant_id.clone(), ..Default::default() };
        self.tenants.clone().approve(self.operator().request(request)).await.unwrap().into_inner().tenant.unwrap()
    }

    /// Somebody whose store is open.
    pub(crate) async fn seller(&self, name: &str) -> (Person, Tenant, Ctx) {
        let person = self.person(name).await;
        let tenant = self.apply(&person.ctx, &format!("{name}'s Shop")).await.unwrap();
        let tenant = self.approve(&tenant).await;
        let acting = self.acting(&person, &tenant.tenant_id).await.unwrap();
        (person, tenant, acting)
    }
}

pub(crate) fn business() -> Business {
    Business {
        legal_name: "Anna's Mugs Ltd".to_owned(),
        contact_email: "Contact@example.com".to_owned(),
        address: "1 Kiln Lane, Stoke".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn application(name: &str) -> ApplyRequest {
    ApplyRequest {
        store_name: name.to_owned(),
        business: Some(business()),
        country: "GB".to_owned(),
        currency: "GBP".to_owned(),
        ..Default::default()
    }
}

/// The code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let problem = problem_of(&answer.expect_err("a refusal"));
    (problem.code, problem.reason)
}
