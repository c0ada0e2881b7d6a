//! What sellers do to their stock, through the contract, on a real database.

use api_inventory::inventory_client::InventoryClient;
use api_inventory::{AdjustStockRequest, CreateWarehouseRequest, ListWarehousesRequest, MovementKind, SetStockRequest, SetThresholdRequest};
use kit_core::TenantId;
use kit_rpc::{Ctx, Link, problem_of};
use kit_test::Market;
use service_inventory::MODULE;

struct Shop {
    market: Market,
    client: InventoryClient<Link>,
    tenant: TenantId,
}

impl Shop {
    async fn open() -> Self {
        let market = kit_test::start(&[&MODULE]).await;
        let client = InventoryClient::new(market.link("inventory"));
        let tenant = market.ids.next();
        Self { market, client, tenant }
    }

    fn seller(&self) -> Ctx {
        self.market.seller(self.tenant, &["inventory.read", "inventory.write"])
    }
}

fn reason(status: tonic::Status) -> String {
    problem_of(&status).reason
}

#[tokio::test]
async fn there_is_a_default_warehouse_from_the_first_look() {
    let shop = Shop::open().await;
    let list =
        || async { shop.client.clone().list_warehouses(shop.seller().request(ListWarehousesRequest {})).await.unwrap().into_inner().warehouses };
    assert_eq!(list().await.iter().filter(|warehouse| warehouse.is_default).count(), 1);
    let new = CreateWarehouseRequest {
        code: "berlin".to_owned(),
        name: "Berlin".to_owned(),
        country: "DE".to_owned(),
        is_default: true,
        ..Default::default()
    };
    shop.client.clone().create_warehouse(shop.seller().request(new.clone())).await.unwrap();
    assert_eq!(reason(shop.client.clone().create_warehouse(shop.seller().request(new)).await.unwrap_err()), "WAREHOUSE_CODE_TAKEN");
    let all = list().await;
    assert_eq!((all.len(), all[0].code.as_str(), all[0].is_default, all[1].is_default), (2, "berlin", true, false));
    let wrong = CreateWarehouseRequest { code: "x".to_owned(), name: "X".to_owned(), country: "de".to_owned(), ..Default::default() };
    assert_eq!(reason(shop.client.clone().create_warehouse(shop.seller().request(wrong)).await.unwrap_err()), "INVALID_REQUEST");
}

#[tokio::test]
async fn a_variant_the_seller_does_not_have_is_not_found() {
    let shop = Shop::open().await;
    let variant_id = shop.market.ids.next::<api_catalog::VariantKind>().to_string();
    let set = SetStockRequest { variant_id: variant_id.clone(), quantity: 3, ..Default::default() };
    assert_eq!(reason(shop.client.clone().set_stock(shop.seller().request(set)).await.unwrap_err()), "VARIANT_NOT_FOUND");
    let low = SetThresholdRequest { variant_id, low_at: 3, ..Default::default() };
    assert_eq!(reason(shop.client.clone().set_threshold(shop.seller().request(low)).await.unwrap_err()), "VARIANT_NOT_FOUND");
    let none = AdjustStockRequest { delta: 1, kind: MovementKind::Receipt.into(), ..Default::default() };
    assert_eq!(reason(shop.client.clone().adjust_stock(shop.seller().request(none)).await.unwrap_err()), "INVALID_REQUEST");
}
