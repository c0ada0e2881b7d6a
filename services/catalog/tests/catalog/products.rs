use api_catalog::*;
use api_inventory::inventory_client::InventoryClient;
use api_inventory::{SetStockRequest, WatchStockRequest};
use futures::StreamExt;

use crate::market::{Shop, fields, mug, open, reason, usd};

async fn update(shop: &Shop, request: UpdateProductRequest) -> Result<Product, tonic::Status> {
    Ok(shop.catalog().update_product(shop.seller.request(request)).await?.into_inner().product.unwrap())
}

#[tokio::test]
async fn a_product_is_made_changed_and_its_history_read_and_rolled_back() {
    let shop = open().await;
    let made = shop
        .create(CreateProductRequest { description: "<p onclick=x()>Holds <b>tea</b></p><script>x()</script>".to_owned(), ..mug("MUG-1") })
        .await
        .unwrap();
    assert_eq!((made.status(), made.version, made.slug.as_str()), (ProductStatus::Active, 1, "mug"));
    assert_eq!(made.description, "<p>Holds <b>tea</b></p>");

    let id = made.product_id.clone();
    let change = UpdateProductRequest { product_id: id.clone(), if_version: 1, title: Some("Big mug".to_owned()), ..Default::default() };
    let changed = update(&shop, change.clone()).await.unwrap();
    assert_eq!((changed.title.as_str(), changed.version), ("Big mug", 2));
    assert_eq!(reason(update(&shop, change).await), "PRODUCT_STALE");
    let same = UpdateProductRequest { product_id: id.clone(), title: Some("Big mug".to_owned()), ..Default::default() };
    assert_eq!(update(&shop, same).await.unwrap().version, 2, "nothing changed, so there is no new version");

    let versions = shop
        .catalog()
        .list_versions(shop.seller.request(ListVersionsRequest { product_id: id.clone(), ..Default::default() }))
        .await
        .unwrap()
        .into_inner()
        .versions;
    let told: Vec<(i32, &str)> = versions.iter().map(|version| (version.version, version.action.as_str())).collect();
    assert_eq!(told, [(2, "updated"), (1, "created")]);
    assert_eq!(versions[0].changes, [Change { field: "title".to_owned(), before: "Mug".to_owned(), after: "Big mug".to_owned() }]);
    assert_eq!(versions[0].actor, shop.seller.actor_text());

    let first = shop.catalog().get_version(shop.seller.request(GetVersionRequest { product_id: id.clone(), version: 1 })).await.unwrap().into_inner();
    assert_eq!(first.product.unwrap().title, "Mug");
    let back = RollBackProductRequest { product_id: id.clone(), version: 1, if_version: 2 };
    let back = shop.catalog().roll_back_product(shop.seller.request(back)).await.unwrap().into_inner().product.unwrap();
    assert_eq!((back.title.as_str(), back.version), ("Mug", 3));
    let none = RollBackProductRequest { product_id: id, version: 9, if_version: 0 };
    assert_eq!(reason(shop.catalog().roll_back_product(shop.seller.request(none)).await), "VERSION_NOT_FOUND");
}

#[tokio::test]
async fn what_is_wrong_with_a_product_is_told_by_field() {
    let shop = open().await;
    let mut wrong = mug("A");
    wrong.category = "no-such".to_owned();
    wrong.media_ids = vec!["med_00000000000000000000000000000000".to_owned()];
    wrong.variants[0].gtin = "123".to_owned();
    let found = fields(shop.create(wrong).await);
    for field in ["category", "media_ids", "variants[0].gtin"] {
        assert!(found.iter().any(|name| name == field), "{field} in {found:?}");
    }
    let mut wrong = mug("A");
    wrong.variants[0].price = Some(kit_rpc::proto::Money { amount_minor: 5, currency: "XXX".to_owned() });
    assert_eq!(fields(shop.create(wrong).await), ["variants[0].price.currency"]);
    let mut free = mug("A");
    free.variants[0].price = Some(usd(0));
    assert_eq!(reason(shop.create(free).await), "PRODUCT_INCOMPLETE");
    let long = CreateProductRequest { title: "x".repeat(10 << 20), ..mug("A") };
    assert_eq!(fields(shop.create(long).await), ["title"]);
}

