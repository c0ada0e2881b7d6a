//! What a seller, or an import on a seller's behalf, does to stock.

use std::time::Duration;

use api_catalog::VariantId;
use api_inventory::WarehouseId;
use kit_core::TenantId;
use kit_db::Scope;
use kit_rpc::Ctx;

use super::Inventory;
use super::moving::Asked;
use crate::error::Error;
use crate::flows::listing::StockView;
use crate::labels;
use crate::model::{Count, Kind, Operation, Outcome};

/// A variant as a seller names it: by id or by SKU.
pub(crate) struct Named {
    pub(crate) variant: Option<VariantId>,
    pub(crate) sku: Option<String>,
}

/// The catalog's word about a new variant is a moment behind; a seller who is that fast is waited for.
const LABEL_TRIES: u32 = 40;
const LABEL_WAIT: Duration = Duration::from_millis(50);

pub(crate) struct SetStock {
    pub(crate) named: Named,
    pub(crate) warehouse: Option<WarehouseId>,
    pub(crate) quantity: i64,
    pub(crate) incoming: Option<i64>,
    pub(crate) note: String,
    pub(crate) if_revision: Option<i64>,
}

pub(crate) struct AdjustStock {
    pub(crate) named: Named,
    pub(crate) warehouse: Option<WarehouseId>,
    pub(crate) delta: i64,
    pub(crate) kind: Kind,
    pub(crate) note: String,
    pub(crate) if_revision: Option<i64>,
}

/// One line of an import; no warehouse: the default one.
pub(crate) struct ImportedCount {
    pub(crate) variant: VariantId,
    pub(crate) warehouse: Option<WarehouseId>,
    pub(crate) quantity: i64,
}

impl Inventory {
    pub(crate) async fn set_stock(&self, ctx: &Ctx, set: SetStock) -> Result<StockView, Error> {
        let tenant = seller(ctx)?;
        let variant = self.find_variant(tenant, &set.named).await?;
        let warehouse = self.warehouse_or_default(tenant, set.warehouse).await?;
        let count = Count { key: (tenant, variant), warehouse, quantity: set.quantity, incoming: set.incoming };
        let operation = Operation::Set { counts: vec![count], exact: true, if_revision: set.if_revision };
        self.move_stock(ctx, tenant, operation, set.note).await?;
        self.stock_of(tenant, variant).await
    }

    pub(crate) async fn adjust_stock(&self, ctx: &Ctx, adjust: AdjustStock) -> Result<StockView, Error> {
        let tenant = seller(ctx)?;
        let variant = self.find_variant(tenant, &adjust.named).await?;
        let warehouse = self.warehouse_or_default(tenant, adjust.warehouse).await?;
        let AdjustStock { delta, kind, if_revision, .. } = adjust;
        let operation = Operation::Adjust { key: (tenant, variant), warehouse, delta, kind, if_revision };
        self.move_stock(ctx, tenant, operation, adjust.note).await?;
        self.stock_of(tenant, variant).await
    }

    pub(crate) async fn transfer_stock(
        &self,
        ctx: &Ctx,
        named: Named,
        from: WarehouseId,
        to: WarehouseId,
        quantity: i64,
    ) -> Result<StockView, Error> {
        let tenant = seller(ctx)?;
        if from == to {
            return Err(Error::Invalid { field: "to_warehouse_id", message: "must be another warehouse" });
        }
        let variant = self.find_variant(tenant, &named).await?;
        let from = self.warehouse_or_default(tenant, Some(from)).await?;
        let to = self.warehouse_or_default(tenant, Some(to)).await?;
        let operation = Operation::Transfer { key: (tenant, variant), from, to, quantity };
        self.move_stock(ctx, tenant, operation, String::new()).await?;
        self.stock_of(tenant, variant).await
    }

    pub(crate) async fn set_threshold(&self, ctx: &Ctx, named: Named, low_at: i64) -> Result<StockView, Error> {
        let tenant = seller(ctx)?;
        let variant = self.find_variant(tenant, &named).await?;
        let mut tx = self.db.begin_for(tenant).await?;
        if !labels::set_low_at(&mut tx, (tenant, variant), low_at).await? {
            return Err(Error::VariantNotFound);
        }
        tx.commit().await?;
        self.stock_of(tenant, variant).await
    }

    /// Sets the stock of many variants of one tenant; how many lines changed something. The last line of a variant counts.
    pub(crate) async fn set_stocks(&self, ctx: &Ctx, tenant: TenantId, lines: Vec<ImportedCount>, reference: String) -> Result<usize, Error> {
        let named: Vec<WarehouseId> = lines.iter().filter_map(|line| line.warehouse).collect();
        self.expect_warehouses(tenant, &named).await?;
        let default = self.default_warehouse(tenant).await?;
        let count = |line: ImportedCount| Count {
            key: (tenant, line.variant),
            warehouse: line.warehouse.unwrap_or(default),
            quantity: line.quantity,
            incoming: None,
        };
        let mut counts: Vec<Count> = lines.into_iter().map(count).collect();
        counts.reverse();
        counts.sort_by_key(|count| (count.key, count.warehouse));
        counts.dedup_by_key(|count| (count.key, count.warehouse));
        let operation = Operation::Set { counts, exact: false, if_revision: None };
        let cell = self.db.cell_of(tenant).await?;
        match self.transact(&cell, &[Asked::new(ctx, operation, reference, String::new())]).await?.pop() {
            Some(Ok(Outcome::Set { changed })) => Ok(changed),
            Some(Err(error)) => Err(error),
            other => Err(Error::Unreadable(format!("setting stocks answered {other:?}"))),
        }
    }

    async fn move_stock(&self, ctx: &Ctx, tenant: TenantId, operation: Operation, note: String) -> Result<(), Error> {
        let cell = self.db.cell_of(tenant).await?;
        let results = self.transact(&cell, &[Asked::new(ctx, operation, String::new(), note)]).await?;
        results.into_iter().try_for_each(|result| result.map(|_| ()))
    }

    async fn find_variant(&self, tenant: TenantId, named: &Named) -> Result<VariantId, Error> {
        if named.variant.is_none() && named.sku.is_none() {
            return Err(Error::Invalid { field: "variant_id", message: "name the variant by variant_id or by sku" });
        }
        for _ in 0..LABEL_TRIES {
            let mut tx = self.db.cell_of(tenant).await?.begin(&Scope::Tenant(tenant)).await?;
            if let Some(variant) = labels::find(&mut tx, tenant, named.variant, named.sku.as_deref()).await? {
                return Ok(variant);
            }
            drop(tx);
            tokio::time::sleep(LABEL_WAIT).await;
        }
        Err(Error::VariantNotFound)
    }
}

/// The tenant acted for; that the caller may do so was checked where the operation begins.
fn seller(ctx: &Ctx) -> Result<TenantId, Error> {
    ctx.tenant.ok_or(Error::Invalid { field: "X-Tenant-Id", message: "choose the tenant to act for" })
}
