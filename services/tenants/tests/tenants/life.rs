//! From application to closing.

use api_tenants::*;
use kit_core::Code;
use kit_rpc::Ctx;

use crate::support::*;

#[tokio::test]
async fn an_application_is_reviewed_approved_and_its_applicant_runs_the_store() {
    let stand = stand().await;
    let anna = stand.person("anna").await;
    let applied = stand.apply(&anna.ctx, "Anna's Mugs & Co").await.unwrap();
    assert_eq!((applied.state(), applied.store.as_ref().unwrap().slug.as_str()), (TenantState::Applied, "anna-s-mugs-co"));
    assert_eq!(refusal(stand.acting(&anna, &applied.tenant_id).await).1, "NOT_A_MEMBER");
    let hidden = stand.tenants.clone().get_store(stand.market.nobody().request(GetStoreRequest { slug: "anna-s-mugs-co".to_owned() })).await;
    assert_eq!(refusal(hidden), (Code::NotFound, "STORE_NOT_FOUND".to_owned()));

    let operator = stand.operator();
    let review = StartReviewRequest { tenant_id: applied.tenant_id.clone() };
    let verifying = stand.tenants.clone().start_review(operator.request(review)).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!(verifying.state(), TenantState::Verifying);
    let active = stand.approve(&applied).await;
    assert_eq!((active.state(), active.commission_bps), (TenantState::Active, 1_200));
    assert_eq!(stand.approve(&applied).await.version, active.version, "a second approval changes nothing");

    let acting = stand.acting(&anna, "").await.unwrap();
    assert_eq!(acting.tenant.unwrap().to_string(), applied.tenant_id);
    assert!(acting.may("seller:staff.write") && acting.may("seller:catalog.write"));
    let mine = stand.tenants.clone().list_mine(anna.ctx.request(ListMineRequest {})).await.unwrap().into_inner().tenants;
    assert_eq!((mine.len(), mine[0].role()), (1, StaffRole::SellerAdmin));
    let history =
        stand.tenants.clone().get(operator.request(GetRequest { tenant_id: applied.tenant_id.clone() })).await.unwrap().into_inner().history;
    let states: Vec<TenantState> = history.iter().map(StateChange::state).collect();
    assert_eq!(states, [TenantState::Applied, TenantState::Verifying, TenantState::Active]);
    assert_eq!(history[0].actor, anna.ctx.actor_text());
}

#[tokio::test]
async fn a_rejected_application_names_its_reason_and_can_be_sent_again_by_its_applicant_only() {
    let stand = stand().await;
    let (anna, ben) = (stand.person("anna").await, stand.person("ben").await);
    let tenant_id = stand.apply(&anna.ctx, "Anna's Mugs").await.unwrap().tenant_id;
    let reject = RejectRequest { tenant_id: tenant_id.clone(), reason: "no such register number".to_owned() };
    let rejected = stand.tenants.clone().reject(stand.operator().request(reject)).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!((rejected.state(), rejected.state_reason.as_str()), (TenantState::Rejected, "no such register number"));
    let approve = ApproveRequest { tenant_id: tenant_id.clone(), ..Default::default() };
    assert_eq!(refusal(stand.tenants.clone().approve(stand.operator().request(approve)).await), (Code::Conflict, "TENANT_STATE".to_owned()));
    let again = |business| ResubmitRequest { tenant_id: tenant_id.clone(), business: Some(business) };
    assert_eq!(refusal(stand.tenants.clone().resubmit(ben.ctx.request(again(business()))).await), (Code::NotFound, "TENANT_NOT_FOUND".to_owned()));
    let better = Business { registration_number: "HRB 12345".to_owned(), ..business() };
    let applied = stand.tenants.clone().resubmit(anna.ctx.request(again(better))).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!((applied.state(), applied.business.unwrap().registration_number.as_str()), (TenantState::Applied, "HRB 12345"));
}

#[tokio::test]
async fn a_suspended_store_disappears_until_it_is_reactivated_and_a_closed_one_stays_away() {
    let stand = stand().await;
    let (_, tenant, _) = stand.seller("anna").await;
    let operator = stand.operator();
    let store = || async { stand.tenants.clone().get_store(stand.market.nobody().request(GetStoreRequest { slug: "anna-s-shop".to_owned() })).await };
    store().await.unwrap();
    let (tenant_id, reason) = (tenant.tenant_id.clone(), "late shipments".to_owned());
    stand.tenants.clone().suspend(operator.request(SuspendRequest { tenant_id: tenant_id.clone(), reason: reason.clone() })).await.unwrap();
    assert_eq!(refusal(store().await).1, "STORE_NOT_FOUND");
    let terms = stand
        .tenants
        .clone()
        .get_terms(stand.market.service().request(GetTermsRequest { tenant_ids: vec![tenant_id.clone()] }))
        .await
        .unwrap()
        .into_inner()
        .terms;
    assert_eq!((terms.len(), terms[0].state(), terms[0].store_name.as_str()), (1, TenantState::Suspended, "anna's Shop"));
    stand.tenants.clone().reactivate(operator.request(ReactivateRequest { tenant_id: tenant_id.clone(), ..Default::default() })).await.unwrap();
    store().await.unwrap();
    stand.tenants.clone().close(operator.request(CloseRequest { tenant_id: tenant_id.clone(), reason })).await.unwrap();
    let reactivate = ReactivateRequest { tenant_id, ..Default::default() };
    assert_eq!(refusal(stand.tenants.clone().reactivate(operator.request(reactivate)).await).1, "TENANT_STATE");
}

