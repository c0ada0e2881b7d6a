//! Sellers make and change products; operators approve them.

use api_catalog::{ProductId, ProductRemoved, VariantId, catalog_event};
use kit_core::TenantId;
use kit_db::{Scope, log};
use kit_rpc::Ctx;

use super::{Catalog, cursor, event};
use crate::error::Error;
use crate::model::diff::{self, Change};
use crate::model::edit::Edit;
use crate::model::product::{Content, Move, Product, Status};
use crate::store::media;
use crate::store::products::{self, Filter, Kept, Version};

/// A page of things and the cursor of the next one.
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: String,
}

impl<T> Page<T> {
    /// Cuts what was read (one more than asked, if there is more) into a page.
    pub(crate) fn cut(mut items: Vec<T>, limit: i64, key: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = if more { items.last().map(|last| cursor::write(key(last))).unwrap_or_default() } else { String::new() };
        Self { items, next_cursor }
    }
}

impl Catalog {
    pub(crate) async fn create_product(&self, ctx: &Ctx, tenant: TenantId, edit: &Edit, activate: bool) -> Result<Kept, Error> {
        let quota = self.terms(ctx, tenant).await?.quota;
        let tree = self.tree().await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let files = media::find(&mut tx, tenant, &edit.media_names()).await?;
        let content = edit.apply(&Content::default(), &tree, &files, &self.ids).map_err(Error::Invalid)?;
        let count = u32::try_from(products::count(&mut tx, tenant).await?).unwrap_or(u32::MAX);
        if let Some(quota) = quota.filter(|quota| count >= *quota) {
            return Err(Error::QuotaReached(quota));
        }
        let mut product = Product::draft(content);
        if activate {
            let required = self.approval_required(&mut tx, tenant).await?;
            product.release(required, &tree)?;
        }
        let (id, now) = (self.ids.next(), self.now());
        let kept = Kept { id, tenant, group_key: None, version: 1, product, created_at: now, updated_at: now };
        self.refuse_taken_skus(&mut tx, &kept).await?;
        self.save(&mut tx, ctx, &kept, None, "created").await?;
        tx.commit().await?;
        Ok(kept)
    }

    pub(crate) async fn update_product(&self, ctx: &Ctx, tenant: TenantId, id: ProductId, if_version: i32, edit: &Edit) -> Result<Kept, Error> {
        let tree = self.tree().await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let kept = products::lock(&mut tx, tenant, id).await?;
        unless_stale(&kept, if_version)?;
        let files = media::find(&mut tx, tenant, &edit.media_names()).await?;
        let content = edit.apply(&kept.product.content, &tree, &files, &self.ids).map_err(Error::Invalid)?;
        self.take_content(tx, ctx, kept, content, "updated").await
    }

    /// Takes new content for a locked product, and saves, unless nothing is different.
    async fn take_content(&self, mut tx: kit_db::Tx, ctx: &Ctx, mut kept: Kept, content: Content, action: &'static str) -> Result<Kept, Error> {
        let before = kept.product.clone();
        let required = self.approval_required(&mut tx, kept.tenant).await?;
        if !kept.product.edit(content, required) {
            return Ok(kept);
        }
        if matches!(kept.product.status, Status::Active | Status::InReview) {
            let missing = kept.product.content.missing(&*self.tree().await?);
            if !missing.is_empty() {
                return Err(Error::Incomplete(missing));
            }
        }
        self.refuse_taken_skus(&mut tx, &kept).await?;
        self.save_next(tx, ctx, kept, &before, action).await
    }

    /// Saves a locked product at its next version.
    async fn save_next(&self, mut tx: kit_db::Tx, ctx: &Ctx, mut kept: Kept, before: &Product, action: &'static str) -> Result<Kept, Error> {
        kept.version += 1;
        kept.updated_at = self.now();
        self.save(&mut tx, ctx, &kept, Some((before.status, &before.content)), action).await?;
        tx.commit().await?;
        self.forget(kept.tenant, &[&before.content, &kept.product.content]);
        Ok(kept)
    }

