//! Stories of accounts and sessions, told through the generated client on a real database.

use api_identity::*;
use chrono::Duration;
use kit_core::Code;

use crate::support::*;

#[tokio::test]
async fn a_person_signs_up_is_known_by_both_tokens_and_signs_out_at_once() {
    let (market, client) = market().await;
    let session = sign_up(&client, &market.nobody(), "Ann@Example.com").await;
    for token in [&session.access_token, &session.session_token] {
        let who = authenticate(&market, &client, token).await.unwrap();
        assert_eq!((who.user_id, who.email.as_str(), who.guest), (user_id(&session), "ann@example.com", false));
        assert!(who.permissions.is_empty());
    }
    client.clone().sign_out(market.nobody().request(SignOutRequest { token: session.session_token.clone() })).await.unwrap();
    for token in [&session.access_token, &session.session_token] {
        assert_eq!(refusal(authenticate(&market, &client, token).await), (Code::Unauthenticated, "TOKEN_INVALID".to_owned()));
    }
    // Nothing is left to end, which is what was wanted.
    client.clone().sign_out(market.nobody().request(SignOutRequest { token: session.session_token })).await.unwrap();
}

#[tokio::test]
async fn an_idempotency_key_does_not_put_tokens_to_rest() {
    let (market, client) = market().await;
    let guest = client.clone().start_guest(market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner().session.unwrap();
    let keyed = kit_rpc::Ctx { idempotency_key: Some("once".into()), ..ctx_of(&market, &guest) };
    let session = sign_up(&client, &keyed, "ann@example.com").await;
    let again = client.clone().sign_up(keyed.request(sign_up_request("ann@example.com"))).await;
    assert_eq!(refusal(again), (Code::Conflict, "EMAIL_TAKEN".to_owned()), "the first answer is not given again");
    let keyed = kit_rpc::Ctx { idempotency_key: Some("twice".into()), ..ctx_of(&market, &session) };
    let one = client.clone().sign_in(keyed.request(sign_in_request("ann@example.com"))).await.unwrap().into_inner().session.unwrap();
    let other = client.clone().sign_in(keyed.request(sign_in_request("ann@example.com"))).await.unwrap().into_inner().session.unwrap();
    assert_ne!(one.session_token, other.session_token);
    let kept: i64 = sqlx::query_scalar("select count(*) from identity.idempotency").fetch_one(&mut market.owner().await).await.unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_look_the_same() {
    let (market, client) = market().await;
    sign_up(&client, &market.nobody(), "ann@example.com").await;
    let wrong = sign_in(&client, &market.nobody(), "ann@example.com", "seven red kettles").await;
    let unknown = sign_in(&client, &market.nobody(), "ben@example.com", PASSWORD).await;
    assert_eq!(wrong.as_ref().unwrap_err().message(), unknown.as_ref().unwrap_err().message());
    assert_eq!(refusal(wrong), (Code::Unauthenticated, "SIGN_IN_FAILED".to_owned()));
    assert_eq!(refusal(unknown), (Code::Unauthenticated, "SIGN_IN_FAILED".to_owned()));
    for email in ["ann@example.com", "nobody@example.com"] {
        let request = RequestPasswordResetRequest { email: email.to_owned() };
        client.clone().request_password_reset(market.nobody().request(request)).await.unwrap();
    }
}

#[tokio::test]
async fn a_taken_address_and_a_weak_password_are_refused() {
    let (market, client) = market().await;
    sign_up(&client, &market.nobody(), "ann@example.com").await;
    let again = client.clone().sign_up(market.nobody().request(sign_up_request("ANN@example.com"))).await;
    assert_eq!(refusal(again), (Code::Conflict, "EMAIL_TAKEN".to_owned()));
    for weak in ["short", "Password2024!", "1234567890123"] {
        let request = SignUpRequest { password: weak.to_owned(), ..sign_up_request("ben@example.com") };
        assert_eq!(refusal(client.clone().sign_up(market.nobody().request(request)).await), (Code::Invalid, "PASSWORD_WEAK".to_owned()), "{weak}");
    }
    let request = SignUpRequest { email: "not an address".to_owned(), ..sign_up_request("") };
    assert_eq!(refusal(client.clone().sign_up(market.nobody().request(request)).await).0, Code::Invalid);
}

#[tokio::test]
async fn wrong_passwords_pause_the_account_and_quiet_time_forgives() {
    let (market, client) = market().await;
    sign_up(&client, &market.nobody(), "ann@example.com").await;
    for _ in 0..6 {
        assert_eq!(refusal(sign_in(&client, &market.nobody(), "ann@example.com", "wrong wrong wrong").await).1, "SIGN_IN_FAILED");
    }
    // Even the right password waits, and an account that does not exist pauses just the same.
    let paused = kit_rpc::problem_of(&sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap_err());
    assert_eq!((paused.code, paused.reason.as_str(), paused.retry_after_seconds), (Code::TooMany, "TOO_MANY_ATTEMPTS", 15));
    market.clock.advance(Duration::seconds(16));
    sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    for _ in 0..6 {
        sign_in(&client, &market.nobody(), "nobody@example.com", "wrong wrong wrong").await.unwrap_err();
    }
    assert_eq!(refusal(sign_in(&client, &market.nobody(), "nobody@example.com", PASSWORD).await).1, "TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn one_address_that_tries_many_accounts_pauses() {
    let (market, client) = market().await;
    sign_up(&client, &market.nobody(), "ann@example.com").await;
    let attacker = kit_rpc::Ctx { address: Some("192.0.2.7".parse().unwrap()), ..market.nobody() };
    for n in 0..51 {
        assert_eq!(refusal(sign_in(&client, &attacker, &format!("user{n}@example.com"), "wrong wrong wrong").await).1, "SIGN_IN_FAILED");
    }
    assert_eq!(refusal(sign_in(&client, &attacker, "ann@example.com", PASSWORD).await).1, "TOO_MANY_ATTEMPTS");
    sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn who_signed_in_from_an_address_before_is_not_locked_out_with_it() {
    let (market, client) = market().await;
    let office = kit_rpc::Ctx { address: Some("192.0.2.7".parse().unwrap()), ..market.nobody() };
    sign_up(&client, &office, "ann@example.com").await;
    sign_up(&client, &market.nobody(), "ben@example.com").await;
    for n in 0..60 {
        let wrong = sign_in(&client, &office, &format!("user{n}@example.com"), "wrong wrong wrong").await;
        let problem = kit_rpc::problem_of(&wrong.unwrap_err());
        market.clock.advance(Duration::seconds(i64::from(problem.retry_after_seconds)));
    }
    sign_in(&client, &office, "user@example.com", "wrong wrong wrong").await.unwrap_err();
    let stranger = kit_rpc::problem_of(&sign_in(&client, &office, "ben@example.com", PASSWORD).await.unwrap_err());
    assert_eq!((stranger.reason.as_str(), stranger.retry_after_seconds), ("TOO_MANY_ATTEMPTS", 300), "a shared address waits for minutes at most");
    sign_in(&client, &office, "ann@example.com", PASSWORD).await.unwrap();
    // A known account is still guarded by its own limit.
    for _ in 0..6 {
        assert_eq!(refusal(sign_in(&client, &office, "ann@example.com", "wrong wrong wrong").await).1, "SIGN_IN_FAILED");
    }
    assert_eq!(refusal(sign_in(&client, &office, "ann@example.com", PASSWORD).await).1, "TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn a_refresh_token_works_once_and_its_second_use_ends_the_session() {
    let (market, client) = market().await;
    let first = sign_up(&client, &market.nobody(), "ann@example.com").await;
    let refresh = |token: &str| {
        let (mut client, request) = (client.clone(), market.nobody().request(RefreshRequest { refresh_token: token.to_owned() }));
        async move { client.refresh(request).await.map(|answer| answer.into_inner().session.unwrap()) }
    };
    let second = refresh(&first.refresh_token).await.unwrap();
    assert_eq!(second.session_id, first.session_id);
    authenticate(&market, &client, &second.access_token).await.unwrap();
    assert_eq!(refusal(authenticate(&market, &client, &first.session_token).await).1, "TOKEN_INVALID");
    assert_eq!(refusal(refresh(&first.refresh_token).await), (Code::Unauthenticated, "REFRESH_TOKEN_REUSED".to_owned()));
    assert_eq!(refusal(authenticate(&market, &client, &second.access_token).await).1, "TOKEN_INVALID");
    assert_eq!(refusal(refresh(&second.refresh_token).await).1, "REFRESH_TOKEN_INVALID");
    assert_eq!(refusal(refresh("nonsense").await).1, "REFRESH_TOKEN_INVALID");
}

#[tokio::test]
async fn an_access_token_is_short_lived_and_a_session_ends_when_unused() {
    let (market, client) = market().await;
    let session = sign_up(&client, &market.nobody(), "ann@example.com").await;
    market.clock.advance(Duration::minutes(16));
    assert_eq!(refusal(authenticate(&market, &client, &session.access_token).await).1, "TOKEN_INVALID");
    authenticate(&market, &client, &session.session_token).await.unwrap();
    market.clock.advance(Duration::days(91));
    assert_eq!(refusal(authenticate(&market, &client, &session.session_token).await).1, "TOKEN_INVALID");
}

#[tokio::test]
async fn a_guest_who_signs_up_keeps_the_id() {
    let (market, client) = market().await;
    let guest = client.clone().start_guest(market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner().session.unwrap();
    assert!(authenticate(&market, &client, &guest.session_token).await.unwrap().guest);
    let account = sign_up(&client, &ctx_of(&market, &guest), "ann@example.com").await;
    assert_eq!(user_id(&account), user_id(&guest));
    assert!(!authenticate(&market, &client, &account.session_token).await.unwrap().guest);
    // The guest's tokens do not become an account's tokens.
    assert_eq!(refusal(authenticate(&market, &client, &guest.session_token).await).1, "TOKEN_INVALID");
    // Once an account, the id is not upgraded again.
    let other = sign_up(&client, &ctx_of(&market, &guest), "ben@example.com").await;
    assert_ne!(user_id(&other), user_id(&guest));
}

#[tokio::test]
async fn a_guest_who_signs_in_is_merged_once() {
    let (market, client) = market().await;
    let account = sign_up(&client, &market.nobody(), "ann@example.com").await;
    let guest = client.clone().start_guest(market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner().session.unwrap();
    for _ in 0..2 {
        let session = sign_in(&client, &ctx_of(&market, &guest), "ann@example.com", PASSWORD).await.unwrap();
        assert_eq!(user_id(&session), user_id(&account));
    }
    assert_eq!(refusal(authenticate(&market, &client, &guest.session_token).await).1, "TOKEN_INVALID");
    let merged = events(&market, "guest_merged").await;
    let [IdentityEvent { body: Some(identity_event::Body::GuestMerged(event)) }] = merged.as_slice() else { panic!("one merge, not {merged:?}") };
    assert_eq!((&event.guest_id, &event.user_id), (&user_id(&guest), &user_id(&account)));
}

#[tokio::test]
async fn a_mailed_token_verifies_once_and_another_resets_the_password() {
    let (market, client) = market().await;
    let session = sign_up(&client, &market.nobody(), "ann@example.com").await;
    let [IdentityEvent { body: Some(identity_event::Body::EmailVerificationRequested(mail)) }] =
        &events(&market, "email_verification_requested").await[..]
    else {
        panic!("one mail")
    };
    let verify = VerifyEmailRequest { token: mail.token.clone() };
    let verified = client.clone().verify_email(market.nobody().request(verify.clone())).await.unwrap().into_inner().user.unwrap();
    assert!(verified.email_verified);
    assert_eq!(refusal(client.clone().verify_email(market.nobody().request(verify)).await), (Code::Refused, "TOKEN_INVALID".to_owned()));

    client
        .clone()
        .request_password_reset(market.nobody().request(RequestPasswordResetRequest { email: "ann@example.com".to_owned() }))
        .await
        .unwrap();
    let [IdentityEvent { body: Some(identity_event::Body::PasswordResetRequested(mail)) }] = &events(&market, "password_reset_requested").await[..]
    else {
        panic!("one mail")
    };
    let reset = |password: &str| ResetPasswordRequest { token: mail.token.clone(), password: password.to_owned() };
    assert_eq!(refusal(client.clone().reset_password(market.nobody().request(reset("password99"))).await).1, "PASSWORD_WEAK");
    client.clone().reset_password(market.nobody().request(reset("nine green lanterns"))).await.unwrap();
    assert_eq!(refusal(client.clone().reset_password(market.nobody().request(reset("nine green lanterns"))).await).1, "TOKEN_INVALID");
    assert_eq!(refusal(authenticate(&market, &client, &session.session_token).await).1, "TOKEN_INVALID");
    assert_eq!(refusal(sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await).1, "SIGN_IN_FAILED");
    sign_in(&client, &market.nobody(), "ann@example.com", "nine green lanterns").await.unwrap();
}

#[tokio::test]
async fn a_mailed_token_grows_old() {
    let (market, client) = market().await;
    sign_up(&client, &market.nobody(), "ann@example.com").await;
    let [IdentityEvent { body: Some(identity_event::Body::EmailVerificationRequested(mail)) }] =
        &events(&market, "email_verification_requested").await[..]
    else {
        panic!("one mail")
    };
    market.clock.advance(Duration::hours(49));
    assert_eq!(
        refusal(client.clone().verify_email(market.nobody().request(VerifyEmailRequest { token: mail.token.clone() })).await).1,
        "TOKEN_INVALID"
    );
}

#[tokio::test]
async fn a_new_device_is_noticed_and_a_familiar_one_is_not() {
    let (market, client) = market().await;
    sign_up(&client, &market.nobody(), "ann@example.com").await;
    sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    let request = SignInRequest { email: "ann@example.com".to_owned(), password: PASSWORD.to_owned(), device: "curl".to_owned() };
    client.clone().sign_in(market.nobody().request(request)).await.unwrap();
    assert_eq!(events(&market, "new_device_seen").await.len(), 1);
}

#[tokio::test]
async fn sessions_are_listed_and_revoked_by_their_owner_only() {
    let (market, client) = market().await;
    let first = sign_up(&client, &market.nobody(), "ann@example.com").await;
    let second = sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    let ann = ctx_of(&market, &first);
    let listed = client.clone().list_sessions(ann.request(ListSessionsRequest {})).await.unwrap().into_inner().sessions;
    assert_eq!(listed.len(), 2);
    authenticate(&market, &client, &second.access_token).await.unwrap();
    let revoke = RevokeSessionRequest { session_id: second.session_id.clone() };
    let stranger = market.buyer();
    assert_eq!(refusal(client.clone().revoke_session(stranger.request(revoke.clone())).await), (Code::NotFound, "SESSION_NOT_FOUND".to_owned()));
    client.clone().revoke_session(ann.request(revoke)).await.unwrap();
    assert_eq!(refusal(authenticate(&market, &client, &second.access_token).await).1, "TOKEN_INVALID");
    authenticate(&market, &client, &first.access_token).await.unwrap();
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions() {
    let (market, client) = market().await;
    let kept = sign_up(&client, &market.nobody(), "ann@example.com").await;
    let other = sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    let ann = ctx_of(&market, &kept);
    let change = |old: &str| ChangePasswordRequest {
        old_password: old.to_owned(),
        new_password: "nine green lanterns".to_owned(),
        keep_session_id: kept.session_id.clone(),
    };
    assert_eq!(refusal(client.clone().change_password(ann.request(change("not the old one"))).await).1, "SIGN_IN_FAILED");
    client.clone().change_password(ann.request(change(PASSWORD))).await.unwrap();
    authenticate(&market, &client, &kept.session_token).await.unwrap();
    assert_eq!(refusal(authenticate(&market, &client, &other.session_token).await).1, "TOKEN_INVALID");
}

/// Two processes of one market: what ends in one is forgotten by the other when the commit's notification arrives.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_ended_in_one_process_is_refused_by_another_that_knew_it() {
    let (market, client) = market().await;
    let twin = market.twin().await;
    let other = identity_client::IdentityClient::new(twin.links().to("identity").unwrap());
    let session = sign_up(&client, &market.nobody(), "ann@example.com").await;
    for token in [&session.access_token, &session.session_token] {
        authenticate(&market, &other, token).await.unwrap();
    }
    client.clone().sign_out(market.nobody().request(SignOutRequest { token: session.session_token.clone() })).await.unwrap();
    let begin = std::time::Instant::now();
    while authenticate(&market, &other, &session.access_token).await.is_ok() {
        assert!(begin.elapsed() < std::time::Duration::from_secs(5), "the other process still believes the session");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    // A key made by one process is known to the other when it meets it.
    market.clock.advance(Duration::days(31));
    market.run_job("identity", "rotate_signing_keys").await;
    market.clock.advance(Duration::hours(2));
    let late = sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    authenticate(&market, &other, &late.access_token).await.unwrap();
    twin.stop().await;
}

#[tokio::test]
async fn keys_rotate_and_older_tokens_stay_good() {
    let (market, client) = market().await;
    let keys = || async { client.clone().get_jwks(market.nobody().request(GetJwksRequest {})).await.unwrap().into_inner().keys };
    sign_up(&client, &market.nobody(), "ann@example.com").await;
    let first = keys().await;
    assert_eq!((first.len(), first[0].kty.as_str(), first[0].alg.as_str()), (1, "OKP", "EdDSA"));
    market.clock.advance(Duration::days(30));
    market.run_job("identity", "rotate_signing_keys").await;
    assert_eq!(keys().await.len(), 2);
    // The new key is published an hour before it signs.
    let early = sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    assert!(kid(&early.access_token).contains(&first[0].kid));
    market.clock.advance(Duration::minutes(61));
    let late = sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    assert!(!kid(&late.access_token).contains(&first[0].kid));
    authenticate(&market, &client, &late.access_token).await.unwrap();
    market.clock.advance(Duration::hours(1));
    market.run_job("identity", "rotate_signing_keys").await;
    assert_eq!(keys().await.len(), 1);
}

/// The header of a token, as text.
fn kid(token: &str) -> String {
    use base64::Engine;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    String::from_utf8(header).unwrap()
}

/// What identity has told of one kind, as soon as there is something.
async fn events(market: &kit_test::Market, kind: &str) -> Vec<IdentityEvent> {
    use kit_rpc::proto::ReadEventsRequest;
    use kit_rpc::proto::event_log_client::EventLogClient;
    for _ in 0..100 {
        let request = ReadEventsRequest {
            service: "identity".to_owned(),
            cell: "home".to_owned(),
            after: Some(Default::default()),
            limit: 1_000,
            wait_ms: 1_000,
        };
        let read = EventLogClient::new(market.link("identity")).read(market.service().request(request)).await.unwrap().into_inner();
        let found: Vec<IdentityEvent> =
            read.events.iter().filter(|event| event.kind == kind).map(|event| prost::Message::decode(event.payload.clone()).unwrap()).collect();
        if !found.is_empty() {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    Vec::new()
}
