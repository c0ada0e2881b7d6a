//! The contract, translated: parse, call, map.

use api_catalog::VariantId;
use api_inventory as api;
use api_inventory::inventory_server::Inventory as Contract;
use api_inventory::{JournalId, WarehouseId};
use futures::StreamExt;
use futures::stream::BoxStream;
use kit_core::TenantId;
use kit_rpc::{Ctx, parse, status, timestamp, violation};
use tonic::{Request, Response, Status};

use crate::flows::Inventory;
use crate::flows::listing::{JournalFilter, JournalRow, StockFilter, StockView};
use crate::flows::reserving::Reserved;
use crate::flows::seller::{AdjustStock, ImportedCount, Named, SetStock};
use crate::flows::warehouses::{NewWarehouse, WarehouseChange, WarehouseRow};
use crate::model::{Counts, Key, Kind, Line};

#[derive(Clone)]
pub(crate) struct Rpc(pub(crate) Inventory);

type Answer<T> = Result<Response<T>, Status>;

const DEFAULT_LIMIT: u32 = 20;

#[tonic::async_trait]
impl Contract for Rpc {
    async fn list_warehouses(&self, request: Request<api::ListWarehousesRequest>) -> Answer<api::ListWarehousesResponse> {
        let tenant = Ctx::of(&request)?.require_seller("inventory.read")?;
        let rows = self.0.list_warehouses(tenant).await.map_err(status)?;
        Ok(Response::new(api::ListWarehousesResponse { warehouses: rows.iter().map(Into::into).collect() }))
    }

    async fn get_warehouse(&self, request: Request<api::GetWarehouseRequest>) -> Answer<api::Warehouse> {
        let tenant = Ctx::of(&request)?.require_seller("inventory.read")?;
        let warehouse: WarehouseId = parse("warehouse_id", &request.get_ref().warehouse_id)?;
        let row = self.0.get_warehouse(tenant, warehouse).await.map_err(status)?;
        Ok(Response::new((&row).into()))
    }

