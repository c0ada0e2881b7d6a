//! The columns of segments, kept open while they are read.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use tantivy::SegmentReader;
use tantivy::columnar::Column;
use tantivy::fastfield::FastFieldReaders;
use tantivy::index::SegmentId;

use crate::index::column;

/// The columns of a segment, opened.
pub(crate) struct Columns {
    pub(crate) brand: Column<u64>,
    pub(crate) categories: Column<u64>,
    pub(crate) seller: Column<u64>,
    pub(crate) variants: Column<u64>,
    pub(crate) currency: Column<u64>,
    pub(crate) values: Column<u64>,
    pub(crate) options: Column<u64>,
    pub(crate) listed: Column<u64>,
    pub(crate) sold: Column<u64>,
    pub(crate) id_high: Column<u64>,
    pub(crate) id_low: Column<u64>,
}

/// How long columns stay open that nobody reads: those of segments that are gone.
const IDLE: Duration = Duration::from_secs(30);

/// Columns of segments that were read lately. Opening them takes longer than a small search.
#[derive(Clone)]
pub(crate) struct Opened(Cache<SegmentId, Arc<Columns>>);

impl Default for Opened {
    fn default() -> Self {
        Self(Cache::builder().time_to_idle(IDLE).build())
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "columns of {} segments", self.0.entry_count())
    }
}

impl Opened {
    pub(crate) fn of(&self, segment: &SegmentReader) -> tantivy::Result<Arc<Columns>> {
        let id = segment.segment_id();
        if let Some(columns) = self.0.get(&id) {
            return Ok(columns);
        }
        let columns = Arc::new(Columns::open(segment.fast_fields())?);
        self.0.insert(id, Arc::clone(&columns));
        Ok(columns)
    }
}

impl Columns {
    fn open(columns: &FastFieldReaders) -> tantivy::Result<Self> {
        Ok(Self {
            brand: columns.u64(column::BRAND)?,
            categories: columns.u64(column::CATEGORIES)?,
            seller: columns.u64(column::SELLER)?,
            variants: columns.u64(column::VARIANTS)?,
            currency: columns.u64(column::CURRENCY)?,
            values: columns.u64(column::VALUES)?,
            options: columns.u64(column::OPTIONS)?,
            listed: columns.u64(column::LISTED)?,
            sold: columns.u64(column::SOLD)?,
            id_high: columns.u64(column::ID_HIGH)?,
            id_low: columns.u64(column::ID_LOW)?,
        })
    }
}
