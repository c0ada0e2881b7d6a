//! What a store says of itself.

use api_tenants::*;
use kit_core::Code;

use crate::support::*;

#[tokio::test]
async fn a_seller_changes_the_store_from_the_version_that_was_read() {
    let stand = stand().await;
    let (_, tenant, anna) = stand.seller("anna").await;
    let update = |request: UpdateStoreRequest| {
        let (mut client, request) = (stand.tenants.clone(), anna.request(request));
        async move { client.update_store(request).await.map(|answer| answer.into_inner().tenant.unwrap()) }
    };
    let request = UpdateStoreRequest {
        name: Some("Anna's Mugs".to_owned()),
        slug: Some("mugs".to_owned()),
        accent_colour: Some("#AA3355".to_owned()),
        logo_hash: Some("ab".repeat(32)),
        holiday: Some(true),
        holiday_message: Some("Back in May".to_owned()),
        if_version: Some(tenant.version),
        ..Default::default()
    };
    let changed = update(request.clone()).await.unwrap();
    assert_eq!(refusal(update(request).await), (Code::Stale, "STALE".to_owned()));
    let store = changed.store.unwrap();
    assert_eq!((store.name.as_str(), store.accent_colour.as_str(), store.country.as_str()), ("Anna's Mugs", "#aa3355", "GB"));
    let seen = stand
        .tenants
        .clone()
        .get_store(stand.market.nobody().request(GetStoreRequest { slug: "mugs".to_owned() }))
        .await
        .unwrap()
        .into_inner()
        .store
        .unwrap();
    assert!(seen.store.unwrap().holiday);
    let same = update(UpdateStoreRequest { name: Some("Anna's  Mugs".to_owned()), ..Default::default() }).await.unwrap();
    assert_eq!(same.version, changed.version, "nothing changed, so nothing is told");
}

#[tokio::test]
async fn what_a_store_may_not_say_is_named() {
    let stand = stand().await;
    let (_, _, anna) = stand.seller("anna").await;
    stand.seller("ben").await;
    let wrong = [
        (UpdateStoreRequest { name: Some(" ".to_owned()), ..Default::default() }, Code::Invalid),
        (UpdateStoreRequest { accent_colour: Some("red".to_owned()), ..Default::default() }, Code::Invalid),
        (UpdateStoreRequest { logo_hash: Some("../../etc".to_owned()), ..Default::default() }, Code::Invalid),
        (UpdateStoreRequest { country: Some("ZZ".to_owned()), ..Default::default() }, Code::Invalid),
        (UpdateStoreRequest { slug: Some("A B".to_owned()), ..Default::default() }, Code::Invalid),
        (UpdateStoreRequest { slug: Some("ben-s-shop".to_owned()), ..Default::default() }, Code::Conflict),
    ];
    for (request, code) in wrong {
        assert_eq!(refusal(stand.tenants.clone().update_store(anna.request(request.clone())).await).0, code, "{request:?}");
    }
}
