//! The contract of the catalog service: messages, client, server, events and typed ids.

kit_rpc::contract!("catalog");

use kit_core::{Id, Kind};

pub enum ProductKind {}
impl Kind for ProductKind {
    const PREFIX: &'static str = "prd";
}
/// A product: one or more variants under one title.
pub type ProductId = Id<ProductKind>;

pub enum VariantKind {}
impl Kind for VariantKind {
    const PREFIX: &'static str = "var";
}
/// What is bought, stocked and shipped.
pub type VariantId = Id<VariantKind>;

pub enum CategoryKind {}
impl Kind for CategoryKind {
    const PREFIX: &'static str = "cat";
}
pub type CategoryId = Id<CategoryKind>;

pub enum MediaFile {}
impl Kind for MediaFile {
    const PREFIX: &'static str = "med";
}
/// A picture, document or video of a tenant.
pub type MediaId = Id<MediaFile>;

pub enum UploadKind {}
impl Kind for UploadKind {
    const PREFIX: &'static str = "upl";
}
/// An uploaded feed file.
pub type UploadId = Id<UploadKind>;

pub enum ImportKind {}
impl Kind for ImportKind {
    const PREFIX: &'static str = "imp";
}
/// One run of an import.
pub type ImportId = Id<ImportKind>;