    async fn refuse_taken_skus(&self, tx: &mut kit_db::Tx, kept: &Kept) -> Result<(), Error> {
        let skus: Vec<String> = kept.product.content.variants.iter().map(|variant| variant.sku.clone()).collect();
        let taken = products::owners_of(tx, kept.tenant, &skus, kept.id).await?;
        if taken.is_empty() { Ok(()) } else { Err(Error::SkuTaken(taken.join(", "))) }
    }

    pub(crate) async fn get_product(&self, tenant: TenantId, id: ProductId) -> Result<Kept, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        products::get(&mut tx, tenant, id).await
    }

    /// The tenant's products, with how many are in each status.
    pub(crate) async fn list_products(&self, tenant: TenantId, filter: Filter) -> Result<(Page<Kept>, Vec<(String, i64)>), Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let limit = filter.limit;
        let kept = products::list(&mut tx, &Filter { tenant: Some(tenant), limit: limit + 1, ..filter }).await?;
        let counts = products::count_by_status(&mut tx, tenant).await?;
        Ok((Page::cut(kept, limit, |kept| kept.id.to_string()), counts))
    }

    /// Products of all tenants in a status, over all cells, newest first.
    pub(crate) async fn list_review(&self, filter: Filter) -> Result<Page<Kept>, Error> {
        let limit = filter.limit;
        let filter = Filter { limit: limit + 1, ..filter };
        let mut found = Vec::new();
        match filter.tenant {
            Some(tenant) => found = products::list(&mut *self.db.begin_for(tenant).await?, &filter).await?,
            None => {
                for cell in self.db.cells().await? {
                    found.extend(products::list(&mut *cell.begin(&Scope::Platform).await?, &filter).await?);
                }
            }
        }
        found.sort_by_key(|kept| std::cmp::Reverse(kept.id));
        Ok(Page::cut(found, limit, |kept| kept.id.to_string()))
    }

    pub(crate) async fn delete_product(&self, ctx: &Ctx, tenant: TenantId, id: ProductId, if_version: i32) -> Result<(), Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let mut kept = match products::lock(&mut tx, tenant, id).await {
            Err(Error::ProductNotFound(_)) if products::is_deleted(&mut tx, tenant, id).await? => return Ok(()),
            other => other?,
        };
        unless_stale(&kept, if_version)?;
        kept.version += 1;
        let now = self.now();
        products::delete(&mut tx, &kept, &ctx.actor_text(), now).await?;
        let variant_ids = kept.product.content.variants.iter().map(|variant| variant.id.to_string()).collect();
        let removed = ProductRemoved { tenant_id: tenant.to_string(), product_id: id.to_string(), version: kept.version, variant_ids };
        log::append(&mut tx, ctx, now, event(id.uuid(), Some(tenant), "product_removed", catalog_event::Body::ProductRemoved(removed), None)).await?;
        tx.commit().await?;
        self.forget(tenant, &[&kept.product.content]);
        Ok(())
    }

    /// Moves a product's status.
    pub(crate) async fn move_product(&self, ctx: &Ctx, tenant: TenantId, id: ProductId, if_version: i32, wanted: Move) -> Result<Kept, Error> {
        let tree = self.tree().await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let mut kept = products::lock(&mut tx, tenant, id).await?;
        unless_stale(&kept, if_version)?;
        let before = kept.product.clone();
        let required = self.approval_required(&mut tx, tenant).await?;
        if !kept.product.apply(&wanted, required, &tree)? {
            return Ok(kept);
        }
        self.save_next(tx, ctx, kept, &before, wanted.word()).await
    }

    pub(crate) async fn list_versions(
        &self,
        tenant: TenantId,
        id: ProductId,
        before: Option<i32>,
        limit: i64,
    ) -> Result<Page<(Version, Vec<Change>)>, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        products::get(&mut tx, tenant, id).await?;
        // One more for the next page's sake, and one more for the diff of the last.
        let versions = products::versions(&mut tx, tenant, id, before.unwrap_or(i32::MAX), limit + 2).await?;
        let mut shown = Vec::new();
        for (place, version) in versions.iter().enumerate() {
            let earlier = versions.get(place + 1).map(|earlier| (earlier.status, &earlier.content));
            shown.push((version.clone(), diff::changes(earlier, (version.status, &version.content))));
        }
        let longest = usize::try_from(limit + 1).unwrap_or(usize::MAX);
        shown.truncate(longest);
        Ok(Page::cut(shown, limit, |(version, _)| version.version.to_string()))
    }

    /// A version with what it changed, and the product as it was then.
    pub(crate) async fn get_version(&self, tenant: TenantId, id: ProductId, number: i32) -> Result<(Version, Vec<Change>, Kept), Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let mut kept = products::get(&mut tx, tenant, id).await?;
        let mut versions = products::versions(&mut tx, tenant, id, number.saturating_add(1), 2).await?.into_iter();
        let version = versions.next().filter(|version| version.version == number).ok_or(Error::VersionNotFound(number))?;
        let earlier = versions.next();
        let changes = diff::changes(earlier.as_ref().map(|earlier| (earlier.status, &earlier.content)), (version.status, &version.content));
        kept.version = version.version;
        kept.updated_at = version.at;
        kept.product.status = version.status;
        kept.product.content = version.content.clone();
        Ok((version, changes, kept))
    }

    /// Makes the content what it was in an earlier version. Variants keep their ids, so stock and carts stay right.
    pub(crate) async fn roll_back(&self, ctx: &Ctx, tenant: TenantId, id: ProductId, number: i32, if_version: i32) -> Result<Kept, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let kept = products::lock(&mut tx, tenant, id).await?;
        unless_stale(&kept, if_version)?;
        let version = products::versions(&mut tx, tenant, id, number.saturating_add(1), 1).await?.into_iter().next();
        let version = version.filter(|version| version.version == number).ok_or(Error::VersionNotFound(number))?;
        self.take_content(tx, ctx, kept, version.content, "rolled_back").await
    }

    pub(crate) async fn get_policy(&self, tenant: TenantId) -> Result<bool, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        self.approval_required(&mut tx, tenant).await
    }

    pub(crate) async fn set_policy(&self, ctx: &Ctx, tenant: TenantId, approval_required: bool) -> Result<bool, Error> {
        let now = self.now();
        let mut tx = self.db.begin_for(tenant).await?;
        let before = self.approval_required(&mut tx, tenant).await?;
        products::set_policy(&mut tx, tenant, approval_required, now).await?;
        if before != approval_required {
            let changed = api_catalog::PolicyChanged { tenant_id: tenant.to_string(), approval_required };
            let change = serde_json::json!({ "before": { "approval_required": before }, "after": { "approval_required": approval_required } });
            let event = event(tenant.uuid(), Some(tenant), "policy_changed", catalog_event::Body::PolicyChanged(changed), Some(change));
            log::append(&mut tx, ctx, now, event).await?;
        }
        tx.commit().await?;
        Ok(approval_required)
    }

    /// Variants of one tenant by SKU.
    pub(crate) async fn find_skus(&self, tenant: TenantId, skus: &[String]) -> Result<Vec<(TenantId, VariantId)>, Error> {
        let mut tx = self.db.begin_for(tenant).await?;
        let ids = products::ids_of(&mut tx, tenant, skus).await?;
        Ok(skus.iter().filter_map(|sku| ids.get(sku)).map(|id| (tenant, *id)).collect())
    }
}

/// Refuses when the caller read another version; 0 asks for no such check.
fn unless_stale(kept: &Kept, if_version: i32) -> Result<(), Error> {
    if if_version == 0 || if_version == kept.version { Ok(()) } else { Err(Error::Stale(kept.version)) }
}
