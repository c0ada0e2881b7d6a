//! What the catalog knows, as its contract writes it.

use std::collections::{BTreeMap, HashMap};

use api_catalog as api;
use kit_core::{Money, TenantId};
use kit_rpc::timestamp;

use crate::feed::mapping::Mapping;
use crate::feed::plan::RowError;
use crate::flows::imports::{ImportView, Preview};
use crate::flows::uploads::UploadView;
use crate::model::category::{AttributeType, Effective, Has, Node, Tree};
use crate::model::diff::Change;
use crate::model::product::{Content, Dimensions, MediaFile, Status, Variant, slug};
use crate::store::imports::{Import, Preset, StoredError};
use crate::store::products::{Kept, Version};

fn small(number: i32) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

impl From<Status> for api::ProductStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Draft => Self::Draft,
            Status::InReview => Self::InReview,
            Status::Active => Self::Active,
            Status::Inactive => Self::Inactive,
            Status::Archived => Self::Archived,
        }
    }
}

/// `None` for unspecified.
pub(crate) fn status_of(status: api::ProductStatus) -> Option<Status> {
    Status::ALL.into_iter().find(|known| api::ProductStatus::from(*known) == status)
}

fn attribute_type(kind: AttributeType) -> api::AttributeType {
    match kind {
        AttributeType::Text => api::AttributeType::Text,
        AttributeType::Number => api::AttributeType::Number,
        AttributeType::Boolean => api::AttributeType::Boolean,
        AttributeType::Choice => api::AttributeType::Choice,
        AttributeType::Choices => api::AttributeType::Choices,
        AttributeType::Date => api::AttributeType::Date,
    }
}

pub(crate) fn attribute_kind(kind: api::AttributeType) -> AttributeType {
    match kind {
        api::AttributeType::Unspecified | api::AttributeType::Text => AttributeType::Text,
        api::AttributeType::Number => AttributeType::Number,
        api::AttributeType::Boolean => AttributeType::Boolean,
        api::AttributeType::Choice => AttributeType::Choice,
        api::AttributeType::Choices => AttributeType::Choices,
        api::AttributeType::Date => AttributeType::Date,
    }
}

pub(crate) fn media(file: &MediaFile) -> api::Media {
    let kind = match file.content_type.split('/').next() {
        Some("image") => api::MediaKind::Image,
        Some("video") => api::MediaKind::Video,
        _ => api::MediaKind::Document,
    };
    api::Media {
        media_id: file.id.to_string(),
        hash: file.hash.clone(),
        kind: kind.into(),
        content_type: file.content_type.clone(),
        width: file.width,
        height: file.height,
        bytes: file.bytes,
        alt: file.alt.clone(),
    }
}

fn dimensions(sides: Dimensions) -> api::Dimensions {
    api::Dimensions { length_mm: sides.length_mm, width_mm: sides.width_mm, height_mm: sides.height_mm }
}

fn options(variant: &Variant) -> Vec<api::Option> {
    variant.options.iter().map(|(name, value)| api::Option { name: name.clone(), value: value.clone() }).collect()
}

fn variant(variant: &Variant) -> api::Variant {
    api::Variant {
        variant_id: variant.id.to_string(),
        sku: variant.sku.clone(),
        gtin: variant.gtin.clone(),
        options: options(variant),
        price: Some(variant.price().into()),
        list_price: variant.list_price().map(Money::into),
        weight_grams: variant.weight_grams,
        dimensions: variant.dimensions.map(dimensions),
        media: variant.media.iter().map(media).collect(),
    }
}

fn attributes(content: &Content, tree: &Tree) -> Vec<api::Attribute> {
    let named = content.attributes.iter().map(|(key, values)| {
        let known = content.category.and_then(|category| tree.applies(category, key));
        api::Attribute {
            key: key.clone(),
            name: known.map_or_else(|| readable(key), |(attribute, _)| attribute.name.clone()),
            values: values.clone(),
            unit: known.map(|(attribute, _)| attribute.unit.clone()).unwrap_or_default(),
            facet: known.is_some_and(|(_, facet)| facet),
            r#type: known.map_or(api::AttributeType::Text, |(attribute, _)| attribute_type(attribute.kind)).into(),
        }
    });
    named.collect()
}