    async fn create_warehouse(&self, request: Request<api::CreateWarehouseRequest>) -> Answer<api::Warehouse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("inventory.write")?;
        let api::CreateWarehouseRequest { code, name, country, postal_code, is_default } = request.into_inner();
        let row = self.0.create_warehouse(&ctx, tenant, NewWarehouse { code, name, country, postal_code, is_default }).await.map_err(status)?;
        Ok(Response::new((&row).into()))
    }

    async fn update_warehouse(&self, request: Request<api::UpdateWarehouseRequest>) -> Answer<api::Warehouse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("inventory.write")?;
        let asked = request.into_inner();
        let warehouse: WarehouseId = parse("warehouse_id", &asked.warehouse_id)?;
        let make_default = asked.is_default.unwrap_or(false);
        let change =
            WarehouseChange { name: asked.name, country: asked.country, postal_code: asked.postal_code, make_default, if_version: asked.if_version };
        let row = self.0.update_warehouse(&ctx, tenant, warehouse, change).await.map_err(status)?;
        Ok(Response::new((&row).into()))
    }

    async fn delete_warehouse(&self, request: Request<api::DeleteWarehouseRequest>) -> Answer<api::DeleteWarehouseResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("inventory.write")?;
        let warehouse: WarehouseId = parse("warehouse_id", &request.get_ref().warehouse_id)?;
        self.0.delete_warehouse(&ctx, tenant, warehouse).await.map_err(status)?;
        Ok(Response::new(api::DeleteWarehouseResponse {}))
    }

    async fn set_stock(&self, request: Request<api::SetStockRequest>) -> Answer<api::SetStockResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_seller("inventory.write")?;
        let asked = request.into_inner();
        let named = named(&asked.variant_id, asked.sku)?;
        let warehouse = optional("warehouse_id", &asked.warehouse_id)?;
        let set = SetStock { named, warehouse, quantity: asked.quantity, incoming: asked.incoming, note: asked.note, if_revision: asked.if_revision };
        let view = self.0.set_stock(&ctx, set).await.map_err(status)?;
        Ok(Response::new(api::SetStockResponse { stock: Some(view.into()) }))
    }

    async fn adjust_stock(&self, request: Request<api::AdjustStockRequest>) -> Answer<api::AdjustStockResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_seller("inventory.write")?;
        let asked = request.into_inner();
        let kind = adjustment_kind(asked.kind)?;
        let named = named(&asked.variant_id, asked.sku)?;
        let warehouse = optional("warehouse_id", &asked.warehouse_id)?;
        let adjust = AdjustStock { named, warehouse, delta: asked.delta, kind, note: asked.note, if_revision: asked.if_revision };
        let view = self.0.adjust_stock(&ctx, adjust).await.map_err(status)?;
        Ok(Response::new(api::AdjustStockResponse { stock: Some(view.into()) }))
    }

    async fn transfer_stock(&self, request: Request<api::TransferStockRequest>) -> Answer<api::TransferStockResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_seller("inventory.write")?;
        let asked = request.into_inner();
        let named = named(&asked.variant_id, asked.sku)?;
        let from = parse("from_warehouse_id", &asked.from_warehouse_id)?;
        let to = parse("to_warehouse_id", &asked.to_warehouse_id)?;
        let view = self.0.transfer_stock(&ctx, named, from, to, asked.quantity).await.map_err(status)?;
        Ok(Response::new(api::TransferStockResponse { stock: Some(view.into()) }))
    }

    async fn set_threshold(&self, request: Request<api::SetThresholdRequest>) -> Answer<api::SetThresholdResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_seller("inventory.write")?;
        let asked = request.into_inner();
        let named = named(&asked.variant_id, asked.sku)?;
        let view = self.0.set_threshold(&ctx, named, asked.low_at).await.map_err(status)?;
        Ok(Response::new(api::SetThresholdResponse { stock: Some(view.into()) }))
    }

    async fn list_stock(&self, request: Request<api::ListStockRequest>) -> Answer<api::ListStockResponse> {
        let tenant = Ctx::of(&request)?.require_seller("inventory.read")?;
        let asked = request.into_inner();
        let limit = limit(asked.limit);
        let filter = StockFilter {
            after: optional("cursor", &asked.cursor)?,
            variant: optional("variant_id", &asked.variant_id)?,
            sku: Some(asked.sku).filter(|sku| !sku.is_empty()),
            low_only: asked.low_only,
            limit: i64::from(limit),
        };
        let views = self.0.list_stock(tenant, filter).await.map_err(status)?;
        let next_cursor = next(limit, views.len(), views.last().map(|view| view.key.1.to_string()));
        Ok(Response::new(api::ListStockResponse { stocks: views.into_iter().map(Into::into).collect(), next_cursor }))
    }

    type WatchStockStream = BoxStream<'static, Result<api::WatchStockResponse, Status>>;

    async fn watch_stock(&self, request: Request<api::WatchStockRequest>) -> Answer<Self::WatchStockStream> {
        let tenant = Ctx::of(&request)?.require_seller("inventory.read")?;
        let variant = parse("variant_id", &request.get_ref().variant_id)?;
        let views = self.0.watch_stock(tenant, variant).await.map_err(status)?;
        let answers = views.map(|view| view.map(|view| api::WatchStockResponse { stock: Some(view.into()) }).map_err(status));
        Ok(Response::new(answers.boxed()))
    }

    async fn list_journal(&self, request: Request<api::ListJournalRequest>) -> Answer<api::ListJournalResponse> {
        let tenant = Ctx::of(&request)?.require_seller("inventory.read")?;
        let asked = request.into_inner();
        let limit = limit(asked.limit);
        let filter = JournalFilter {
            before: optional("cursor", &asked.cursor)?,
            variant: optional("variant_id", &asked.variant_id)?,
            sku: Some(asked.sku).filter(|sku| !sku.is_empty()),
            limit: i64::from(limit),
        };
        let rows = self.0.list_journal(tenant, filter).await.map_err(status)?;
        let next_cursor = next(limit, rows.len(), rows.last().map(|row| JournalId::from(row.journal_id).to_string()));
        Ok(Response::new(api::ListJournalResponse { entries: rows.into_iter().map(Into::into).collect(), next_cursor }))
    }

    async fn prove_stock(&self, request: Request<api::ProveStockRequest>) -> Answer<api::ProveStockResponse> {
        Ctx::of(&request)?.require_operator("health.read")?;
        let tenant = optional("tenant_id", &request.get_ref().tenant_id)?;
        let proof = self.0.prove_stock(tenant).await.map_err(status)?;
        let mismatch = |found: crate::flows::proof::Mismatch| api::StockMismatch {
            tenant_id: TenantId::from(found.tenant_id).to_string(),
            variant_id: VariantId::from(found.variant_id).to_string(),
            warehouse_id: WarehouseId::from(found.warehouse_id).to_string(),
            finding: found.finding,
        };
        let mismatches = proof.mismatches.into_iter().map(mismatch).collect();
        Ok(Response::new(api::ProveStockResponse { rows: proof.rows, entries: proof.entries, mismatches }))
    }

    async fn get_stock(&self, request: Request<api::GetStockRequest>) -> Answer<api::GetStockResponse> {
        Ctx::of(&request)?.require_service()?;
        let keys = keys("variants", &request.get_ref().variants)?;
        let views = self.0.get_stock(keys).await.map_err(status)?;
        Ok(Response::new(api::GetStockResponse { stocks: views.into_iter().map(Into::into).collect() }))
    }

    async fn set_stocks(&self, request: Request<api::SetStocksRequest>) -> Answer<api::SetStocksResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.into_inner();
        let tenant = parse("tenant_id", &asked.tenant_id)?;
        let lines = asked.lines.iter().enumerate().map(|(place, line)| imported(place, line)).collect::<Result<_, _>>()?;
        let changed = self.0.set_stocks(&ctx, tenant, lines, asked.reference).await.map_err(status)?;
        Ok(Response::new(api::SetStocksResponse { changed: u32::try_from(changed).unwrap_or(u32::MAX) }))
    }

    async fn reserve(&self, request: Request<api::ReserveRequest>) -> Answer<api::ReserveResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.into_inner();
        let reservation = parse("reservation_id", &asked.reservation_id)?;
        let reserved = self.0.reserve(&ctx, reservation, lines(&asked.lines)?, asked.hold_seconds).await.map_err(status)?;
        Ok(Response::new(match reserved {
            Reserved::Until(time) => api::ReserveResponse { reserved: true, expires_at: Some(timestamp(time)), shortages: Vec::new() },
            Reserved::Short(short) => api::ReserveResponse {
                reserved: false,
                expires_at: None,
                shortages: short
                    .into_iter()
                    .map(|line| api::Shortage {
                        tenant_id: line.key.0.to_string(),
                        variant_id: line.key.1.to_string(),
                        wanted: line.wanted,
                        available: line.available,
                    })
                    .collect(),
            },
        }))
    }

    async fn confirm_reservation(&self, request: Request<api::ConfirmReservationRequest>) -> Answer<api::ConfirmReservationResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.get_ref();
        let reservation = parse("reservation_id", &asked.reservation_id)?;
        self.0.confirm(&ctx, reservation, tenants(&asked.tenant_ids)?).await.map_err(status)?;
        Ok(Response::new(api::ConfirmReservationResponse {}))
    }

    async fn release_reservation(&self, request: Request<api::ReleaseReservationRequest>) -> Answer<api::ReleaseReservationResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.get_ref();
        let reservation = parse("reservation_id", &asked.reservation_id)?;
        let released = self.0.release(&ctx, reservation, tenants(&asked.tenant_ids)?, keys("lines", &asked.lines)?).await.map_err(status)?;
        Ok(Response::new(api::ReleaseReservationResponse { released }))
    }

    async fn restock(&self, request: Request<api::RestockRequest>) -> Answer<api::RestockResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let asked = request.into_inner();
        let reservation = parse("reservation_id", &asked.reservation_id)?;
        self.0.restock(&ctx, asked.restock_id, reservation, lines(&asked.lines)?, asked.damaged).await.map_err(status)?;
        Ok(Response::new(api::RestockResponse {}))
    }
}

