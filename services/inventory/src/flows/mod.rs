//! The stories: what is asked, of which cell, in which order.

pub(crate) mod listing;
pub(crate) mod moving;
pub(crate) mod proof;
pub(crate) mod reserving;
pub(crate) mod seller;
pub(crate) mod warehouses;

use std::collections::HashMap;
use std::sync::Arc;

use futures::FutureExt;
use kit_core::{Clock, Ids};
use kit_db::{Batch, Cell, Db, Limits};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::error::Error;
use crate::model::Outcome;
use moving::Asked;

type CellBatch = Batch<Asked, Outcome, Error>;

/// The service: what every flow needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inventory {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) config: Arc<Config>,
    /// Open streams end when the process drains.
    pub(crate) stop: CancellationToken,
    /// One batch for each cell, begun when the cell is first asked.
    batches: Arc<Mutex<HashMap<String, CellBatch>>>,
}

impl Inventory {
    pub(crate) fn new(db: Db, clock: Clock, ids: Ids, config: Config, stop: CancellationToken) -> Self {
        Self { db, clock, ids, config: Arc::new(config), stop, batches: Arc::default() }
    }

    /// Runs an operation together with whatever else the cell is asked at this moment, in order of arrival.
    pub(crate) async fn batched(&self, cell: &Cell, asked: Asked) -> Result<Outcome, Error> {
        let batch = {
            let mut batches = self.batches.lock().await;
            let start = || {
                // The batch outlives no one: it holds a handle without the table of batches, so that it can end.
                let worker = Self { batches: Arc::default(), ..self.clone() };
                let cell = cell.clone();
                Batch::start(Limits::new("stock", self.config.batch_max_requests), move |asked: Vec<Asked>| {
                    let (worker, cell) = (worker.clone(), cell.clone());
                    async move { worker.transact(&cell, &asked).await }.boxed()
                })
            };
            batches.entry(cell.name().to_owned()).or_insert_with(start).clone()
        };
        batch.run(asked).await
    }
}
