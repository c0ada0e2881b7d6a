//! What the catalog does, story by story.

pub(crate) mod categories;
pub(crate) mod export;
pub(crate) mod importing;
pub(crate) mod imports;
pub(crate) mod media;
pub(crate) mod products;
pub(crate) mod snapshots;
pub(crate) mod uploads;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api_catalog::{CatalogEvent, VariantId, catalog_event};
use api_inventory::inventory_client::InventoryClient;
use api_tenants::tenants_client::TenantsClient;
use kit_core::{Clock, Ids, TenantId, Time};
use kit_db::{Db, Event, Upkeep, log};
use kit_module::Start;
use kit_rpc::{Ctx, Link};
use moka::sync::Cache;
use object_store::ObjectStore;
use prost::Message;
use sqlx::PgConnection;
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::snapshots::VariantReads;
use crate::config::Config;
use crate::error::Error;
use crate::model::category::Tree;
use crate::model::diff::{self, Change};
use crate::model::product::{Content, Status};
use crate::store::products::{Kept, Save, approval_required, save_all};
use crate::store::taxonomy;
use crate::wire;

/// The service: what it reaches and what it remembers in memory.
pub(crate) struct Catalog {
    pub db: Db,
    pub clock: Clock,
    pub ids: Ids,
    pub objects: Arc<dyn ObjectStore>,
    pub config: Config,
    pub upkeep: Upkeep,
    pub inventory: InventoryClient<Link>,
    pub tenants: TenantsClient<Link>,
    pub stop: tokio_util::sync::CancellationToken,
    tree: Mutex<HeldTree>,
    pub variants: Cache<(TenantId, VariantId), Arc<api_catalog::VariantSnapshot>>,
    /// One batch of reads for each cell, begun when the cell is first asked.
    variant_reads: Mutex<HashMap<String, VariantReads>>,
    pub renditions: Arc<Semaphore>,
}

/// The category tree as last read.
#[derive(Default)]
struct HeldTree {
    tree: Arc<Tree>,
    version: Option<i64>,
    checked: Option<Instant>,
}

/// How long the tree is believed without asking whether it changed.
const TREE_CHECK: Duration = Duration::from_secs(1);

/// What the tenant's plan and store say.
pub(crate) struct Terms {
    pub quota: Option<u32>,
    pub currency: String,
}

impl Catalog {
    pub(crate) fn new(start: &Start, config: Config) -> anyhow::Result<Self> {
        let variants =
            Cache::builder().max_capacity(config.variant_cache_entries).time_to_live(Duration::from_secs(config.variant_cache_seconds)).build();
        Ok(Self {
            db: start.db.clone(),
            clock: start.clock.clone(),
            ids: start.ids.clone(),
            objects: start.objects.clone(),
            upkeep: start.upkeep(),
            inventory: InventoryClient::new(start.links.to("inventory")?),
            tenants: TenantsClient::new(start.links.to("tenants")?),
            stop: start.stop.clone(),
            tree: Mutex::default(),
            variants,
            variant_reads: Mutex::default(),
            renditions: Arc::new(Semaphore::new(config.renditions_at_once.max(1))),
            config,
        })
    }

    /// The category tree, at most a second old.
    pub(crate) async fn tree(&self) -> Result<Arc<Tree>, Error> {
        let (held, version, fresh) = {
            let held = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
            (held.tree.clone(), held.version, held.checked.is_some_and(|checked| checked.elapsed() < TREE_CHECK))
        };
        if fresh {
            return Ok(held);
        }
        let mut db = self.db.pool().acquire().await?;
        let now = taxonomy::version(&mut db).await?;
        let tree = if version == Some(now) { held } else { Arc::new(taxonomy::load(&mut db).await?) };
        let mut held = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        *held = HeldTree { tree: tree.clone(), version: Some(now), checked: Some(Instant::now()) };
        Ok(tree)
    }

