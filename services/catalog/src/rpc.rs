//! The contract, translated: parse, call, map.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api_catalog as api;
use api_catalog::catalog_server::Catalog as Contract;
use api_catalog::{ImportId, ProductId, UploadId, VariantId};
use futures::Stream;
use kit_core::{Money, TenantId};
use kit_rpc::proto::google_api::HttpBody;
use kit_rpc::{Ctx, download, parse, required, status, violation};
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::flows::{Catalog, cursor};
use crate::model::edit::{Edit, VariantEdit};
use crate::model::product::{Dimensions, Move};
use crate::store::products::{Filter, Kept};
use crate::wire;

#[derive(Clone)]
pub(crate) struct Rpc(pub(crate) Arc<Catalog>);

type Answer<T> = Result<Response<T>, Status>;

const DEFAULT_LIMIT: u32 = 20;
const DEFAULT_CATEGORIES: u32 = 100;
const DEFAULT_SNAPSHOTS: u32 = 500;
/// How often a watched import is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(250);
/// Messages waiting for a slow watcher.
const WATCH_QUEUE: usize = 4;

fn or_default(limit: u32, default: u32) -> i64 {
    i64::from(if limit == 0 { default } else { limit })
}

fn optional<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, Status>
where
    T::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { parse(field, text).map(Some) }
}

fn money(field: &str, money: &kit_rpc::proto::Money) -> Result<Money, Status> {
    money.try_into().map_err(|error: kit_core::MoneyError| violation(&format!("{field}.currency"), &error.to_string()))
}

fn variant_edits(variants: Vec<api::VariantInput>) -> Result<Vec<VariantEdit>, Status> {
    let one = |(index, variant): (usize, api::VariantInput)| {
        let field = |name: &str| format!("variants[{index}].{name}");
        let price = required(&field("price"), variant.price.as_ref())?;
        Ok(VariantEdit {
            id: optional(&field("variant_id"), &variant.variant_id)?,
            price: money(&field("price"), price)?,
            list_price: variant.list_price.as_ref().map(|price| money(&field("list_price"), price)).transpose()?,
            options: variant.options.into_iter().map(|option| (option.name, option.value)).collect(),
            dimensions: variant.dimensions.map(|sides| Dimensions {
                length_mm: sides.length_mm,
                width_mm: sides.width_mm,
                height_mm: sides.height_mm,
            }),
            weight_grams: variant.weight_grams,
            sku: variant.sku,
            gtin: variant.gtin,
            media: variant.media_ids,
        })
    };
    variants.into_iter().enumerate().map(one).collect()
}

impl Rpc {
    async fn product(&self, kept: Result<Kept, Error>) -> Result<api::Product, Status> {
        let kept = kept.map_err(status)?;
        let tree = self.0.tree().await.map_err(status)?;
        Ok(wire::product(&kept, &tree))
    }

    async fn moved(&self, ctx: &Ctx, tenant: TenantId, product_id: &str, if_version: i32, wanted: Move) -> Result<api::Product, Status> {
        let id: ProductId = parse("product_id", product_id)?;
        self.product(self.0.move_product(ctx, tenant, id, if_version, wanted).await).await
    }

    async fn products(&self, kept: &[Kept]) -> Result<Vec<api::Product>, Status> {
        let tree = self.0.tree().await.map_err(status)?;
        Ok(kept.iter().map(|kept| wire::product(kept, &tree)).collect())
    }
}

#[tonic::async_trait]
impl Contract for Rpc {
    async fn list_categories(&self, request: Request<api::ListCategoriesRequest>) -> Answer<api::ListCategoriesResponse> {
        let asked = request.into_inner();
        let limit = usize::try_from(or_default(asked.limit, DEFAULT_CATEGORIES)).unwrap_or_default();
        let page = self.0.list_categories(&asked.parent, &asked.query, limit, &asked.cursor).await.map_err(status)?;
        Ok(Response::new(api::ListCategoriesResponse { categories: page.items.iter().map(wire::category).collect(), next_cursor: page.next_cursor }))
    }

