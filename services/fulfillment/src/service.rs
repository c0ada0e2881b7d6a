//! The service: what its flows share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use kit_core::{Clock, Ids, TenantId};
use kit_db::Db;
use kit_module::Start;

use crate::config::Config;
use crate::store::MethodRow;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fulfillment {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) config: Arc<Config>,
    /// The methods of tenants that were asked for lately.
    pub(crate) methods: Arc<Mutex<HashMap<TenantId, Remembered>>>,
}

/// A tenant's methods and when they were read.
pub(crate) type Remembered = (Instant, Arc<Vec<MethodRow>>);

impl Fulfillment {
    pub(crate) fn new(start: &Start) -> anyhow::Result<Self> {
        Ok(Self {
            db: start.db.clone(),
            clock: start.clock.clone(),
            ids: start.ids.clone(),
            config: Arc::new(start.config()?),
            methods: Arc::default(),
        })
    }

    /// Forgets what was remembered of a tenant, because it has changed.
    pub(crate) fn forget_methods(&self, tenant: TenantId) {
        self.methods.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&tenant);
    }
}
