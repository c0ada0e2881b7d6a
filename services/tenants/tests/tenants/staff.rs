//! Who works for a store.

use api_tenants::*;
use kit_core::Code;
use kit_rpc::Ctx;

use crate::support::*;

async fn invite(stand: &Stand, seller: &Ctx, email: &str, role: StaffRole) -> String {
    use kit_rpc::proto::ReadEventsRequest;
    use kit_rpc::proto::event_log_client::EventLogClient;
    let request = InviteStaffRequest { email: email.to_owned(), role: role.into() };
    let invite = stand.tenants.clone().invite_staff(seller.request(request)).await.unwrap().into_inner().invite.unwrap();
    for _ in 0..100 {
        let read = ReadEventsRequest {
            service: "tenants".to_owned(),
            cell: "home".to_owned(),
            after: Some(Default::default()),
            limit: 1_000,
            wait_ms: 1_000,
        };
        let read = EventLogClient::new(stand.market.link("tenants")).read(stand.market.service().request(read)).await.unwrap().into_inner();
        let mails = read.events.iter().filter_map(|event| match <TenantsEvent as prost::Message>::decode(event.payload.clone()).unwrap().body {
            Some(tenants_event::Body::StaffInvited(event)) => Some(event),
            _ => None,
        });
        if let Some(mail) = mails.filter(|mail| mail.invite == Some(invite.clone())).last() {
            return mail.token;
        }
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    panic!("no invitation was told")
}

#[tokio::test]
async fn an_invited_person_joins_with_the_mailed_token_and_can_be_sent_away() {
    let stand = stand().await;
    let (_, tenant, anna) = stand.seller("anna").await;
    let (ben, cid) = (stand.person("ben").await, stand.person("cid").await);
    let token = invite(&stand, &anna, "Ben@example.com", StaffRole::InventoryOperator).await;
    let accept = |who: &Ctx| {
        let (mut client, request) = (stand.tenants.clone(), who.request(AcceptInviteRequest { token: token.clone() }));
        async move { client.accept_invite(request).await }
    };
    assert_eq!(refusal(accept(&cid.ctx).await), (Code::Forbidden, "INVITE_FOR_OTHER".to_owned()));
    assert_eq!(refusal(accept(&stand.market.guest()).await).1, "ACCOUNT_REQUIRED");
    assert_eq!(accept(&ben.ctx).await.unwrap().into_inner().role(), StaffRole::InventoryOperator);
    assert_eq!(refusal(accept(&ben.ctx).await), (Code::Refused, "INVITE_INVALID".to_owned()));
    let acting = stand.acting(&ben, &tenant.tenant_id).await.unwrap();
    assert!(acting.may("seller:inventory.write") && !acting.may("seller:staff.write"));

    let listed = stand.tenants.clone().list_staff(anna.request(ListStaffRequest {})).await.unwrap().into_inner();
    let names: Vec<_> = listed.staff.iter().map(|member| (member.name.as_str(), member.email.as_str(), member.role())).collect();
    assert_eq!(names, [("anna", "anna@example.com", StaffRole::SellerAdmin), ("ben", "ben@example.com", StaffRole::InventoryOperator)]);
    assert!(listed.invites.is_empty());

    let user_id = ben.ctx.user().unwrap().to_string();
    let promote = ChangeStaffRoleRequest { user_id: user_id.clone(), role: StaffRole::SellerManager.into() };
    stand.tenants.clone().change_staff_role(anna.request(promote)).await.unwrap();
    assert!(stand.acting(&ben, &tenant.tenant_id).await.unwrap().may("seller:catalog.write"));
    for _ in 0..2 {
        stand.tenants.clone().revoke_staff(anna.request(RevokeStaffRequest { user_id: user_id.clone() })).await.unwrap();
        assert_eq!(refusal(stand.acting(&ben, &tenant.tenant_id).await).1, "NOT_A_MEMBER");
    }
}

#[tokio::test]
async fn a_store_keeps_its_last_admin() {
    let stand = stand().await;
    let (person, _, anna) = stand.seller("anna").await;
    let user_id = person.ctx.user().unwrap().to_string();
    let revoke = RevokeStaffRequest { user_id: user_id.clone() };
    assert_eq!(refusal(stand.tenants.clone().revoke_staff(anna.request(revoke.clone())).await), (Code::Conflict, "LAST_ADMIN".to_owned()));
    let demote = ChangeStaffRoleRequest { user_id, role: StaffRole::SellerManager.into() };
    assert_eq!(refusal(stand.tenants.clone().change_staff_role(anna.request(demote)).await).1, "LAST_ADMIN");
    let ben = stand.person("ben").await;
    let token = invite(&stand, &anna, "ben@example.com", StaffRole::SellerAdmin).await;
    stand.tenants.clone().accept_invite(ben.ctx.request(AcceptInviteRequest { token })).await.unwrap();
    stand.tenants.clone().revoke_staff(anna.request(revoke)).await.unwrap();
    let unknown = ChangeStaffRoleRequest { user_id: stand.market.buyer().user().unwrap().to_string(), role: StaffRole::SellerAdmin.into() };
    assert_eq!(refusal(stand.tenants.clone().change_staff_role(anna.request(unknown)).await), (Code::NotFound, "STAFF_NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn invitations_are_replaced_withdrawn_and_grow_old() {
    let stand = stand().await;
    let (_, _, anna) = stand.seller("anna").await;
    let ben = stand.person("ben").await;
    let accept = |token: String| {
        let (mut client, request) = (stand.tenants.clone(), ben.ctx.request(AcceptInviteRequest { token }));
        async move { client.accept_invite(request).await }
    };
    let first = invite(&stand, &anna, "ben@example.com", StaffRole::SellerManager).await;
    stand.market.clock.advance(chrono::Duration::seconds(1));
    let second = invite(&stand, &anna, "ben@example.com", StaffRole::InventoryOperator).await;
    assert_eq!(refusal(accept(first).await).1, "INVITE_INVALID");
    for _ in 0..2 {
        stand.tenants.clone().withdraw_invite(anna.request(WithdrawInviteRequest { email: "ben@example.com".to_owned() })).await.unwrap();
    }
    assert_eq!(refusal(accept(second).await).1, "INVITE_INVALID");
    let third = invite(&stand, &anna, "ben@example.com", StaffRole::SellerManager).await;
    stand.market.clock.advance(chrono::Duration::days(8));
    assert_eq!(refusal(accept(third).await).1, "INVITE_INVALID");
    let again = InviteStaffRequest { email: "anna@example.com".to_owned(), role: StaffRole::SellerAdmin.into() };
    assert_eq!(refusal(stand.tenants.clone().invite_staff(anna.request(again)).await), (Code::Conflict, "ALREADY_STAFF".to_owned()));
    let nobody = InviteStaffRequest { email: "x@example.com".to_owned(), role: 0 };
    assert_eq!(refusal(stand.tenants.clone().invite_staff(anna.request(nobody)).await).0, Code::Invalid);
}

#[tokio::test]
async fn two_stores_do_not_see_each_other() {
    let stand = stand().await;
    let (_, _, anna) = stand.seller("anna").await;
    let (ben, bens, of_ben) = stand.seller("ben").await;
    let mine = stand.tenants.clone().get_mine(of_ben.request(GetMineRequest {})).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!(mine.tenant_id, bens.tenant_id);
    let revoke = ChangeStaffRoleRequest { user_id: ben.ctx.user().unwrap().to_string(), role: StaffRole::SellerManager.into() };
    assert_eq!(refusal(stand.tenants.clone().change_staff_role(anna.request(revoke)).await).1, "STAFF_NOT_FOUND");
    let staff = stand.tenants.clone().list_staff(anna.request(ListStaffRequest {})).await.unwrap().into_inner().staff;
    assert_eq!(staff.len(), 1);
}
