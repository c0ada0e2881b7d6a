//! What other services need to know of variants and products.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use api_catalog::{ProductSnapshot, VariantId, VariantSnapshot};
use kit_core::TenantId;
use kit_db::{Batch, Cell, DbError, Limits, Scope};

use super::{Catalog, cursor};
use crate::error::Error;
use crate::store::products::{self, Kept};
use crate::wire;

type Named = (TenantId, VariantId);

/// What is asked of one cell.
struct Asked {
    cell: Cell,
    variants: Vec<Named>,
}

/// The products of variants, asked of one cell by everybody who asks at this moment.
pub(crate) type VariantReads = Batch<Vec<Named>, Vec<Arc<Kept>>, DbError>;

/// The most requests answered by one query.
const MOST_READS: usize = 128;

async fn read_all(cell: Cell, asked: Vec<Vec<Named>>) -> Result<Vec<Result<Vec<Arc<Kept>>, DbError>>, DbError> {
    let mut tenants: Vec<TenantId> = asked.iter().flatten().map(|(tenant, _)| *tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    let ids: Vec<_> = asked.iter().flatten().map(|(_, variant)| variant.uuid()).collect();
    let mut tx = cell.begin(&Scope::Tenants(tenants)).await?;
    let kept = products::with_variants(&mut tx, &ids).await.map_err(|error| match error {
        Error::Db(error) => error,
        other => DbError::Unreadable(other.to_string()),
    })?;
    tx.commit().await?;
    let mut by_variant: HashMap<Named, Arc<Kept>> = HashMap::new();
    for kept in kept.into_iter().map(Arc::new) {
        by_variant.extend(kept.product.content.variants.iter().map(|variant| ((kept.tenant, variant.id), kept.clone())));
    }
    let answer = |wanted: &Vec<Named>| {
        let mut found: Vec<Arc<Kept>> = wanted.iter().filter_map(|named| by_variant.get(named).cloned()).collect();
        found.dedup_by_key(|kept| kept.id);
        Ok(found)
    };
    Ok(asked.iter().map(answer).collect())
}

impl Catalog {
    async fn read_variants(&self, cell: Cell, wanted: Vec<Named>) -> Result<Vec<Arc<Kept>>, Error> {
        let reads = {
            let mut reads = self.variant_reads.lock().unwrap_or_else(PoisonError::into_inner);
            let start = || {
                let cell = cell.clone();
                Batch::start(Limits::new("variant_reads", MOST_READS), move |asked| Box::pin(read_all(cell.clone(), asked)))
            };
            reads.entry(cell.name().to_owned()).or_insert_with(start).clone()
        };
        Ok(reads.run(wanted).await?)
    }

    /// Variants in the order asked, those that exist; one query for each cell. From memory where that is allowed and fresh.
    pub(crate) async fn get_variants(&self, wanted: &[Named], fresh: bool) -> Result<Vec<Arc<VariantSnapshot>>, Error> {
        let mut found: HashMap<Named, Arc<VariantSnapshot>> = HashMap::new();
        let mut cells: BTreeMap<String, Asked> = BTreeMap::new();
        for named in wanted {
            match self.variants.get(named).filter(|_| !fresh) {
                Some(known) => _ = found.insert(*named, known),
                None => {
                    let cell = self.db.cell_of(named.0).await?;
                    let asked = cells.entry(cell.name().to_owned()).or_insert_with(|| Asked { cell, variants: Vec::new() });
                    asked.variants.push(*named);
                }
            }
        }
        let tree = self.tree().await?;
        for asked in cells.into_values() {
            let kept = self.read_variants(asked.cell, asked.variants.clone()).await?;
            for snapshot in kept.iter().flat_map(|kept| wire::variant_snapshots(kept, &tree)) {
                let snapshot = Arc::new(snapshot);
                if let Some(named) = asked
                    .variants
                    .iter()
                    .find(|(tenant, variant)| snapshot.variant_id == variant.to_string() && snapshot.tenant_id == tenant.to_string())
                {
                    self.variants.insert(*named, snapshot.clone());
                    found.insert(*named, snapshot);
                }
            }
        }
        Ok(wanted.iter().filter_map(|named| found.get(named).cloned()).collect())
    }

    /// All products, cell after cell, in the order of their ids. The cursor is "cell/last id".
    pub(crate) async fn list_snapshots(&self, tenant: Option<TenantId>, limit: i64, after: &str) -> Result<(Vec<ProductSnapshot>, String), Error> {
        let cells = match tenant {
            Some(tenant) => vec![self.db.cell_of(tenant).await?],
            None => self.db.cells().await?,
        };
        let place: Option<String> = cursor::read(after)?;
        let (mut cell_name, mut last) = place.as_deref().and_then(|place| place.split_once('/')).unwrap_or(("", ""));
        if cell_name.is_empty() {
            cell_name = cells.first().map_or("", |cell| cell.name());
        }
        let tree = self.tree().await?;
        let from = cells.iter().position(|cell| cell.name() == cell_name).ok_or_else(|| Error::field("cursor", "is not a cursor of this list"))?;
        let mut snapshots = Vec::new();
        for cell in cells.iter().skip(from) {
            let room = limit - i64::try_from(snapshots.len()).unwrap_or(limit);
            let scope = tenant.map_or(Scope::Platform, Scope::Tenant);
            let kept = products::walk(&mut *cell.begin(&scope).await?, tenant, last.parse().ok(), room).await?;
            snapshots.extend(kept.iter().map(|kept| wire::snapshot(kept, &tree)));
            if let Some(end) = kept.last().filter(|_| i64::try_from(kept.len()).unwrap_or(0) == room) {
                return Ok((snapshots, cursor::write(format!("{}/{}", cell.name(), end.id))));
            }
            last = "";
        }
        Ok((snapshots, String::new()))
    }
}
