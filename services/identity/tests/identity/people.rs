//! Stories of profiles, address books, roles and operators, and who may do what.

use api_identity::identity_client::IdentityClient;
use api_identity::*;
use kit_core::{Code, TenantId};
use kit_rpc::proto::Address;
use kit_rpc::{Ctx, Link};

use crate::support::*;

#[tokio::test]
async fn a_profile_changes_only_from_the_version_that_was_read() {
    let (market, client) = market().await;
    let session = sign_up(&client, &market.nobody(), "ann@example.com").await;
    let ann = ctx_of(&market, &session);
    let version = session.user.as_ref().unwrap().version;
    let change = |name: &str, version| UpdateProfileRequest {
        name: Some(name.to_owned()),
        currency: Some("EUR".to_owned()),
        if_version: Some(version),
        ..Default::default()
    };
    let changed = client.clone().update_profile(ann.request(change("  Ann   Jones ", version))).await.unwrap().into_inner().user.unwrap();
    assert_eq!((changed.name.as_str(), changed.currency.as_str(), changed.language.as_str()), ("Ann Jones", "EUR", "en"));
    assert_eq!(refusal(client.clone().update_profile(ann.request(change("Other", version))).await), (Code::Stale, "STALE".to_owned()));
    for (language, currency) in [(Some("<b>"), None), (None, Some("XYZ"))] {
        let request = UpdateProfileRequest { language: language.map(str::to_owned), currency: currency.map(str::to_owned), ..Default::default() };
        assert_eq!(refusal(client.clone().update_profile(ann.request(request)).await).0, Code::Invalid);
    }
    let profile = client.clone().get_profile(ann.request(GetProfileRequest {})).await.unwrap().into_inner();
    assert_eq!(profile.user.unwrap().name, "Ann Jones");
}

fn home(line1: &str) -> Address {
    Address {
        name: "Ann Smith".into(),
        line1: line1.into(),
        city: "London".into(),
        postal_code: "sw1a1aa".into(),
        country: "gb".into(),
        ..Default::default()
    }
}

#[tokio::test]
async fn an_address_book_has_one_default_and_belongs_to_one_person() {
    let (market, client) = market().await;
    let ann = ctx_of(&market, &sign_up(&client, &market.nobody(), "ann@example.com").await);
    let ben = ctx_of(&market, &sign_up(&client, &market.nobody(), "ben@example.com").await);
    let add = |line1: &str, default| {
        let (mut client, request) = (client.clone(), ann.request(AddAddressRequest { address: Some(home(line1)), default }));
        async move { client.add_address(request).await.unwrap().into_inner().address.unwrap() }
    };
    let list = || async { client.clone().list_addresses(ann.request(ListAddressesRequest {})).await.unwrap().into_inner().addresses };
    let (first, second) = (add("1 High Street", false).await, add("2 Low Street", false).await);
    assert_eq!((first.default, second.default), (true, false));
    assert_eq!(first.address.as_ref().unwrap().postal_code, "SW1A 1AA");
    let update = UpdateAddressRequest { address_id: second.address_id.clone(), address: Some(home("3 Low Street")), default: true };
    client.clone().update_address(ann.request(update.clone())).await.unwrap();
    let lines: Vec<_> = list().await.into_iter().map(|saved| (saved.address.unwrap().line1, saved.default)).collect();
    assert_eq!(lines, [("3 Low Street".to_owned(), true), ("1 High Street".to_owned(), false)]);
    // Somebody else's address does not exist.
    let delete = DeleteAddressRequest { address_id: second.address_id };
    assert_eq!(refusal(client.clone().update_address(ben.request(update)).await), (Code::NotFound, "ADDRESS_NOT_FOUND".to_owned()));
    assert_eq!(refusal(client.clone().delete_address(ben.request(delete.clone())).await).1, "ADDRESS_NOT_FOUND");
    client.clone().delete_address(ann.request(delete)).await.unwrap();
    assert!(list().await[0].default);
    let wrong = AddAddressRequest { address: Some(Address { postal_code: "nowhere".into(), ..home("1") }), default: false };
    assert_eq!(refusal(client.clone().add_address(ann.request(wrong)).await).0, Code::Invalid);
}