fn limit(asked: u32) -> u32 {
    if asked == 0 { DEFAULT_LIMIT } else { asked }
}

/// The cursor of the next page: the last key of a full one.
fn next(limit: u32, found: usize, last: Option<String>) -> String {
    last.filter(|_| usize::try_from(limit).is_ok_and(|limit| found >= limit)).unwrap_or_default()
}

/// An id that may be left out.
fn optional<T: std::str::FromStr>(field: &str, text: &str) -> Result<Option<T>, Status>
where
    T::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { parse(field, text).map(Some) }
}

fn named(variant: &str, sku: String) -> Result<Named, Status> {
    Ok(Named { variant: optional("variant_id", variant)?, sku: Some(sku).filter(|sku| !sku.is_empty()) })
}

fn tenants(texts: &[String]) -> Result<Vec<TenantId>, Status> {
    let mut tenants: Vec<TenantId> =
        texts.iter().enumerate().map(|(place, text)| parse(&format!("tenant_ids[{place}]"), text)).collect::<Result<_, _>>()?;
    tenants.sort_unstable();
    tenants.dedup();
    Ok(tenants)
}

fn keys(field: &str, named: &[api::VariantKey]) -> Result<Vec<Key>, Status> {
    let key = |(place, key): (usize, &api::VariantKey)| -> Result<Key, Status> {
        Ok((parse(&format!("{field}[{place}].tenant_id"), &key.tenant_id)?, parse(&format!("{field}[{place}].variant_id"), &key.variant_id)?))
    };
    named.iter().enumerate().map(key).collect()
}