    /// Makes the next reader ask for the tree's version.
    pub(crate) fn doubt_tree(&self) {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner).checked = None;
    }

    /// The tenant's plan and store.
    pub(crate) async fn terms(&self, ctx: &Ctx, tenant: TenantId) -> Result<Terms, Error> {
        let request = api_tenants::GetTermsRequest { tenant_ids: vec![tenant.to_string()] };
        let answer = self.tenants.clone().get_terms(ctx.as_service("catalog").request(request)).await;
        let terms = answer.map_err(|status| Error::Call("tenants", status.message().to_owned()))?.into_inner().terms.into_iter().next();
        // A plan without a limit says zero.
        let quota = terms.as_ref().and_then(|terms| terms.quotas.as_ref()).map(|quotas| quotas.products).filter(|products| *products > 0);
        Ok(Terms { quota, currency: terms.map(|terms| terms.currency).unwrap_or_default() })
    }

    pub(crate) async fn approval_required(&self, db: &mut PgConnection, tenant: TenantId) -> Result<bool, Error> {
        Ok(approval_required(db, tenant).await?.unwrap_or(self.config.approval_required))
    }

    /// Saves a change of one product with its version and its event.
    pub(crate) async fn save(
        &self,
        db: &mut PgConnection,
        ctx: &Ctx,
        kept: &Kept,
        before: Option<(Status, &Content)>,
        action: &'static str,
    ) -> Result<(), Error> {
        let actor = ctx.actor_text();
        let saved = save_all(db, &[Save { kept, actor: &actor, action, import: None }]).await;
        saved.map_err(|error| sku_taken(error, &kept.product.content))?;
        let changes = diff::changes(before, (kept.product.status, &kept.product.content));
        let tree = self.tree().await?;
        let event = self.changed_event(kept, &tree, Some(&changes));
        Ok(log::append(db, ctx, kept.updated_at, event).await?)
    }

    pub(crate) fn changed_event(&self, kept: &Kept, tree: &Tree, changes: Option<&[Change]>) -> Event {
        let body = api_catalog::ProductChanged { product: Some(wire::snapshot(kept, tree)) };
        event(kept.id.uuid(), Some(kept.tenant), "product_changed", catalog_event::Body::ProductChanged(body), changes.map(diff::as_json))
    }

    /// Forgets what memory holds of a product's variants, before and after a change. Called when the change is committed.
    pub(crate) fn forget(&self, tenant: TenantId, contents: &[&Content]) {
        for variant in contents.iter().flat_map(|content| &content.variants) {
            self.variants.invalidate(&(tenant, variant.id));
        }
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }
}

pub(crate) fn event(key: Uuid, tenant: Option<TenantId>, kind: &'static str, body: catalog_event::Body, change: Option<serde_json::Value>) -> Event {
    Event { key, tenant, kind, payload: CatalogEvent { body: Some(body) }.encode_to_vec(), change }
}

/// Two writers took one SKU at the same moment: the constraint decided.
fn sku_taken(error: Error, content: &Content) -> Error {
    match &error {
        Error::Db(db) if db.constraint_name() == Some("variant_sku") => {
            Error::SkuTaken(content.variants.iter().map(|variant| variant.sku.as_str()).collect::<Vec<_>>().join(", "))
        }
        _ => error,
    }
}

/// Page cursors: the id after which the next page begins.
pub(crate) mod cursor {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

    use crate::error::Error;

    pub(crate) fn write(key: impl ToString) -> String {
        BASE64.encode(key.to_string())
    }

    /// `None` for the first page.
    pub(crate) fn read<T: std::str::FromStr>(cursor: &str) -> Result<Option<T>, Error> {
        if cursor.is_empty() {
            return Ok(None);
        }
        let text = BASE64.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let key = text.and_then(|text| text.parse().ok());
        key.map(Some).ok_or_else(|| Error::field("cursor", "is not a cursor of this list"))
    }
}
