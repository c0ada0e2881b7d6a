//! What the stories share: a market with identity alone, cheap hashing, and people who sign up.

use api_identity::identity_client::IdentityClient;
use api_identity::*;
use kit_core::Code;
use kit_rpc::{Ctx, Link, problem_of};
use kit_test::Market;
use tonic::Status;

pub(crate) const PASSWORD: &str = "seven blue kettles";

/// The least that argon2 takes, so that tests are about behaviour.
pub(crate) const CHEAP: &str = "[identity]\nhash_memory_kib = 8\nhash_passes = 1\n";

pub(crate) async fn market() -> (Market, IdentityClient<Link>) {
    let market = kit_test::start_with(&[&service_identity::MODULE], CHEAP).await;
    let client = IdentityClient::new(market.link("identity"));
    (market, client)
}

pub(crate) fn sign_up_request(email: &str) -> SignUpRequest {
    SignUpRequest {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        name: "Ann Smith".to_owned(),
        device: "Firefox on Linux".to_owned(),
        ..Default::default()
    }
}

pub(crate) async fn sign_up(client: &IdentityClient<Link>, ctx: &Ctx, email: &str) -> Session {
    client.clone().sign_up(ctx.request(sign_up_request(email))).await.expect("the sign-up works").into_inner().session.expect("a session")
}

pub(crate) fn sign_in_request(email: &str) -> SignInRequest {
    SignInRequest { email: email.to_owned(), password: PASSWORD.to_owned(), device: "Firefox on Linux".to_owned() }
}

pub(crate) async fn sign_in(client: &IdentityClient<Link>, ctx: &Ctx, email: &str, password: &str) -> Result<Session, Status> {
    let request = SignInRequest { password: password.to_owned(), ..sign_in_request(email) };
    Ok(client.clone().sign_in(ctx.request(request)).await?.into_inner().session.expect("a session"))
}

pub(crate) async fn authenticate(market: &Market, client: &IdentityClient<Link>, token: &str) -> Result<AuthenticateResponse, Status> {
    let request = AuthenticateRequest { token: token.to_owned(), tenant_id: String::new() };
    Ok(client.clone().authenticate(market.service().request(request)).await?.into_inner())
}

/// The caller a session stands for, as the edge would make it.
pub(crate) fn ctx_of(market: &Market, session: &Session) -> Ctx {
    let user = session.user.as_ref().expect("a user");
    let id = user.user_id.parse().expect("a user id");
    let actor = if user.guest { kit_rpc::Actor::Guest(id) } else { kit_rpc::Actor::User(id) };
    Ctx { actor, ..market.nobody() }
}

/// The code and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let problem = problem_of(&answer.expect_err("a refusal"));
    (problem.code, problem.reason)
}

pub(crate) fn user_id(session: &Session) -> String {
    session.user.as_ref().expect("a user").user_id.clone()
}
