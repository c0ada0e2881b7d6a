//! A product as its seller wrote it, to read: for those who approve it, and for its seller looking back.

use api_catalog::Product;
use maud::{Markup, PreEscaped, html};

use crate::ui::{amount, show};

/// Everything of a product that a buyer sees. Its description is sanitised by the catalog.
pub(crate) fn content(product: &Product) -> Markup {
    html! {
        dl.facts {
            dt { "Category" } dd { (if product.category_path.is_empty() { "None".to_owned() } else { product.category_path.join(" › ") }) }
            dt { "Brand" } dd { (if product.brand.is_empty() { "None" } else { product.brand.as_str() }) }
            @for attribute in &product.attributes { dt { (attribute.name) } dd { (attribute.values.join(", ")) @if !attribute.unit.is_empty() { " " (attribute.unit) } } }
            @if !product.tags.is_empty() { dt { "Tags" } dd { (product.tags.join(", ")) } }
        }
        @if !product.description.is_empty() { div.prose { (PreEscaped(&product.description)) } }
        div.card.flush {
            table.table.cards {
                thead { tr { th scope="col" { "SKU" } th scope="col" { "Options" } th scope="col" { "GTIN" } th.num scope="col" { "Price" } } }
                tbody {
                    @for variant in &product.variants {
                        tr {
                            th scope="row" { span.mono.tiny { (variant.sku) } }
                            td data-label="Options" { @for (index, option) in variant.options.iter().enumerate() { @if index > 0 { ", " } (option.name) ": " (option.value) } }
                            td data-label="GTIN" { span.mono.tiny { (variant.gtin) } }
                            td.num data-label="Price" { (amount(variant.price.as_ref()).map(show::money).unwrap_or_default()) @if let Some(before) = amount(variant.list_price.as_ref()) { " " s.was { (show::money(before)) } } }
                        }
                    }
                }
            }
        }
    }
}