fn lines(asked: &[api::ReserveLine]) -> Result<Vec<Line>, Status> {
    let line = |(place, line): (usize, &api::ReserveLine)| -> Result<Line, Status> {
        let key = (parse(&format!("lines[{place}].tenant_id"), &line.tenant_id)?, parse(&format!("lines[{place}].variant_id"), &line.variant_id)?);
        let quantity = Some(line.quantity)
            .filter(|quantity| *quantity > 0)
            .ok_or_else(|| violation(&format!("lines[{place}].quantity"), "must be at least 1"))?;
        Ok(Line { key, quantity })
    };
    asked.iter().enumerate().map(line).collect()
}

fn imported(place: usize, line: &api::SetStocksLine) -> Result<ImportedCount, Status> {
    let variant = parse(&format!("lines[{place}].variant_id"), &line.variant_id)?;
    let warehouse = optional(&format!("lines[{place}].warehouse_id"), &line.warehouse_id)?;
    let quantity =
        Some(line.quantity).filter(|quantity| *quantity >= 0).ok_or_else(|| violation(&format!("lines[{place}].quantity"), "must be at least 0"))?;
    Ok(ImportedCount { variant, warehouse, quantity })
}

fn adjustment_kind(kind: i32) -> Result<Kind, Status> {
    match api::MovementKind::try_from(kind) {
        Ok(api::MovementKind::Receipt) => Ok(Kind::Receipt),
        Ok(api::MovementKind::Return) => Ok(Kind::Return),
        Ok(api::MovementKind::Adjustment) => Ok(Kind::Adjustment),
        Ok(api::MovementKind::Damage) => Ok(Kind::Damage),
        _ => Err(violation("kind", "must be receipt, return, adjustment or damage")),
    }
}

fn movement_kind(word: &str) -> api::MovementKind {
    match Kind::ALL.into_iter().find(|kind| kind.word() == word) {
        Some(Kind::Receipt) => api::MovementKind::Receipt,
        Some(Kind::Reservation) => api::MovementKind::Reservation,
        Some(Kind::Sale) => api::MovementKind::Sale,
        Some(Kind::Release) => api::MovementKind::Release,
        Some(Kind::Expiry) => api::MovementKind::Expiry,
        Some(Kind::Return) => api::MovementKind::Return,
        Some(Kind::Adjustment) => api::MovementKind::Adjustment,
        Some(Kind::Transfer) => api::MovementKind::Transfer,
        Some(Kind::Damage) => api::MovementKind::Damage,
        Some(Kind::Incoming) => api::MovementKind::Incoming,
        None => api::MovementKind::Unspecified,
    }
}

impl From<StockView> for api::Stock {
    fn from(view: StockView) -> Self {
        let warehouse = |(warehouse, counts): (WarehouseId, Counts)| api::WarehouseStock {
            warehouse_id: warehouse.to_string(),
            available: counts.available,
            reserved: counts.reserved,
            incoming: counts.incoming,
        };
        Self {
            tenant_id: view.key.0.to_string(),
            variant_id: view.key.1.to_string(),
            available: view.totals.available,
            reserved: view.totals.reserved,
            incoming: view.totals.incoming,
            low_at: view.low_at,
            revision: view.revision,
            warehouses: view.warehouses.into_iter().map(warehouse).collect(),
            sku: view.sku,
            title: view.title,
        }
    }
}

impl From<&WarehouseRow> for api::Warehouse {
    fn from(row: &WarehouseRow) -> Self {
        Self {
            warehouse_id: WarehouseId::from(row.warehouse_id).to_string(),
            code: row.code.clone(),
            name: row.name.clone(),
            country: row.country.clone(),
            postal_code: row.postal_code.clone(),
            is_default: row.is_default,
            version: u32::try_from(row.version).unwrap_or_default(),
            created_at: Some(timestamp(row.created_at)),
        }
    }
}

impl From<JournalRow> for api::JournalEntry {
    fn from(row: JournalRow) -> Self {
        Self {
            journal_id: JournalId::from(row.journal_id).to_string(),
            variant_id: VariantId::from(row.variant_id).to_string(),
            warehouse_id: WarehouseId::from(row.warehouse_id).to_string(),
            step: row.step,
            kind: movement_kind(&row.kind).into(),
            available_before: row.available_before,
            available_after: row.available_after,
            reserved_before: row.reserved_before,
            reserved_after: row.reserved_after,
            incoming_before: row.incoming_before,
            incoming_after: row.incoming_after,
            reference: row.reference,
            note: row.note,
            actor: row.actor,
            at: Some(timestamp(row.at)),
            sku: row.sku,
        }
    }
}