#[tokio::test]
async fn a_sku_belongs_to_one_product_until_that_is_deleted() {
    let shop = open().await;
    let first = shop.create(mug("MUG")).await.unwrap();
    assert_eq!(reason(shop.create(mug("MUG")).await), "SKU_TAKEN");
    let delete = DeleteProductRequest { product_id: first.product_id.clone(), if_version: 0 };
    shop.catalog().delete_product(shop.seller.request(delete.clone())).await.unwrap();
    shop.catalog().delete_product(shop.seller.request(delete)).await.expect("deleting twice is deleting");
    let get = GetProductRequest { product_id: first.product_id };
    assert_eq!(reason(shop.catalog().get_product(shop.seller.request(get)).await), "PRODUCT_NOT_FOUND");
    shop.create(mug("MUG")).await.unwrap();
}

#[tokio::test]
async fn nobody_sees_another_tenants_products() {
    let shop = open().await;
    let made = shop.create(mug("MUG")).await.unwrap();
    let other = shop.market.seller(shop.market.ids.next(), &["catalog.write", "catalog.read"]);
    let get = GetProductRequest { product_id: made.product_id.clone() };
    assert_eq!(reason(shop.catalog().get_product(other.request(get)).await), "PRODUCT_NOT_FOUND");
    let list = shop.catalog().list_products(other.request(ListProductsRequest::default())).await.unwrap().into_inner();
    assert!(list.products.is_empty());
    let archive = ArchiveProductRequest { product_id: made.product_id, if_version: 0 };
    assert_eq!(reason(shop.catalog().archive_product(other.request(archive)).await), "PRODUCT_NOT_FOUND");
}

#[tokio::test]
async fn the_operator_can_require_approval() {
    let shop = open().await;
    let tenant_id = shop.tenant.to_string();
    let policy = SetPolicyRequest { tenant_id: tenant_id.clone(), approval_required: true };
    shop.catalog().set_policy(shop.operator().request(policy)).await.unwrap();
    let get = GetPolicyRequest { tenant_id: tenant_id.clone() };
    assert!(shop.catalog().get_policy(shop.operator().request(get)).await.unwrap().into_inner().approval_required);

    let made = shop.create(mug("MUG")).await.unwrap();
    assert_eq!(made.status(), ProductStatus::InReview, "activate means: into review");
    let waiting = shop.catalog().list_review(shop.operator().request(ListReviewRequest::default())).await.unwrap().into_inner().products;
    assert_eq!(waiting.len(), 1);

    let product_id = made.product_id;
    let decline = DeclineProductRequest {
        tenant_id: tenant_id.clone(),
        product_id: product_id.clone(),
        decline_reason: "no picture".to_owned(),
        if_version: 0,
    };
    let declined = shop.catalog().decline_product(shop.operator().request(decline)).await.unwrap().into_inner().product.unwrap();
    assert_eq!((declined.status(), declined.decline_reason.as_str()), (ProductStatus::Draft, "no picture"));
    let activate = ActivateProductRequest { product_id: product_id.clone(), if_version: 0 };
    assert_eq!(reason(shop.catalog().activate_product(shop.seller.request(activate)).await), "APPROVAL_REQUIRED");
    let submit = SubmitProductRequest { product_id: product_id.clone(), if_version: 0 };
    shop.catalog().submit_product(shop.seller.request(submit)).await.unwrap();
    let approve = ApproveProductRequest { tenant_id, product_id: product_id.clone(), if_version: 0 };
    let approved = shop.catalog().approve_product(shop.operator().request(approve)).await.unwrap().into_inner().product.unwrap();
    assert_eq!(approved.status(), ProductStatus::Active);

    let off = DeactivateProductRequest { product_id: product_id.clone(), if_version: 0 };
    shop.catalog().deactivate_product(shop.seller.request(off)).await.unwrap();
    let on = ActivateProductRequest { product_id, if_version: 0 };
    let on = shop.catalog().activate_product(shop.seller.request(on)).await.unwrap().into_inner().product.unwrap();
    assert_eq!(on.status(), ProductStatus::Active, "what was approved may come back by itself");
}

