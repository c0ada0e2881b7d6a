//! The service's section of the configuration; every limit has a name here.

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Whether tenants that the operator has not decided on need approval for their products.
    pub approval_required: bool,
    /// Rows of a feed that are saved in one transaction.
    pub import_chunk_rows: usize,
    /// How often waiting imports are looked for; starting one looks at once.
    pub import_every_seconds: u64,
    /// How long one import runs before the next one in the queue gets its turn.
    pub import_turn_seconds: u64,
    /// The largest feed, in bytes.
    pub upload_bytes: usize,
    /// The most rows of a feed.
    pub upload_rows: u32,
    /// The largest picture, in bytes and in pixels.
    pub image_bytes: usize,
    pub image_pixels: u64,
    /// The largest document or video, in bytes.
    pub file_bytes: usize,
    /// Renditions that are made at one time.
    pub renditions_at_once: usize,
    /// How long a variant may be answered from memory.
    pub variant_cache_seconds: u64,
    pub variant_cache_entries: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            approval_required: false,
            import_chunk_rows: 1_000,
            import_every_seconds: 10,
            import_turn_seconds: 10,
            upload_bytes: 128 << 20,
            upload_rows: 1_000_000,
            image_bytes: 20 << 20,
            image_pixels: 50_000_000,
            file_bytes: 32 << 20,
            renditions_at_once: 2,
            variant_cache_seconds: 2,
            variant_cache_entries: 100_000,
        }
    }
}