#[tokio::test]
async fn roles_count_from_the_next_request_on() {
    let (market, client) = market().await;
    let session = sign_up(&client, &market.nobody(), "ann@example.com").await;
    let (tenant, other): (TenantId, TenantId) = (market.ids.next(), market.ids.next());
    let who = || authenticate(&market, &client, &session.access_token);
    assert!(who().await.unwrap().tenant_id.is_empty());
    let grant = |tenant: TenantId, role: Role| GrantRoleRequest { user_id: user_id(&session), tenant_id: tenant.to_string(), role: role.into() };
    client.clone().grant_role(market.service().request(grant(tenant, Role::InventoryOperator))).await.unwrap();
    let now = who().await.unwrap();
    assert_eq!(now.tenant_id, tenant.to_string());
    assert!(now.permissions.contains(&"seller:inventory.write".to_owned()) && !now.permissions.contains(&"seller:catalog.write".to_owned()));
    client.clone().grant_role(market.service().request(grant(tenant, Role::SellerAdmin))).await.unwrap();
    assert!(who().await.unwrap().permissions.contains(&"seller:staff.write".to_owned()));
    // With two tenants nobody guesses which is meant, and a third is none of theirs.
    client.clone().grant_role(market.service().request(grant(other, Role::SellerManager))).await.unwrap();
    assert!(who().await.unwrap().permissions.is_empty());
    let ask = |tenant: TenantId| AuthenticateRequest { token: session.access_token.clone(), tenant_id: tenant.to_string() };
    let in_other = client.clone().authenticate(market.service().request(ask(other))).await.unwrap().into_inner();
    assert!(!in_other.permissions.contains(&"seller:staff.write".to_owned()));
    assert_eq!(
        refusal(client.clone().authenticate(market.service().request(ask(market.ids.next()))).await),
        (Code::Forbidden, "NOT_A_MEMBER".to_owned())
    );
    client
        .clone()
        .revoke_role(market.service().request(RevokeRoleRequest { user_id: user_id(&session), tenant_id: tenant.to_string() }))
        .await
        .unwrap();
    assert_eq!(who().await.unwrap().tenant_id, other.to_string());
    assert_eq!(refusal(client.clone().grant_role(market.service().request(grant(tenant, Role::PlatformAdmin))).await).1, "ROLE_NOT_OF_TENANT");
}