#[tokio::test]
async fn products_are_listed_searched_and_paged() {
    let shop = open().await;
    for number in 0..5 {
        shop.create(CreateProductRequest { title: format!("Mug {number}"), activate: number > 0, ..mug(&format!("M-{number}")) }).await.unwrap();
    }
    let list = async |request: ListProductsRequest| shop.catalog().list_products(shop.seller.request(request)).await.unwrap().into_inner();
    let first = list(ListProductsRequest { limit: 3, ..Default::default() }).await;
    let second = list(ListProductsRequest { limit: 3, cursor: first.next_cursor.clone(), ..Default::default() }).await;
    let titles: Vec<&str> = first.products.iter().chain(&second.products).map(|product| product.title.as_str()).collect();
    assert_eq!((titles, second.next_cursor.as_str()), (vec!["Mug 4", "Mug 3", "Mug 2", "Mug 1", "Mug 0"], ""));
    assert_eq!(list(ListProductsRequest { query: "m-3".to_owned(), ..Default::default() }).await.products.len(), 1);
    assert_eq!(list(ListProductsRequest { status: ProductStatus::Draft.into(), ..Default::default() }).await.products.len(), 1);
    assert_eq!(list(ListProductsRequest { query: "100%".to_owned(), ..Default::default() }).await.products.len(), 0);
    let wrong = ListProductsRequest { cursor: "???".to_owned(), ..Default::default() };
    assert_eq!(fields(shop.catalog().list_products(shop.seller.request(wrong)).await), ["cursor"]);
}

#[tokio::test]
async fn other_services_read_variants_and_whole_products() {
    let shop = open().await;
    let made = shop.create(mug("MUG")).await.unwrap();
    let service = shop.market.service();
    let named = VariantRef { tenant_id: made.tenant_id.clone(), variant_id: made.variants[0].variant_id.clone() };
    let unknown = VariantRef { variant_id: "var_00000000000000000000000000000001".to_owned(), ..named.clone() };
    let ask = GetVariantsRequest { variants: vec![unknown, named.clone()], fresh: false };
    let found = shop.catalog().get_variants(service.request(ask.clone())).await.unwrap().into_inner().variants;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].price.as_ref().unwrap().amount_minor, found[0].sellable, found[0].tax_category.as_str()), (1_200, true, "standard"));

    let mut dearer = mug("MUG").variants;
    dearer[0].price = Some(usd(1_500));
    update(&shop, UpdateProductRequest { product_id: made.product_id.clone(), variants: dearer, ..Default::default() }).await.unwrap();
    let found = shop.catalog().get_variants(service.request(ask)).await.unwrap().into_inner().variants;
    assert_eq!(found[0].price.as_ref().unwrap().amount_minor, 1_500, "a change is seen at once");

    let foreign = VariantRef { tenant_id: kit_core::TenantId::from(uuid::Uuid::from_u128(1)).to_string(), ..named };
    let ask = GetVariantsRequest { variants: vec![foreign], fresh: true };
    assert!(shop.catalog().get_variants(service.request(ask)).await.unwrap().into_inner().variants.is_empty());
    let skus = FindSkusRequest { tenant_id: made.tenant_id, skus: vec!["MUG".to_owned(), "NONE".to_owned()] };
    assert_eq!(shop.catalog().find_skus(service.request(skus)).await.unwrap().into_inner().variants.len(), 1);
    let (mut cursor, mut all) = (String::new(), Vec::new());
    loop {
        let page = shop
            .catalog()
            .list_snapshots(service.request(ListSnapshotsRequest { limit: 1, cursor, ..Default::default() }))
            .await
            .unwrap()
            .into_inner();
        all.extend(page.products);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(all.len(), 1);
}

#[tokio::test]
async fn a_seller_watches_the_stock_of_a_variant_and_nobody_elses() {
    let shop = open().await;
    let variant_id = shop.create(mug("MUG-1")).await.unwrap().variants[0].variant_id.clone();
    shop.market.settle().await;
    let mut inventory = InventoryClient::new(shop.market.link("inventory"));
    let watch = || WatchStockRequest { variant_id: variant_id.clone() };
    let keeper = shop.market.seller(shop.tenant, &["inventory.read", "inventory.write"]);
    let stranger = shop.market.seller(shop.market.ids.next(), &["inventory.read"]);
    assert_eq!(reason(inventory.watch_stock(stranger.request(watch())).await), "VARIANT_NOT_FOUND");
    let mut seen = inventory.watch_stock(keeper.request(watch())).await.unwrap().into_inner();
    assert_eq!(seen.next().await.unwrap().unwrap().stock.unwrap().available, 0);
    for quantity in [3, 1] {
        let set = SetStockRequest { variant_id: variant_id.clone(), quantity, ..Default::default() };
        inventory.set_stock(keeper.request(set)).await.unwrap();
        let next = tokio::time::timeout(std::time::Duration::from_secs(5), seen.next()).await.unwrap();
        assert_eq!(next.unwrap().unwrap().stock.unwrap().available, quantity);
    }
}