#[tokio::test]
async fn applications_are_checked_and_limited() {
    let stand = stand().await;
    let anna = stand.person("anna").await;
    assert_eq!(refusal(stand.apply(&stand.market.guest(), "Guest's").await), (Code::Forbidden, "ACCOUNT_REQUIRED".to_owned()));
    for wrong in [
        ApplyRequest { country: "XX".to_owned(), ..application("Anna's") },
        ApplyRequest { currency: "XYZ".to_owned(), ..application("Anna's") },
        ApplyRequest { slug: "Not A Slug".to_owned(), ..application("Anna's") },
        ApplyRequest { business: Some(Business { contact_email: "nowhere".to_owned(), ..business() }), ..application("Anna's") },
        ApplyRequest { business: None, ..application("Anna's") },
        ApplyRequest { plan: 99, ..application("Anna's") },
    ] {
        assert_eq!(refusal(stand.tenants.clone().apply(anna.ctx.request(wrong.clone())).await).0, Code::Invalid, "{wrong:?}");
    }
    stand.apply(&anna.ctx, "Same Name").await.unwrap();
    let second = stand.apply(&anna.ctx, "Same Name").await.unwrap();
    assert_eq!(second.store.unwrap().slug, "same-name-2");
    assert_eq!(refusal(stand.apply(&anna.ctx, "Third").await), (Code::Refused, "TOO_MANY_APPLICATIONS".to_owned()));
    let ben = stand.person("ben").await;
    let taken = ApplyRequest { slug: "same-name".to_owned(), ..application("Ben's") };
    assert_eq!(refusal(stand.tenants.clone().apply(ben.ctx.request(taken)).await), (Code::Conflict, "SLUG_TAKEN".to_owned()));
    let unspeakable = stand.apply(&ben.ctx, "東京").await.unwrap();
    assert!(unspeakable.store.unwrap().slug.starts_with("store-"));
}

#[tokio::test]
async fn a_plan_sets_the_commission_unless_the_operator_agreed_on_another() {
    let stand = stand().await;
    let (_, tenant, _) = stand.seller("anna").await;
    let set = |plan: Plan, commission_bps| {
        let request = SetPlanRequest { tenant_id: tenant.tenant_id.clone(), plan: plan.into(), commission_bps };
        let (mut client, request) = (stand.tenants.clone(), stand.operator().request(request));
        async move { client.set_plan(request).await.map(|answer| answer.into_inner().tenant.unwrap().commission_bps) }
    };
    assert_eq!(set(Plan::Pro, None).await.unwrap(), 900);
    assert_eq!(set(Plan::Pro, Some(750)).await.unwrap(), 750);
    assert_eq!(refusal(set(Plan::Pro, Some(5_001)).await).0, Code::Invalid);
    let plans = stand.tenants.clone().list_plans(stand.market.nobody().request(ListPlansRequest {})).await.unwrap().into_inner().plans;
    assert_eq!(plans.len(), 3);
}

#[tokio::test]
async fn a_tenant_gets_a_cell_of_its_own_before_it_has_data_and_not_after() {
    let stand = stand().await;
    let anna = stand.person("anna").await;
    let tenant = stand.apply(&anna.ctx, "Anna's Mugs").await.unwrap();
    let place = |cell: &str| {
        let request = PlaceInCellRequest { tenant_id: tenant.tenant_id.clone(), cell: cell.to_owned() };
        let (mut client, request) = (stand.tenants.clone(), stand.operator().request(request));
        async move { client.place_in_cell(request).await.map(|answer| answer.into_inner().tenant.unwrap().cell) }
    };
    assert_eq!(refusal(place("Not a cell!").await).0, Code::Invalid);
    let cell = place("dedicated").await.unwrap();
    assert!(cell.starts_with('t') && cell.len() == 30, "{cell}");
    assert_eq!(place("dedicated").await.unwrap(), cell);
    stand.approve(&tenant).await;
    assert_eq!(place(&cell).await.unwrap(), cell);
    assert_eq!(refusal(place("elsewhere").await), (Code::Conflict, "TENANT_HAS_DATA".to_owned()));
}

