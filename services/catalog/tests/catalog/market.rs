//! A market with a seller in it.

use api_catalog::catalog_client::CatalogClient;
use api_catalog::{
    CreateProductRequest, GetImportRequest, Import, ImportMapping, ImportState, Product, StartImportRequest, UploadFileRequest, VariantInput,
};
use api_inventory::inventory_client::InventoryClient;
use api_inventory::{GetStockRequest, VariantKey};
use kit_core::TenantId;
use kit_rpc::proto::Money;
use kit_rpc::{Ctx, Link, problem_of};
use kit_test::Market;
use tonic::Status;

pub(crate) struct Shop {
    pub(crate) market: Market,
    pub(crate) tenant: TenantId,
    pub(crate) seller: Ctx,
}

pub(crate) async fn open() -> Shop {
    open_with("").await
}

/// Opens with a `[catalog]` section.
pub(crate) async fn open_with(sections: &str) -> Shop {
    let modules = [&service_identity::MODULE, &service_tenants::MODULE, &service_inventory::MODULE, &service_catalog::MODULE];
    let market = kit_test::start_with(&modules, sections).await;
    let tenant = market.ids.next();
    let seller = market.seller(tenant, &["catalog.write", "catalog.read"]);
    Shop { market, tenant, seller }
}

impl Shop {
    pub(crate) fn catalog(&self) -> CatalogClient<Link> {
        CatalogClient::new(self.market.link("catalog")).max_decoding_message_size(256 << 20)
    }

    pub(crate) fn become_another_seller(&mut self) {
        self.tenant = self.market.ids.next();
        self.seller = self.market.seller(self.tenant, &["catalog.write", "catalog.read"]);
    }

    pub(crate) fn operator(&self) -> Ctx {
        self.market.operator(&["catalog.write"])
    }

    pub(crate) async fn create(&self, request: CreateProductRequest) -> Result<Product, Status> {
        let answer = self.catalog().create_product(self.seller.request(request)).await?;
        Ok(answer.into_inner().product.unwrap())
    }

    /// Uploads a feed and starts its import under the suggested mapping, changed by `change`.
    pub(crate) async fn start_import(&self, content: impl Into<Vec<u8>>, change: impl FnOnce(&mut ImportMapping)) -> String {
        let content: Vec<u8> = content.into();
        let upload =
            self.catalog().upload_file(self.seller.request(UploadFileRequest { content: content.into(), file_name: "feed.csv".to_owned() })).await;
        let upload = upload.unwrap().into_inner().upload.unwrap();
        let mut mapping = upload.suggestion.unwrap();
        mapping.constants.entry("currency".to_owned()).or_insert("USD".to_owned());
        change(&mut mapping);
        let request = StartImportRequest { upload_id: upload.upload_id, mapping: Some(mapping), preset: String::new() };
        self.catalog().start_import(self.seller.request(request)).await.unwrap().into_inner().import.unwrap().import_id
    }

    pub(crate) async fn import(&self, content: impl Into<Vec<u8>>, change: impl FnOnce(&mut ImportMapping)) -> Import {
        let id = self.start_import(content, change).await;
        self.finished(&id).await
    }

    pub(crate) async fn progress(&self, import_id: &str) -> Import {
        let request = GetImportRequest { import_id: import_id.to_owned() };
        self.catalog().get_import(self.seller.request(request)).await.unwrap().into_inner().import.unwrap()
    }

    /// Waits for the end of an import and checks that every row is accounted for.
    pub(crate) async fn finished(&self, import_id: &str) -> Import {
        for _ in 0..1200 {
            let import = self.progress(import_id).await;
            assert_eq!(import.created + import.updated + import.unchanged + import.rejected, import.rows_done);
            if import.state() == ImportState::Finished {
                assert_eq!(import.rows_done, import.rows);
                return import;
            }
            assert!(matches!(import.state(), ImportState::Queued | ImportState::Running), "{import:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the import did not finish");
    }

    /// Pieces of a variant that can be bought.
    pub(crate) async fn available(&self, variant_id: &str) -> i64 {
        let variants = vec![VariantKey { tenant_id: self.tenant.to_string(), variant_id: variant_id.to_owned() }];
        let mut inventory = InventoryClient::new(self.market.link("inventory"));
        inventory.get_stock(self.market.service().request(GetStockRequest { variants })).await.unwrap().into_inner().stocks[0].available
    }
}

pub(crate) fn usd(minor: i64) -> Money {
    Money { amount_minor: minor, currency: "USD".to_owned() }
}

/// A mug for 12.00 USD.
pub(crate) fn mug(sku: &str) -> CreateProductRequest {
    let variant = VariantInput { sku: sku.to_owned(), price: Some(usd(1_200)), ..VariantInput::default() };
    CreateProductRequest { title: "Mug".to_owned(), variants: vec![variant], activate: true, ..CreateProductRequest::default() }
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    problem_of(&answer.unwrap_err()).reason
}

/// The fields a refusal names.
pub(crate) fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    problem_of(&answer.unwrap_err()).violations.into_iter().map(|violation| violation.field).collect()
}
