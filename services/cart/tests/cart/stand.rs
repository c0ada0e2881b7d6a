//! A small market with shops, and a buyer's cart in it.

use api_cart::cart_client::CartClient;
use api_cart::{AddItemRequest, CartContents, CartLine, GetCartForCheckoutRequest, GetCartRequest, NoticeKind, UpdateItemRequest};
use api_catalog::catalog_client::CatalogClient;
use api_catalog::{CreateProductRequest, Option as Choice, UpdateProductRequest, VariantInput};
use api_fulfillment::fulfillment_client::FulfillmentClient;
use api_identity::SignUpRequest;
use api_identity::identity_client::IdentityClient;
use api_inventory::SetStockRequest;
use api_inventory::inventory_client::InventoryClient;
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{ApplyRequest, ApproveRequest, Business};
use kit_core::{TenantId, UserId};
use kit_rpc::proto::Money;
use kit_rpc::{Ctx, Link, problem_of};
use kit_test::Market;
use tonic::Status;

pub(crate) const PASSWORD: &str = "seven blue kettles";

/// Passwords are cheap, and nothing is remembered, so that a change shows at once.
const SECTIONS: &str = "[identity]\nhash_memory_kib = 8\nhash_passes = 1\n[catalog]\nvariant_cache_seconds = 0\n[cart]\nstores_seconds = 0\n";

pub(crate) struct Stand {
    pub(crate) market: Market,
}

/// A seller with one product of one variant, half a kilogram each.
pub(crate) struct Shop {
    pub(crate) tenant: TenantId,
    pub(crate) seller: Ctx,
    pub(crate) product: String,
    pub(crate) variant: String,
}

pub(crate) fn usd(amount_minor: i64) -> Money {
    Money { amount_minor, currency: "USD".to_owned() }
}

pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    problem_of(&answer.unwrap_err()).reason
}

impl Stand {
    pub(crate) async fn open() -> Self {
        Self::open_with("").await
    }

    /// Opens with more of the `[cart]` section.
    pub(crate) async fn open_with(cart: &str) -> Self {
        let modules = [
            &service_identity::MODULE,
            &service_tenants::MODULE,
            &service_catalog::MODULE,
            &service_inventory::MODULE,
            &service_fulfillment::MODULE,
            &service_orders::MODULE,
            &service_cart::MODULE,
        ];
        Self { market: kit_test::start_with(&modules, &format!("{SECTIONS}{cart}")).await }
    }

    pub(crate) fn carts(&self) -> CartClient<Link> {
        CartClient::new(self.market.link("cart"))
    }

    pub(crate) fn catalog(&self) -> CatalogClient<Link> {
        CatalogClient::new(self.market.link("catalog"))
    }

    pub(crate) fn fulfillment(&self) -> FulfillmentClient<Link> {
        FulfillmentClient::new(self.market.link("fulfillment"))
    }

    pub(crate) fn identity(&self) -> IdentityClient<Link> {
        IdentityClient::new(self.market.link("identity"))
    }

    pub(crate) fn tenants(&self) -> TenantsClient<Link> {
        TenantsClient::new(self.market.link("tenants"))
    }

    /// Somebody with an account.
    pub(crate) async fn signed_up(&self, name: &str) -> Ctx {
        let sign_up =
            SignUpRequest { email: format!("{name}@example.com").to_lowercase(), password: PASSWORD.to_owned(), ..SignUpRequest::default() };
        let session = self.identity().sign_up(self.market.nobody().request(sign_up)).await.unwrap().into_inner().session.unwrap();
        self.market.buyer_as(session.user.unwrap().user_id.parse().unwrap())
    }

    /// An approved store that sells one thing in dollars and has so many pieces.
    pub(crate) async fn shop(&self, name: &str, price: i64, pieces: i64) -> Shop {
        self.shop_in("USD", name, price, pieces).await
    }

