//! Translation between the contract and the flows.

use api_cart::cart_server::Cart as Contract;
use api_cart::*;
use api_catalog::VariantId;
use kit_core::UserId;
use kit_rpc::{Ctx, parse, status};
use tonic::{Request, Response, Status};

use crate::service::Cart;

#[tonic::async_trait]
impl Contract for Cart {
    async fn get_cart(&self, request: Request<GetCartRequest>) -> Result<Response<GetCartResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let buyer = ctx.require_user()?;
        let country = request.get_ref().country.trim().to_uppercase();
        let cart = self.get_cart(&ctx, buyer, &country).await.map_err(status)?;
        Ok(Response::new(GetCartResponse { cart: Some(cart) }))
    }

    async fn add_item(&self, request: Request<AddItemRequest>) -> Result<Response<AddItemResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let buyer = ctx.require_user()?;
        let asked = request.get_ref();
        let (tenant, variant) = (parse("tenant_id", &asked.tenant_id)?, parse("variant_id", &asked.variant_id)?);
        let (quantity, item_count) = self.add_item(&ctx, buyer, tenant, variant, asked.quantity.unwrap_or(1)).await.map_err(status)?;
        Ok(Response::new(AddItemResponse { quantity, item_count }))
    }

    async fn update_item(&self, request: Request<UpdateItemRequest>) -> Result<Response<UpdateItemResponse>, Status> {
        let buyer = Ctx::of(&request)?.require_user()?;
        let asked = request.get_ref();
        let item_count = self.update_item(buyer, parse("variant_id", &asked.variant_id)?, asked.quantity).await.map_err(status)?;
        Ok(Response::new(UpdateItemResponse { item_count }))
    }

    async fn remove_item(&self, request: Request<RemoveItemRequest>) -> Result<Response<RemoveItemResponse>, Status> {
        let buyer = Ctx::of(&request)?.require_user()?;
        let item_count = self.remove_item(buyer, parse("variant_id", &request.get_ref().variant_id)?).await.map_err(status)?;
        Ok(Response::new(RemoveItemResponse { item_count }))
    }

    async fn clear_cart(&self, request: Request<ClearCartRequest>) -> Result<Response<ClearCartResponse>, Status> {
        let buyer = Ctx::of(&request)?.require_user()?;
        self.clear_cart(buyer).await.map_err(status)?;
        Ok(Response::new(ClearCartResponse {}))
    }

    async fn get_cart_for_checkout(&self, request: Request<GetCartForCheckoutRequest>) -> Result<Response<GetCartForCheckoutResponse>, Status> {
        Ctx::of(&request)?.require_service()?;
        let buyer: UserId = parse("buyer_id", &request.get_ref().buyer_id)?;
        let lines = self.reads.run(buyer).await.map_err(status)?;
        let lines = lines.into_iter().map(|line| CheckoutLine {
            tenant_id: line.tenant.to_string(),
            variant_id: VariantId::from(line.variant).to_string(),
            quantity: line.quantity,
            price_seen: Some(line.price_seen.into()),
        });
        Ok(Response::new(GetCartForCheckoutResponse { lines: lines.collect() }))
    }
}