#[tokio::test]
async fn lists_go_page_by_page_and_filter() {
    let stand = stand().await;
    for name in ["anna", "ben", "cid"] {
        stand.seller(name).await;
        stand.market.clock.advance(chrono::Duration::seconds(1));
    }
    let operator = stand.operator();
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = stand.tenants.clone().list(operator.request(ListRequest { limit: 2, cursor, ..Default::default() })).await.unwrap().into_inner();
        names.extend(page.tenants.into_iter().map(|tenant| tenant.store.unwrap().name));
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["cid's Shop", "ben's Shop", "anna's Shop"]);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            stand.tenants.clone().list_stores(stand.market.nobody().request(ListStoresRequest { limit: 2, cursor })).await.unwrap().into_inner();
        names.extend(page.stores.into_iter().map(|store| store.store.unwrap().name));
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["anna's Shop", "ben's Shop", "cid's Shop"]);
    let filter = ListRequest { query: "BEN".to_owned(), state: TenantState::Active.into(), ..Default::default() };
    assert_eq!(stand.tenants.clone().list(operator.request(filter)).await.unwrap().into_inner().tenants.len(), 1);
    for cursor in ["nonsense", "AAAA", "zz_zz"] {
        let list = ListRequest { cursor: cursor.to_owned(), ..Default::default() };
        assert_eq!(refusal(stand.tenants.clone().list(operator.request(list)).await).0, Code::Invalid);
        let stores = ListStoresRequest { cursor: cursor.to_owned(), ..Default::default() };
        assert_eq!(refusal(stand.tenants.clone().list_stores(operator.request(stores)).await).0, Code::Invalid);
    }
}

/// Who may not do what: nobody, people without the permission, sellers of another tenant.
#[tokio::test]
async fn everybody_else_is_refused() {
    let stand = stand().await;
    let (_, tenant, _) = stand.seller("anna").await;
    let tenant_id = tenant.tenant_id;
    let market = &stand.market;
    macro_rules! refused {
        ($who:expr, $code:expr, $($operation:ident($request:expr)),* $(,)?) => {
            $(
                let answer = stand.tenants.clone().$operation($who.request($request)).await;
                assert_eq!(refusal(answer).0, $code, "{}", stringify!($operation));
            )*
        };
    }
    refused!(
        market.nobody(),
        Code::Unauthenticated,
        apply(application("x")),
        list_mine(ListMineRequest {}),
        resubmit(ResubmitRequest { tenant_id: tenant_id.clone(), business: Some(business()) }),
        accept_invite(AcceptInviteRequest { token: "x".into() }),
    );
    let strangers: [Ctx; 3] = [market.buyer(), market.seller(tenant_id.parse().unwrap(), &["orders.write"]), market.operator(&["orders.write"])];
    for who in strangers {
        let (reason, user_id) = ("x".to_owned(), who.user().unwrap().to_string());
        refused!(
            who,
            Code::Forbidden,
            list(ListRequest::default()),
            get(GetRequest { tenant_id: tenant_id.clone() }),
            start_review(StartReviewRequest { tenant_id: tenant_id.clone() }),
            approve(ApproveRequest { tenant_id: tenant_id.clone(), ..Default::default() }),
            reject(RejectRequest { tenant_id: tenant_id.clone(), reason: reason.clone() }),
            suspend(SuspendRequest { tenant_id: tenant_id.clone(), reason: reason.clone() }),
            reactivate(ReactivateRequest { tenant_id: tenant_id.clone(), reason: reason.clone() }),
            close(CloseRequest { tenant_id: tenant_id.clone(), reason }),
            set_plan(SetPlanRequest { tenant_id: tenant_id.clone(), plan: Plan::Pro.into(), ..Default::default() }),
            place_in_cell(PlaceInCellRequest { tenant_id: tenant_id.clone(), cell: "home".into() }),
            get_terms(GetTermsRequest { tenant_ids: vec![tenant_id.clone()] }),
            get_mine(GetMineRequest {}),
            update_store(UpdateStoreRequest::default()),
            list_staff(ListStaffRequest {}),
            invite_staff(InviteStaffRequest { email: "x@example.com".into(), role: StaffRole::SellerAdmin.into() }),
            withdraw_invite(WithdrawInviteRequest { email: "x@example.com".into() }),
            change_staff_role(ChangeStaffRoleRequest { user_id: user_id.clone(), role: StaffRole::SellerAdmin.into() }),
            revoke_staff(RevokeStaffRequest { user_id }),
        );
    }
    let reader = market.operator(&["tenants.read"]);
    stand.tenants.clone().get(reader.request(GetRequest { tenant_id: tenant_id.clone() })).await.unwrap();
    refused!(reader, Code::Forbidden, close(CloseRequest { tenant_id, reason: "x".into() }));
}