#[tokio::test]
async fn the_first_operator_is_made_once_and_the_last_one_stays() {
    let (market, client) = market().await;
    let ensure = EnsureOperatorRequest { email: "op@example.com".to_owned(), password: PASSWORD.to_owned(), name: "Op".to_owned() };
    let made = client.clone().ensure_operator(market.service().request(ensure.clone())).await.unwrap().into_inner();
    let again = client
        .clone()
        .ensure_operator(market.service().request(EnsureOperatorRequest { password: "another long one".to_owned(), ..ensure }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((made.created, again.created), (true, false));
    let operator = made.user.unwrap();
    assert!(operator.email_verified);
    let session = sign_in(&client, &market.nobody(), "op@example.com", PASSWORD).await.unwrap();
    let who = authenticate(&market, &client, &session.access_token).await.unwrap();
    assert!(who.permissions.contains(&"operator:tenants.write".to_owned()));
    let may = market.operator(&["users.read", "users.write"]);
    let revoke = RevokePlatformRoleRequest { user_id: operator.user_id.clone(), role: Role::PlatformAdmin.into() };
    assert_eq!(refusal(client.clone().revoke_platform_role(may.request(revoke.clone())).await), (Code::Conflict, "LAST_PLATFORM_ADMIN".to_owned()));
    let second = sign_up(&client, &market.nobody(), "second@example.com").await;
    let grant = |role: Role| GrantPlatformRoleRequest { user_id: user_id(&second), role: role.into() };
    assert_eq!(refusal(client.clone().grant_platform_role(may.request(grant(Role::SellerAdmin))).await).1, "ROLE_NOT_OF_PLATFORM");
    client.clone().grant_platform_role(may.request(grant(Role::PlatformAdmin))).await.unwrap();
    client.clone().revoke_platform_role(may.request(revoke)).await.unwrap();
    assert!(authenticate(&market, &client, &session.access_token).await.unwrap().permissions.is_empty());
}

#[tokio::test]
async fn operators_find_disable_and_enable_accounts() {
    let (market, client) = market().await;
    let mut sessions = Vec::new();
    for name in ["ann", "ben", "cid"] {
        sessions.push(sign_up(&client, &market.nobody(), &format!("{name}@example.com")).await);
        market.clock.advance(chrono::Duration::seconds(1));
    }
    let may = market.operator(&["users.read", "users.write"]);
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.clone().list_users(may.request(ListUsersRequest { limit: 2, cursor, ..Default::default() })).await.unwrap().into_inner();
        found.extend(page.users.into_iter().map(|user| user.user.unwrap().email));
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(found, ["cid@example.com", "ben@example.com", "ann@example.com"]);
    let query = ListUsersRequest { query: "BEN@".to_owned(), ..Default::default() };
    assert_eq!(client.clone().list_users(may.request(query)).await.unwrap().into_inner().users.len(), 1);
    let bad = ListUsersRequest { cursor: "nonsense".to_owned(), ..Default::default() };
    assert_eq!(refusal(client.clone().list_users(may.request(bad)).await).0, Code::Invalid);

    let disable = DisableUserRequest { user_id: user_id(&sessions[0]), reason: "fraud".to_owned() };
    assert!(client.clone().disable_user(may.request(disable.clone())).await.unwrap().into_inner().user.unwrap().disabled);
    client.clone().disable_user(may.request(disable)).await.unwrap();
    assert_eq!(refusal(authenticate(&market, &client, &sessions[0].access_token).await).1, "TOKEN_INVALID");
    assert_eq!(refusal(sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await), (Code::Forbidden, "ACCOUNT_DISABLED".to_owned()));
    client.clone().enable_user(may.request(EnableUserRequest { user_id: user_id(&sessions[0]) })).await.unwrap();
    sign_in(&client, &market.nobody(), "ann@example.com", PASSWORD).await.unwrap();
    let own = DisableUserRequest { user_id: may.user().unwrap().to_string(), reason: "tired".to_owned() };
    assert_eq!(refusal(client.clone().disable_user(may.request(own)).await).1, "CANNOT_DISABLE_SELF");
    let unknown = GetUserRequest { user_id: market.buyer().user().unwrap().to_string() };
    assert_eq!(refusal(client.clone().get_user(may.request(unknown)).await), (Code::NotFound, "USER_NOT_FOUND".to_owned()));
}

/// Nobody is asked for a person, operators for what is not theirs, people for what services do.
#[tokio::test]
async fn everybody_else_is_refused() {
    let (market, client) = market().await;
    let user = market.buyer().user().unwrap().to_string();
    let tenant: TenantId = market.ids.next();
    let session: SessionId = market.ids.next();
    let address: AddressId = market.ids.next();
    macro_rules! refused {
        ($who:expr, $code:expr, $($operation:ident($request:expr)),* $(,)?) => {
            $(
                let answer = client.clone().$operation($who.request($request)).await;
                assert_eq!(refusal(answer).0, $code, "{}", stringify!($operation));
            )*
        };
    }
    refused!(
        market.nobody(),
        Code::Unauthenticated,
        get_profile(GetProfileRequest {}),
        update_profile(UpdateProfileRequest::default()),
        list_addresses(ListAddressesRequest {}),
        add_address(AddAddressRequest { address: Some(home("1")), default: false }),
        update_address(UpdateAddressRequest { address_id: address.to_string(), address: Some(home("1")), default: false }),
        delete_address(DeleteAddressRequest { address_id: address.to_string() }),
        list_sessions(ListSessionsRequest {}),
        revoke_session(RevokeSessionRequest { session_id: session.to_string() }),
        resend_verification(ResendVerificationRequest {}),
        change_password(ChangePasswordRequest { old_password: "a".into(), new_password: "b".into(), ..Default::default() }),
    );
    for who in [market.buyer(), market.seller(tenant, &["staff.write"]), market.operator(&["tenants.write"])] {
        refused!(
            who,
            Code::Forbidden,
            list_users(ListUsersRequest::default()),
            get_user(GetUserRequest { user_id: user.clone() }),
            disable_user(DisableUserRequest { user_id: user.clone(), reason: "x".into() }),
            enable_user(EnableUserRequest { user_id: user.clone() }),
            grant_platform_role(GrantPlatformRoleRequest { user_id: user.clone(), role: Role::Analyst.into() }),
            revoke_platform_role(RevokePlatformRoleRequest { user_id: user.clone(), role: Role::Analyst.into() }),
            authenticate(AuthenticateRequest { token: "x".into(), tenant_id: String::new() }),
            grant_role(GrantRoleRequest { user_id: user.clone(), tenant_id: tenant.to_string(), role: Role::SellerAdmin.into() }),
            revoke_role(RevokeRoleRequest { user_id: user.clone(), tenant_id: tenant.to_string() }),
            list_memberships(ListMembershipsRequest { user_id: user.clone(), ..Default::default() }),
            get_users(GetUsersRequest { user_ids: vec![user.clone()], emails: vec![] }),
            ensure_operator(EnsureOperatorRequest { email: "op@example.com".into(), password: PASSWORD.into(), name: String::new() }),
        );
    }
    reads_only(&client, &market.operator(&["users.read"]), &user).await;
    // A guest has no account whose password could change.
    let guest = client.clone().start_guest(market.nobody().request(StartGuestRequest::default())).await.unwrap().into_inner().session.unwrap();
    let guest = ctx_of(&market, &guest);
    refused!(
        guest,
        Code::Forbidden,
        change_password(ChangePasswordRequest { old_password: "a".into(), new_password: "b".into(), ..Default::default() }),
        resend_verification(ResendVerificationRequest {}),
    );
}

async fn reads_only(client: &IdentityClient<Link>, reader: &Ctx, user: &str) {
    client.clone().list_users(reader.request(ListUsersRequest::default())).await.unwrap();
    let write = client.clone().enable_user(reader.request(EnableUserRequest { user_id: user.to_owned() })).await;
    assert_eq!(refusal(write).0, Code::Forbidden);
}