    pub(crate) async fn shop_in(&self, currency: &str, name: &str, price: i64, pieces: i64) -> Shop {
        let owner = self.signed_up(name).await;
        let business = Business {
            legal_name: name.to_owned(),
            contact_email: "shop@example.com".to_owned(),
            address: "1 Kiln Lane".to_owned(),
            ..Business::default()
        };
        let apply = ApplyRequest {
            store_name: name.to_owned(),
            business: Some(business),
            country: "US".to_owned(),
            currency: currency.to_owned(),
            ..ApplyRequest::default()
        };
        let applied = self.tenants().apply(owner.request(apply)).await.unwrap().into_inner().tenant.unwrap();
        let approve = ApproveRequest { tenant_id: applied.tenant_id.clone(), ..ApproveRequest::default() };
        self.tenants().approve(self.operator().request(approve)).await.unwrap();
        let tenant: TenantId = applied.tenant_id.parse().unwrap();
        let permissions = ["catalog.write", "inventory.write", "fulfillment.read", "fulfillment.write", "store.write"];
        let seller = self.market.seller(tenant, &permissions);
        let variant = VariantInput {
            sku: "THING".to_owned(),
            price: Some(Money { amount_minor: price, currency: currency.to_owned() }),
            weight_grams: 500,
            options: vec![Choice { name: "Size".to_owned(), value: "L".to_owned() }],
            ..VariantInput::default()
        };
        let create =
            CreateProductRequest { title: format!("Thing of {name}"), variants: vec![variant], activate: true, ..CreateProductRequest::default() };
        let product = self.catalog().create_product(seller.request(create)).await.unwrap().into_inner().product.unwrap();
        let shop = Shop { tenant, seller, variant: product.variants[0].variant_id.clone(), product: product.product_id };
        // Inventory has to have heard of the variant, fulfillment of the store.
        self.market.settle().await;
        self.stock_up(&shop, pieces).await;
        shop
    }

    pub(crate) fn operator(&self) -> Ctx {
        self.market.operator(&["tenants.read", "tenants.write"])
    }

    pub(crate) async fn stock_up(&self, shop: &Shop, quantity: i64) {
        let set = SetStockRequest { variant_id: shop.variant.clone(), quantity, ..SetStockRequest::default() };
        InventoryClient::new(self.market.link("inventory")).set_stock(shop.seller.request(set)).await.unwrap();
    }

    /// The shop asks another price from now on.
    pub(crate) async fn reprice(&self, shop: &Shop, price: i64) {
        let variant = VariantInput { sku: "THING".to_owned(), price: Some(usd(price)), weight_grams: 500, ..VariantInput::default() };
        let update = UpdateProductRequest { product_id: shop.product.clone(), variants: vec![variant], ..UpdateProductRequest::default() };
        self.catalog().update_product(shop.seller.request(update)).await.unwrap();
    }

    /// Answers (pieces on the line, pieces in the cart).
    pub(crate) async fn add(&self, buyer: &Ctx, shop: &Shop, quantity: u32) -> Result<(u32, u32), Status> {
        let add = AddItemRequest { tenant_id: shop.tenant.to_string(), variant_id: shop.variant.clone(), quantity: Some(quantity) };
        let added = self.carts().add_item(buyer.request(add)).await?.into_inner();
        Ok((added.quantity, added.item_count))
    }

    /// Answers the pieces in the cart.
    pub(crate) async fn set(&self, buyer: &Ctx, shop: &Shop, quantity: u32) -> Result<u32, Status> {
        let set = UpdateItemRequest { variant_id: shop.variant.clone(), quantity };
        Ok(self.carts().update_item(buyer.request(set)).await?.into_inner().item_count)
    }

    pub(crate) async fn cart(&self, buyer: &Ctx) -> CartContents {
        self.cart_for(buyer, "").await
    }

    pub(crate) async fn cart_for(&self, buyer: &Ctx, country: &str) -> CartContents {
        let get = GetCartRequest { country: country.to_owned() };
        self.carts().get_cart(buyer.request(get)).await.unwrap().into_inner().cart.unwrap()
    }

    /// The only line of a cart.
    pub(crate) async fn line(&self, buyer: &Ctx) -> CartLine {
        let cart = self.cart(buyer).await;
        assert_eq!(cart.groups.iter().map(|group| group.lines.len()).sum::<usize>(), 1, "{cart:?}");
        cart.groups[0].lines[0].clone()
    }

    /// What checkout would read: (variant, pieces).
    pub(crate) async fn at_checkout(&self, buyer: UserId) -> Vec<(String, u32)> {
        let get = GetCartForCheckoutRequest { buyer_id: buyer.to_string() };
        let lines = self.carts().get_cart_for_checkout(self.market.service().request(get)).await.unwrap().into_inner().lines;
        lines.into_iter().map(|line| (line.variant_id, line.quantity)).collect()
    }
}

/// (store, pieces of its first line) of each group, in their order.
pub(crate) fn groups(cart: &CartContents) -> Vec<(&str, u32)> {
    cart.groups.iter().map(|group| (group.store_name.as_str(), group.lines[0].quantity)).collect()
}

pub(crate) fn notices(line: &CartLine) -> Vec<(NoticeKind, &str)> {
    line.notices.iter().map(|notice| (notice.kind(), notice.message.as_str())).collect()
}