    async fn get_category(&self, request: Request<api::GetCategoryRequest>) -> Answer<api::GetCategoryResponse> {
        let (node, schema, ancestors) = self.0.get_category(&request.get_ref().category).await.map_err(status)?;
        let attributes = schema.into_iter().map(wire::definition).collect();
        Ok(Response::new(api::GetCategoryResponse {
            category: Some(wire::category(&node)),
            attributes,
            ancestors: ancestors.iter().map(wire::category).collect(),
        }))
    }

    async fn create_category(&self, request: Request<api::CreateCategoryRequest>) -> Answer<api::CreateCategoryResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        let asked = request.into_inner();
        let made = self.0.create_category(&ctx, &asked.code, &asked.name, &asked.parent, wire::has(asked.attributes), &asked.tax_category).await;
        Ok(Response::new(api::CreateCategoryResponse { category: Some(wire::category(&made.map_err(status)?)) }))
    }

    async fn update_category(&self, request: Request<api::UpdateCategoryRequest>) -> Answer<api::UpdateCategoryResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        let asked = request.into_inner();
        let attributes = asked.attributes.map(|attributes| wire::has(attributes.items));
        let changed = self.0.update_category(&ctx, &asked.category, asked.name, attributes, asked.tax_category).await.map_err(status)?;
        Ok(Response::new(api::UpdateCategoryResponse { category: Some(wire::category(&changed)) }))
    }

    async fn delete_category(&self, request: Request<api::DeleteCategoryRequest>) -> Answer<api::DeleteCategoryResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        self.0.delete_category(&ctx, &request.get_ref().category).await.map_err(status)?;
        Ok(Response::new(api::DeleteCategoryResponse {}))
    }

    async fn put_attribute(&self, request: Request<api::PutAttributeRequest>) -> Answer<api::PutAttributeResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        let kind = wire::attribute_kind(request.get_ref().r#type());
        let asked = request.into_inner();
        let (attribute, values) = self.0.put_attribute(&ctx, &asked.key, &asked.name, kind, &asked.unit, &asked.values).await.map_err(status)?;
        let definition = wire::attribute(attribute, values);
        Ok(Response::new(api::PutAttributeResponse { attribute: Some(definition) }))
    }

    async fn import_taxonomy(&self, request: Request<api::ImportTaxonomyRequest>) -> Answer<api::ImportTaxonomyResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        let report = self.0.import_taxonomy(&ctx, request.into_inner().content).await.map_err(status)?;
        let (created, changed, unchanged) = (report.loaded.created, report.loaded.changed, report.unchanged);
        Ok(Response::new(api::ImportTaxonomyResponse { part: report.part.to_owned(), created, changed, unchanged }))
    }

    async fn export_taxonomy(&self, request: Request<api::ExportTaxonomyRequest>) -> Answer<HttpBody> {
        Ctx::of(&request)?.require_operator("catalog.write")?;
        let part = &request.get_ref().part;
        let text = self.0.export_taxonomy(part).await.map_err(status)?;
        Ok(download(text, "text/tab-separated-values; charset=utf-8", &format!("{part}.tsv")))
    }

    async fn create_product(&self, request: Request<api::CreateProductRequest>) -> Answer<api::CreateProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let edit = Edit {
            title: Some(asked.title),
            description: Some(asked.description),
            brand: Some(asked.brand),
            category: Some(asked.category),
            attributes: asked.attributes.into_iter().collect(),
            media: Some(asked.media_ids),
            tags: Some(asked.tags),
            variants: variant_edits(asked.variants)?,
            remove: Vec::new(),
        };
        let product = self.product(self.0.create_product(&ctx, tenant, &edit, asked.activate).await).await?;
        Ok(Response::new(api::CreateProductResponse { product: Some(product) }))
    }

    async fn update_product(&self, request: Request<api::UpdateProductRequest>) -> Answer<api::UpdateProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let id: ProductId = parse("product_id", &asked.product_id)?;
        let edit = Edit {
            title: asked.title,
            description: asked.description,
            brand: asked.brand,
            category: asked.category,
            attributes: asked.attributes.into_iter().collect(),
            media: asked.media_ids.map(|media| media.items),
            tags: asked.tags.map(|tags| tags.items),
            variants: variant_edits(asked.variants)?,
            remove: asked.remove_variant_ids.iter().map(|id| parse::<VariantId>("remove_variant_ids", id)).collect::<Result<_, _>>()?,
        };
        let product = self.product(self.0.update_product(&ctx, tenant, id, asked.if_version, &edit).await).await?;
        Ok(Response::new(api::UpdateProductResponse { product: Some(product) }))
    }

    async fn get_product(&self, request: Request<api::GetProductRequest>) -> Answer<api::GetProductResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let id: ProductId = parse("product_id", &request.get_ref().product_id)?;
        let product = self.product(self.0.get_product(tenant, id).await).await?;
        Ok(Response::new(api::GetProductResponse { product: Some(product) }))
    }

    async fn list_products(&self, request: Request<api::ListProductsRequest>) -> Answer<api::ListProductsResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let wanted = wire::status_of(request.get_ref().status());
        let asked = request.into_inner();
        let categories = if asked.category.is_empty() { None } else { Some(self.0.categories_within(&asked.category).await.map_err(status)?) };
        let query = Some(asked.query.trim().to_owned()).filter(|query| !query.is_empty());
        let after = cursor::read(&asked.cursor).map_err(status)?;
        let filter = Filter { tenant: Some(tenant), status: wanted, query, categories, after, limit: or_default(asked.limit, DEFAULT_LIMIT) };
        let (page, counts) = self.0.list_products(tenant, filter).await.map_err(status)?;
        let products = self.products(&page.items).await?;
        Ok(Response::new(api::ListProductsResponse { products, next_cursor: page.next_cursor, counts: wire::status_counts(&counts) }))
    }

    async fn delete_product(&self, request: Request<api::DeleteProductRequest>) -> Answer<api::DeleteProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let id: ProductId = parse("product_id", &request.get_ref().product_id)?;
        self.0.delete_product(&ctx, tenant, id, request.get_ref().if_version).await.map_err(status)?;
        Ok(Response::new(api::DeleteProductResponse {}))
    }

    async fn submit_product(&self, request: Request<api::SubmitProductRequest>) -> Answer<api::SubmitProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let product = self.moved(&ctx, tenant, &asked.product_id, asked.if_version, Move::Submit).await?;
        Ok(Response::new(api::SubmitProductResponse { product: Some(product) }))
    }

    async fn activate_product(&self, request: Request<api::ActivateProductRequest>) -> Answer<api::ActivateProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let product = self.moved(&ctx, tenant, &asked.product_id, asked.if_version, Move::Activate).await?;
        Ok(Response::new(api::ActivateProductResponse { product: Some(product) }))
    }

    async fn deactivate_product(&self, request: Request<api::DeactivateProductRequest>) -> Answer<api::DeactivateProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let product = self.moved(&ctx, tenant, &asked.product_id, asked.if_version, Move::Deactivate).await?;
        Ok(Response::new(api::DeactivateProductResponse { product: Some(product) }))
    }

    async fn archive_product(&self, request: Request<api::ArchiveProductRequest>) -> Answer<api::ArchiveProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let product = self.moved(&ctx, tenant, &asked.product_id, asked.if_version, Move::Archive).await?;
        Ok(Response::new(api::ArchiveProductResponse { product: Some(product) }))
    }

    async fn list_versions(&self, request: Request<api::ListVersionsRequest>) -> Answer<api::ListVersionsResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let asked = request.into_inner();
        let id: ProductId = parse("product_id", &asked.product_id)?;
        let before = cursor::read(&asked.cursor).map_err(status)?;
        let page = self.0.list_versions(tenant, id, before, or_default(asked.limit, DEFAULT_LIMIT)).await.map_err(status)?;
        let versions = page.items.iter().map(|(version, changes)| wire::version(version, changes)).collect();
        Ok(Response::new(api::ListVersionsResponse { versions, next_cursor: page.next_cursor }))
    }

    async fn get_version(&self, request: Request<api::GetVersionRequest>) -> Answer<api::GetVersionResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let id: ProductId = parse("product_id", &request.get_ref().product_id)?;
        let (version, changes, kept) = self.0.get_version(tenant, id, request.get_ref().version).await.map_err(status)?;
        let product = self.product(Ok(kept)).await?;
        Ok(Response::new(api::GetVersionResponse { version: Some(wire::version(&version, &changes)), product: Some(product) }))
    }

    async fn roll_back_product(&self, request: Request<api::RollBackProductRequest>) -> Answer<api::RollBackProductResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let id: ProductId = parse("product_id", &asked.product_id)?;
        let product = self.product(self.0.roll_back(&ctx, tenant, id, asked.version, asked.if_version).await).await?;
        Ok(Response::new(api::RollBackProductResponse { product: Some(product) }))
    }

    async fn list_review(&self, request: Request<api::ListReviewRequest>) -> Answer<api::ListReviewResponse> {
        Ctx::of(&request)?.require_operator("catalog.write")?;
        let wanted = wire::status_of(request.get_ref().status()).unwrap_or(crate::model::product::Status::InReview);
        let asked = request.into_inner();
        let (tenant, after) = (optional("tenant_id", &asked.tenant_id)?, cursor::read(&asked.cursor).map_err(status)?);
        let filter = Filter { tenant, status: Some(wanted), after, limit: or_default(asked.limit, DEFAULT_LIMIT), ..Filter::default() };
        let page = self.0.list_review(filter).await.map_err(status)?;
        Ok(Response::new(api::ListReviewResponse { products: self.products(&page.items).await?, next_cursor: page.next_cursor }))
    }

    async fn approve_product(&self, request: Request<api::ApproveProductRequest>) -> Answer<api::ApproveProductResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        let asked = request.into_inner();
        let product = self.moved(&ctx, parse("tenant_id", &asked.tenant_id)?, &asked.product_id, asked.if_version, Move::Approve).await?;
        Ok(Response::new(api::ApproveProductResponse { product: Some(product) }))
    }

    async fn decline_product(&self, request: Request<api::DeclineProductRequest>) -> Answer<api::DeclineProductResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        let asked = request.into_inner();
        let wanted = Move::Decline(asked.decline_reason);
        let product = self.moved(&ctx, parse("tenant_id", &asked.tenant_id)?, &asked.product_id, asked.if_version, wanted).await?;
        Ok(Response::new(api::DeclineProductResponse { product: Some(product) }))
    }

    async fn get_policy(&self, request: Request<api::GetPolicyRequest>) -> Answer<api::GetPolicyResponse> {
        Ctx::of(&request)?.require_operator("catalog.write")?;
        let approval_required = self.0.get_policy(parse("tenant_id", &request.get_ref().tenant_id)?).await.map_err(status)?;
        Ok(Response::new(api::GetPolicyResponse { approval_required }))
    }

    async fn set_policy(&self, request: Request<api::SetPolicyRequest>) -> Answer<api::SetPolicyResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("catalog.write")?;
        let tenant = parse("tenant_id", &request.get_ref().tenant_id)?;
        let approval_required = self.0.set_policy(&ctx, tenant, request.get_ref().approval_required).await.map_err(status)?;
        Ok(Response::new(api::SetPolicyResponse { approval_required }))
    }

    async fn upload_media(&self, request: Request<api::UploadMediaRequest>) -> Answer<api::UploadMediaResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let file = self.0.upload_media(tenant, asked.content, &asked.alt).await.map_err(status)?;
        Ok(Response::new(api::UploadMediaResponse { media: Some(wire::media(&file)) }))
    }

    async fn get_media(&self, request: Request<api::GetMediaRequest>) -> Answer<HttpBody> {
        let asked = request.into_inner();
        let served = self.0.get_media(&asked.hash, &asked.rendition).await.map_err(status)?;
        Ok(Response::new(HttpBody { content_type: served.content_type.to_owned(), data: served.content }))
    }

    async fn upload_file(&self, request: Request<api::UploadFileRequest>) -> Answer<api::UploadFileResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let view = self.0.upload_file(&ctx, tenant, asked.content, &asked.file_name).await.map_err(status)?;
        Ok(Response::new(api::UploadFileResponse { upload: Some(wire::upload(&view)) }))
    }

    async fn get_upload(&self, request: Request<api::GetUploadRequest>) -> Answer<api::GetUploadResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.read")?;
        let id: UploadId = parse("upload_id", &request.get_ref().upload_id)?;
        let view = self.0.get_upload(&ctx, tenant, id).await.map_err(status)?;
        Ok(Response::new(api::GetUploadResponse { upload: Some(wire::upload(&view)) }))
    }

    async fn save_preset(&self, request: Request<api::SavePresetRequest>) -> Answer<api::SavePresetResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let mapping = wire::mapping_in(required("mapping", asked.mapping)?);
        let preset = self.0.save_preset(tenant, &asked.name, &mapping).await.map_err(status)?;
        Ok(Response::new(api::SavePresetResponse { preset: Some(wire::preset(&preset)) }))
    }

    async fn list_presets(&self, request: Request<api::ListPresetsRequest>) -> Answer<api::ListPresetsResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let presets = self.0.list_presets(tenant).await.map_err(status)?;
        Ok(Response::new(api::ListPresetsResponse { presets: presets.iter().map(wire::preset).collect() }))
    }

    async fn delete_preset(&self, request: Request<api::DeletePresetRequest>) -> Answer<api::DeletePresetResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.write")?;
        self.0.delete_preset(tenant, &request.get_ref().name).await.map_err(status)?;
        Ok(Response::new(api::DeletePresetResponse {}))
    }

    async fn preview_import(&self, request: Request<api::PreviewImportRequest>) -> Answer<api::PreviewImportResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let upload: UploadId = parse("upload_id", &asked.upload_id)?;
        let preview = self.0.preview_import(tenant, upload, asked.mapping.map(wire::mapping_in), &asked.preset).await.map_err(status)?;
        let tree = self.0.tree().await.map_err(status)?;
        Ok(Response::new(wire::preview(&preview, &tree)))
    }

    async fn start_import(&self, request: Request<api::StartImportRequest>) -> Answer<api::StartImportResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("catalog.write")?;
        let asked = request.into_inner();
        let upload: UploadId = parse("upload_id", &asked.upload_id)?;
        let view = self.0.start_import(&ctx, tenant, upload, asked.mapping.map(wire::mapping_in), &asked.preset).await.map_err(status)?;
        Ok(Response::new(api::StartImportResponse { import: Some(wire::import_view(&view, self.0.now())) }))
    }

    async fn get_import(&self, request: Request<api::GetImportRequest>) -> Answer<api::GetImportResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let id: ImportId = parse("import_id", &request.get_ref().import_id)?;
        let view = self.0.get_import(tenant, id).await.map_err(status)?;
        Ok(Response::new(api::GetImportResponse { import: Some(wire::import_view(&view, self.0.now())) }))
    }

    async fn list_imports(&self, request: Request<api::ListImportsRequest>) -> Answer<api::ListImportsResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let before = cursor::read(&request.get_ref().cursor).map_err(status)?;
        let page = self.0.list_imports(tenant, before, or_default(request.get_ref().limit, DEFAULT_LIMIT)).await.map_err(status)?;
        let imports = page.items.iter().map(|import| wire::import(import, self.0.now())).collect();
        Ok(Response::new(api::ListImportsResponse { imports, next_cursor: page.next_cursor }))
    }

    type WatchImportStream = Pin<Box<dyn Stream<Item = Result<api::WatchImportResponse, Status>> + Send>>;

    async fn watch_import(&self, request: Request<api::WatchImportRequest>) -> Answer<Self::WatchImportStream> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let id: ImportId = parse("import_id", &request.get_ref().import_id)?;
        let catalog = self.0.clone();
        // The first look is before the stream, so that an import that does not exist is an error and no empty stream.
        let mut view = catalog.get_import(tenant, id).await.map_err(status)?;
        let (send, receive) = tokio::sync::mpsc::channel(WATCH_QUEUE);
        tokio::spawn(async move {
            let mut told = None;
            loop {
                let seen = (view.import.state.clone(), view.import.rows_done);
                if told.as_ref() != Some(&seen) {
                    told = Some(seen);
                    let message = api::WatchImportResponse { import: Some(wire::import_view(&view, catalog.now())) };
                    if send.send(Ok(message)).await.is_err() {
                        return;
                    }
                }
                if view.import.is_over() || catalog.stop.is_cancelled() || send.is_closed() {
                    return;
                }
                tokio::time::sleep(WATCH_EVERY).await;
                match catalog.get_import(tenant, id).await {
                    Ok(next) => view = next,
                    Err(error) => {
                        _ = send.send(Err(status(error))).await;
                        return;
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(tokio_stream::wrappers::ReceiverStream::new(receive))))
    }

    async fn get_import_errors(&self, request: Request<api::GetImportErrorsRequest>) -> Answer<HttpBody> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let id: ImportId = parse("import_id", &request.get_ref().import_id)?;
        let csv = self.0.import_errors(tenant, id, request.get_ref().include_warnings).await.map_err(status)?;
        Ok(download(csv, "text/csv; charset=utf-8", "rejected-rows.csv"))
    }

    async fn cancel_import(&self, request: Request<api::CancelImportRequest>) -> Answer<api::CancelImportResponse> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.write")?;
        let id: ImportId = parse("import_id", &request.get_ref().import_id)?;
        let view = self.0.cancel_import(tenant, id).await.map_err(status)?;
        Ok(Response::new(api::CancelImportResponse { import: Some(wire::import_view(&view, self.0.now())) }))
    }

    async fn export_products(&self, request: Request<api::ExportProductsRequest>) -> Answer<HttpBody> {
        let tenant = Ctx::of(&request)?.require_seller("catalog.read")?;
        let format = &request.get_ref().format;
        let (content, content_type) = self.0.export_products(tenant, format).await.map_err(status)?;
        Ok(download(content, content_type, &format!("products.{format}")))
    }

    async fn get_variants(&self, request: Request<api::GetVariantsRequest>) -> Answer<api::GetVariantsResponse> {
        Ctx::of(&request)?.require_service()?;
        let asked = request.into_inner();
        let mut wanted = Vec::with_capacity(asked.variants.len());
        for (index, named) in asked.variants.iter().enumerate() {
            let tenant: TenantId = parse(&format!("variants[{index}].tenant_id"), &named.tenant_id)?;
            wanted.push((tenant, parse(&format!("variants[{index}].variant_id"), &named.variant_id)?));
        }
        let found = self.0.get_variants(&wanted, asked.fresh).await.map_err(status)?;
        Ok(Response::new(api::GetVariantsResponse { variants: found.iter().map(|variant| (**variant).clone()).collect() }))
    }

    async fn find_skus(&self, request: Request<api::FindSkusRequest>) -> Answer<api::FindSkusResponse> {
        Ctx::of(&request)?.require_service()?;
        let asked = request.into_inner();
        let wanted = self.0.find_skus(parse("tenant_id", &asked.tenant_id)?, &asked.skus).await.map_err(status)?;
        let found = self.0.get_variants(&wanted, true).await.map_err(status)?;
        Ok(Response::new(api::FindSkusResponse { variants: found.iter().map(|variant| (**variant).clone()).collect() }))
    }

    async fn list_snapshots(&self, request: Request<api::ListSnapshotsRequest>) -> Answer<api::ListSnapshotsResponse> {
        Ctx::of(&request)?.require_service()?;
        let asked = request.into_inner();
        let tenant = optional("tenant_id", &asked.tenant_id)?;
        let (products, next_cursor) =
            self.0.list_snapshots(tenant, or_default(asked.limit, DEFAULT_SNAPSHOTS), &asked.cursor).await.map_err(status)?;
        Ok(Response::new(api::ListSnapshotsResponse { products, next_cursor }))
    }
}