/// "screen_size" → "Screen size".
fn readable(key: &str) -> String {
    let text = key.replace(['_', '-'], " ");
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn path(content: &Content, tree: &Tree) -> Vec<String> {
    content.category.and_then(|category| tree.get(category)).map(|node| node.path.clone()).unwrap_or_default()
}

pub(crate) fn product(kept: &Kept, tree: &Tree) -> api::Product {
    let content = &kept.product.content;
    api::Product {
        product_id: kept.id.to_string(),
        tenant_id: kept.tenant.to_string(),
        status: api::ProductStatus::from(kept.product.status).into(),
        title: content.title.clone(),
        description: content.description.clone(),
        brand: content.brand.clone(),
        category_id: content.category.map(|category| category.to_string()).unwrap_or_default(),
        category_path: path(content, tree),
        attributes: attributes(content, tree),
        media: content.media.iter().map(media).collect(),
        tags: content.tags.clone(),
        variants: content.variants.iter().map(variant).collect(),
        version: kept.version,
        created_at: Some(timestamp(kept.created_at)),
        updated_at: Some(timestamp(kept.updated_at)),
        decline_reason: kept.product.decline_reason.clone(),
        slug: slug(&content.title),
    }
}

pub(crate) fn snapshot(kept: &Kept, tree: &Tree) -> api::ProductSnapshot {
    let content = &kept.product.content;
    let node = content.category.and_then(|category| tree.get(category));
    api::ProductSnapshot {
        tenant_id: kept.tenant.to_string(),
        product_id: kept.id.to_string(),
        version: kept.version,
        status: api::ProductStatus::from(kept.product.status).into(),
        title: content.title.clone(),
        slug: slug(&content.title),
        description: content.description.clone(),
        brand: content.brand.clone(),
        category_id: content.category.map(|category| category.to_string()).unwrap_or_default(),
        category_code: node.map(|node| node.category.code.clone()).unwrap_or_default(),
        category_path: path(content, tree),
        category_path_ids: node.map(|node| node.path_ids.iter().map(ToString::to_string).collect()).unwrap_or_default(),
        tax_category: tax_category(node),
        attributes: attributes(content, tree),
        media: content.media.iter().map(media).collect(),
        tags: content.tags.clone(),
        variants: content.variants.iter().map(variant).collect(),
        created_at: Some(timestamp(kept.created_at)),
        updated_at: Some(timestamp(kept.updated_at)),
    }
}

fn tax_category(node: Option<&Node>) -> String {
    node.map_or(crate::model::category::STANDARD_TAX, |node| &node.tax_category).to_owned()
}

pub(crate) fn variant_snapshots(kept: &Kept, tree: &Tree) -> Vec<api::VariantSnapshot> {
    let content = &kept.product.content;
    let node = content.category.and_then(|category| tree.get(category));
    let picture = |variant: &Variant| {
        let files = variant.media.iter().chain(&content.media);
        files.filter(|file| file.content_type.starts_with("image/")).map(|file| file.hash.clone()).next().unwrap_or_default()
    };
    let one = |variant: &Variant| api::VariantSnapshot {
        tenant_id: kept.tenant.to_string(),
        product_id: kept.id.to_string(),
        variant_id: variant.id.to_string(),
        sku: variant.sku.clone(),
        title: content.title.clone(),
        options: options(variant),
        price: Some(variant.price().into()),
        list_price: variant.list_price().map(Money::into),
        weight_grams: variant.weight_grams,
        dimensions: variant.dimensions.map(dimensions),
        tax_category: tax_category(node),
        image_hash: picture(variant),
        status: api::ProductStatus::from(kept.product.status).into(),
        category_id: content.category.map(|category| category.to_string()).unwrap_or_default(),
        brand: content.brand.clone(),
        gtin: variant.gtin.clone(),
        version: kept.version,
        sellable: kept.product.status == Status::Active,
        category_code: node.map(|node| node.category.code.clone()).unwrap_or_default(),
    };
    content.variants.iter().map(one).collect()
}

pub(crate) fn version(version: &Version, changes: &[Change]) -> api::Version {
    let change = |change: &Change| api::Change { field: change.field.clone(), before: change.before.clone(), after: change.after.clone() };
    api::Version {
        version: version.version,
        at: Some(timestamp(version.at)),
        actor: version.actor.clone(),
        action: version.action.clone(),
        changes: changes.iter().map(change).collect(),
    }
}

pub(crate) fn status_counts(counts: &[(String, i64)]) -> Vec<api::StatusCount> {
    let one = |(word, number): &(String, i64)| {
        let status = Status::parse(word).ok()?;
        Some(api::StatusCount { status: api::ProductStatus::from(status).into(), count: count(*number) })
    };
    counts.iter().filter_map(one).collect()
}

pub(crate) fn category(node: &Node) -> api::Category {
    let parent = node.path_ids.iter().rev().nth(1);
    api::Category {
        category_id: node.category.id.to_string(),
        code: node.category.code.clone(),
        parent_id: parent.map(ToString::to_string).unwrap_or_default(),
        name: node.category.name.clone(),
        path: node.path.clone(),
        level: u32::try_from(node.path.len().saturating_sub(1)).unwrap_or_default(),
        has_children: !node.children.is_empty(),
        tax_category: node.tax_category.clone(),
    }
}

pub(crate) fn definition(attribute: Effective) -> api::AttributeDefinition {
    api::AttributeDefinition {
        key: attribute.key,
        name: attribute.name,
        r#type: attribute_type(attribute.kind).into(),
        unit: attribute.unit,
        values: attribute.values,
        required: attribute.required,
        facet: attribute.facet,
        inherited_from: attribute.inherited_from,
    }
}

pub(crate) fn has(attributes: Vec<api::CategoryAttribute>) -> Vec<Has> {
    attributes.into_iter().map(|has| Has { key: has.key, required: has.required, facet: has.facet }).collect()
}

pub(crate) fn mapping_in(mapping: api::ImportMapping) -> Mapping {
    Mapping {
        columns: mapping.columns.into_iter().collect(),
        constants: mapping.constants.into_iter().collect(),
        decimal: mapping.decimal,
        weight_unit: mapping.weight_unit,
        length_unit: mapping.length_unit,
        accept_other_currencies: mapping.accept_other_currencies,
        as_draft: mapping.as_draft,
    }
}

fn mapping_out(mapping: &Mapping) -> api::ImportMapping {
    let map = |fields: &BTreeMap<String, String>| fields.iter().map(|(field, value)| (field.clone(), value.clone())).collect::<HashMap<_, _>>();
    api::ImportMapping {
        columns: map(&mapping.columns),
        constants: map(&mapping.constants),
        decimal: mapping.decimal.clone(),
        weight_unit: mapping.weight_unit.clone(),
        length_unit: mapping.length_unit.clone(),
        accept_other_currencies: mapping.accept_other_currencies,
        as_draft: mapping.as_draft,
    }
}

pub(crate) fn preset(preset: &Preset) -> api::Preset {
    api::Preset { name: preset.name.clone(), mapping: Some(mapping_out(&preset.mapping.0)), saved_at: Some(timestamp(preset.saved_at)) }
}

pub(crate) fn upload(view: &UploadView) -> api::Upload {
    let upload = &view.upload;
    let delimiter = match upload.shape.delimiter {
        _ if upload.shape.format.word() != "csv" => String::new(),
        b'\t' => "tab".to_owned(),
        other => char::from(other).to_string(),
    };
    api::Upload {
        upload_id: upload.id.to_string(),
        file_name: upload.file_name.clone(),
        bytes: u64::try_from(upload.bytes).unwrap_or_default(),
        format: upload.shape.format.word().to_owned(),
        delimiter,
        encoding: upload.shape.encoding.clone(),
        columns: upload.shape.columns.clone(),
        rows: small(upload.rows),
        sample: upload.sample.iter().map(|(line, cells)| api::SampleRow { line: *line, cells: cells.clone() }).collect(),
        uploaded_at: Some(timestamp(upload.uploaded_at)),
        suggestion: Some(mapping_out(&view.suggestion)),
        matching_preset: view.matching_preset.clone(),
    }
}

fn row_error(error: &RowError) -> api::RowError {
    api::RowError {
        line: error.line,
        column: error.column.clone(),
        value: error.value.clone(),
        reason: error.reason.to_owned(),
        message: error.message.clone(),
        warning: error.warning,
    }
}

fn stored_error(error: &StoredError) -> api::RowError {
    api::RowError {
        line: small(error.line),
        column: error.column_name.clone(),
        value: error.value.clone(),
        reason: error.reason.clone(),
        message: error.message.clone(),
        warning: error.warning,
    }
}

pub(crate) fn preview(preview: &Preview, tree: &Tree) -> api::PreviewImportResponse {
    api::PreviewImportResponse {
        rows: preview.rows,
        good: preview.good,
        bad: preview.bad,
        reasons: preview.reasons.iter().map(|(reason, count)| api::ReasonCount { reason: reason.clone(), count: *count }).collect(),
        errors: preview.errors.iter().map(row_error).collect(),
        products: preview.products.iter().map(|kept| product(kept, tree)).collect(),
    }
}

fn state(import: &Import) -> api::ImportState {
    match import.state.as_str() {
        "queued" => api::ImportState::Queued,
        "running" => api::ImportState::Running,
        "finished" => api::ImportState::Finished,
        "cancelled" => api::ImportState::Cancelled,
        _ => api::ImportState::Failed,
    }
}

/// `now` ends the time of an import that still runs.
pub(crate) fn import(import: &Import, now: kit_core::Time) -> api::Import {
    let ran = import.started_at.map(|started| (import.finished_at.unwrap_or(now) - started).num_milliseconds().max(1)).unwrap_or(1);
    api::Import {
        import_id: import.id().to_string(),
        upload_id: api::UploadId::from(import.upload_id).to_string(),
        file_name: import.file_name.clone(),
        state: state(import).into(),
        rows: small(import.rows),
        rows_done: small(import.rows_done),
        created: small(import.created),
        updated: small(import.updated),
        unchanged: small(import.unchanged),
        rejected: small(import.rejected),
        reasons: Vec::new(),
        errors: Vec::new(),
        started_at: import.started_at.map(timestamp),
        finished_at: import.finished_at.map(timestamp),
        trouble: import.trouble.clone(),
        rows_per_second: count(i64::from(import.rows_done) * 1_000 / ran),
        imported: small(import.created + import.updated),
        warnings: small(import.warnings),
    }
}

pub(crate) fn import_view(view: &ImportView, now: kit_core::Time) -> api::Import {
    api::Import {
        reasons: view.reasons.iter().map(|(reason, number)| api::ReasonCount { reason: reason.clone(), count: count(*number) }).collect(),
        errors: view.errors.iter().map(stored_error).collect(),
        ..import(&view.import, now)
    }
}

pub(crate) fn import_finished(import: &Import) -> api::ImportFinished {
    api::ImportFinished {
        tenant_id: TenantId::from(import.tenant_id).to_string(),
        import_id: import.id().to_string(),
        state: state(import).into(),
        file_name: import.file_name.clone(),
        rows: small(import.rows),
        created: small(import.created),
        updated: small(import.updated),
        unchanged: small(import.unchanged),
        rejected: small(import.rejected),
    }
}

/// An attribute on its own, as no category has it yet.
pub(crate) fn attribute(attribute: crate::model::category::Attribute, values: Vec<String>) -> api::AttributeDefinition {
    api::AttributeDefinition {
        key: attribute.key,
        name: attribute.name,
        r#type: attribute_type(attribute.kind).into(),
        unit: attribute.unit,
        values,
        ..api::AttributeDefinition::default()
    }
}
