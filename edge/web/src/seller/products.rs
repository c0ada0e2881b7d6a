//! The shop's products: the list, one product to change, its pictures, its place on or off sale.

use api_catalog::{
    ActivateProductRequest, ArchiveProductRequest, AttributeDefinition, Category, DeactivateProductRequest, DeleteProductRequest, GetCategoryRequest,
    GetProductRequest, ListCategoriesRequest, ListProductsRequest, ListProductsResponse, Media, Product, ProductStatus, SubmitProductRequest, Texts,
    UpdateProductRequest, UploadMediaRequest,
};
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_core::Currency;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::product_form::{self as fields, Choices};
use super::{desk, shop_currency, working};
use crate::failure::{Failure, Page};
use crate::multipart::Uploaded;
use crate::portal::{ListQuery, filter, link, moment};
use crate::session::{Here, Posted};
use crate::site::Web;
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, amount, badge, show};
use crate::visit::Visit;

const TABS: [(&str, &str); 6] =
    [("", "All"), ("active", "On sale"), ("draft", "Drafts"), ("in_review", "In review"), ("inactive", "Off sale"), ("archived", "Archived")];
const PAGE: u32 = 25;
/// Categories shown for words.
const FOUND: u32 = 12;

fn status_of(text: &str) -> ProductStatus {
    ProductStatus::from_str_name(&format!("PRODUCT_STATUS_{}", text.to_uppercase())).unwrap_or_default()
}

fn status_badge(status: ProductStatus) -> Markup {
    let (tone, text) = match status {
        ProductStatus::Active => (Tone::Good, "on sale"),
        ProductStatus::InReview => (Tone::Warn, "in review"),
        ProductStatus::Inactive => (Tone::Plain, "off sale"),
        ProductStatus::Draft => (Tone::Info, "draft"),
        ProductStatus::Archived | ProductStatus::Unspecified => (Tone::Plain, "archived"),
    };
    badge(tone, text)
}

pub(crate) async fn list(State(site): State<Web>, here: Here, Query(wanted): Query<ListQuery>) -> Page {
    working(&here)?;
    let request = ListProductsRequest {
        status: status_of(&wanted.state).into(),
        query: wanted.query.clone(),
        limit: PAGE,
        cursor: wanted.cursor.clone(),
        ..Default::default()
    };
    let found = site.catalog.clone().list_products(here.ctx.request(request)).await?.into_inner();
    Ok(view_list(&here, &wanted, &found).into_response())
}

fn view_list(visit: &Visit, wanted: &ListQuery, found: &ListProductsResponse) -> Markup {
    let at = |state: &str, cursor: &str| link("/seller/products", &[("state", state), ("query", &wanted.query), ("cursor", cursor)]);
    let count = |state: &str| found.counts.iter().find(|count| count.status() == status_of(state)).map(|count| count.count);
    let body = html! {
        nav.tabs aria-label="Status" { ul { @for (state, label) in TABS { li { a href=(at(state, "")) aria-current=[(state == wanted.state).then_some("page")] { (label) @if let Some(count) = count(state) { " " span.hush { (show::count(count.into())) } } } } } } }
        (filter("/seller/products", "Words of the title, brand, or a SKU", &wanted.query, &[], ""))
        div.card.flush {
            @if found.products.is_empty() { (ui::empty("tag", "No products here", "Add one by hand, or bring your whole catalog in a file.", Some(("/seller/products/new", "Add a product")))) } @else {
                table.table.cards {
                    thead { tr { th scope="col" { "Product" } th scope="col" { "Status" } th scope="col" { "SKU" } th.num scope="col" { "Price" } th scope="col" { "Changed" } } }
                    tbody { @for product in &found.products { (product_row(product)) } }
                }
            }
        }
        (ui::pager((!wanted.cursor.is_empty()).then(|| at(&wanted.state, "")).as_deref(), (!found.next_cursor.is_empty()).then(|| at(&wanted.state, &found.next_cursor)).as_deref()))
    };
    let actions = html! { div.row { a.btn.outline href="/seller/imports" { (ui::icon("upload")) "Feed" } a.btn href="/seller/products/new" { (ui::icon("plus")) "Add a product" } } };
    desk(visit, "/seller/products", "Products", "All you offer, newest first.", actions, body)
}

fn product_row(product: &Product) -> Markup {
    let prices = product.variants.iter().filter_map(|variant| amount(variant.price.as_ref()));
    let (from, to) = (prices.clone().min_by_key(|price| price.minor), prices.max_by_key(|price| price.minor));
    html! {
        tr {
            th scope="row" {
                div.row.tight.one-line {
                    span.thumb { (ui::picture(product.media.first().map(|media| media.hash.as_str()).unwrap_or_default(), "", &product.title, ui::IN_ROW)) }
                    a.clamp-2 href={ "/seller/products/" (product.product_id) } { (product.title) }
                }
            }
            td data-label="Status" { (status_badge(product.status())) }
            td data-label="SKU" { span { span.mono.tiny { (product.variants.first().map(|variant| variant.sku.as_str()).unwrap_or_default()) } @if product.variants.len() > 1 { " " span.tiny.hush { "+" (product.variants.len() - 1) } } } }
            td.num data-label="Price" { @if let Some(from) = from { @if to.is_some_and(|to| to.minor > from.minor) { "from " } (show::money(from)) } }
            td data-label="Changed" { (moment(product.updated_at.as_ref())) }
        }
    }
}

/// The category of an id or code with its attributes; nothing when there is none such.
async fn schema(site: &Web, visit: &Visit, category: &str) -> (Option<Category>, Vec<AttributeDefinition>) {
    if category.is_empty() {
        return (None, Vec::new());
    }
    let found = site.catalog.clone().get_category(visit.ctx.request(GetCategoryRequest { category: category.to_owned() })).await;
    found.map(|found| found.into_inner()).map_or((None, Vec::new()), |found| (found.category, found.attributes))
}

pub(super) async fn load(site: &Web, visit: &Visit, product_id: &str) -> Result<Product, Failure> {
    let request = GetProductRequest { product_id: product_id.to_owned() };
    Ok(site.catalog.clone().get_product(visit.ctx.request(request)).await?.into_inner().product.unwrap_or_default())
}

/// The page with a form as it was sent, and what its category field finds.
async fn again(site: &Web, visit: &Visit, product: Option<&Product>, shop: Currency, form: &Form) -> Result<Markup, Failure> {
    let (category, attributes) = schema(site, visit, &fields::category(form)).await;
    let search = category.is_none() && !form.get("category").is_empty();
    let request = ListCategoriesRequest { query: form.text("category"), limit: FOUND, ..Default::default() };
    let found = if search { Some(site.catalog.clone().list_categories(visit.ctx.request(request)).await?.into_inner().categories) } else { None };
    let form = form.clone().with("category", category.as_ref().map_or_else(|| form.text("category"), |category| category.code.clone()));
    let choices =
        Choices { currency: fields::currency_of(product, shop), category: category.as_ref(), attributes: &attributes, found: found.as_deref() };
    Ok(view(visit, product, &choices, &form))
}

fn unsaved(page: Markup) -> Page {
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

pub(crate) async fn new(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    let shop = shop_currency(&site, &here).await?;
    Ok(again(&site, &here, None, shop, &fields::blank()).await?.into_response())
}

pub(crate) async fn create(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let shop = shop_currency(&site, &here).await?;
    if form.get("act") == "find" {
        return Ok(again(&site, &here, None, shop, &form).await?.into_response());
    }
    let (form, request, rows) = match fields::create_request(form, shop) {
        Ok(read) => read,
        Err(form) => return unsaved(again(&site, &here, None, shop, &form).await?),
    };
    match site.catalog.clone().create_product(here.ctx.request(request)).await {
        Ok(made) => {
            let address = format!("/seller/products/{}", made.into_inner().product.unwrap_or_default().product_id);
            Ok(site.redirect(&address, Tone::Good, "Saved as a draft. Add pictures and stock, then put it on sale."))
        }
        Err(status) => unsaved(again(&site, &here, None, shop, &fields::rejected(form, problem_of(&status), &rows)).await?),
    }
}

async fn page_of(site: &Web, visit: &Visit, product: &Product) -> Result<(Form, Currency), Failure> {
    let (category, _) = schema(site, visit, &product.category_id).await;
    Ok((fields::filled(product, category.as_ref()), shop_currency(site, visit).await?))
}

pub(crate) async fn show(State(site): State<Web>, here: Here, Path(product_id): Path<String>) -> Page {
    working(&here)?;
    let product = load(&site, &here, &product_id).await?;
    let (form, shop) = page_of(&site, &here, &product).await?;
    Ok(again(&site, &here, Some(&product), shop, &form).await?.into_response())
}

pub(crate) async fn save(State(site): State<Web>, here: Here, Path(product_id): Path<String>, Posted(form): Posted) -> Page {
    working(&here)?;
    let product = load(&site, &here, &product_id).await?;
    let shop = shop_currency(&site, &here).await?;
    if form.get("act") == "find" {
        return Ok(again(&site, &here, Some(&product), shop, &form).await?.into_response());
    }
    let (form, request, rows) = match fields::update_request(form, &product, fields::currency_of(Some(&product), shop)) {
        Ok(read) => read,
        Err(form) => return unsaved(again(&site, &here, Some(&product), shop, &form).await?),
    };
    match site.catalog.clone().update_product(here.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&format!("/seller/products/{product_id}"), Tone::Good, "Saved.")),
        Err(status) => unsaved(again(&site, &here, Some(&product), shop, &fields::rejected(form, problem_of(&status), &rows)).await?),
    }
}

/// One step between draft, review, on sale, off sale and gone, by the last word of the address.
pub(crate) async fn act(State(site): State<Web>, here: Here, Path((product_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    working(&here)?;
    let (mut catalog, ctx, id) = (site.catalog.clone(), &here.ctx, product_id.clone());
    let if_version = form.get("if_version").parse().unwrap_or(0);
    let (failed, told) = match act.as_str() {
        "submit" => (catalog.submit_product(ctx.request(SubmitProductRequest { product_id: id, if_version })).await.err(), "Sent for approval."),
        "activate" => (
            catalog.activate_product(ctx.request(ActivateProductRequest { product_id: id, if_version })).await.err(),
            "On sale. Buyers find it in a moment.",
        ),
        "deactivate" => {
            (catalog.deactivate_product(ctx.request(DeactivateProductRequest { product_id: id, if_version })).await.err(), "Taken off sale.")
        }
        "archive" => (catalog.archive_product(ctx.request(ArchiveProductRequest { product_id: id, if_version })).await.err(), "Archived."),
        "delete" => (catalog.delete_product(ctx.request(DeleteProductRequest { product_id: id, if_version })).await.err(), "Deleted."),
        _ => return Err(Failure::not_found()),
    };
    let Some(status) = failed else {
        let back = if act == "delete" { "/seller/products".to_owned() } else { format!("/seller/products/{product_id}") };
        return Ok(site.redirect(&back, Tone::Good, told));
    };
    refused(&site, &here, &product_id, &status).await
}

/// The product as it is, with what the service said above it.
pub(super) async fn refused(site: &Web, visit: &Visit, product_id: &str, status: &tonic::Status) -> Page {
    let product = load(site, visit, product_id).await?;
    let (form, shop) = page_of(site, visit, &product).await?;
    unsaved(again(site, visit, Some(&product), shop, &form.rejected(&problem_of(status))).await?)
}

/// Adds pictures behind those that are there.
pub(crate) async fn add_pictures(State(site): State<Web>, here: Here, Path(product_id): Path<String>, upload: Uploaded) -> Page {
    working(&here)?;
    let back = format!("/seller/products/{product_id}");
    if upload.files.is_empty() {
        return Ok(site.redirect(&back, Tone::Warn, "Choose a picture first."));
    }
    let product = load(&site, &here, &product_id).await?;
    let mut items: Vec<String> = product.media.iter().map(|media| media.media_id.clone()).collect();
    for file in upload.files {
        let request = UploadMediaRequest { content: file.content, alt: upload.form.text("alt") };
        match site.catalog.clone().upload_media(here.ctx.request(request)).await {
            Ok(kept) => items.extend(
                kept.into_inner().media.map(|media| media.media_id).filter(|media| !product.media.iter().any(|known| known.media_id == *media)),
            ),
            Err(status) => return refused(&site, &here, &product_id, &status).await,
        }
    }
    set_pictures(&site, &here, &product, items, "Pictures added.").await
}

async fn set_pictures(site: &Web, visit: &Visit, product: &Product, items: Vec<String>, told: &str) -> Page {
    let request = UpdateProductRequest {
        product_id: product.product_id.clone(),
        if_version: product.version,
        media_ids: Some(Texts { items }),
        ..Default::default()
    };
    match site.catalog.clone().update_product(visit.ctx.request(request)).await {
        Ok(_) => Ok(site.redirect(&format!("/seller/products/{}", product.product_id), Tone::Good, told)),
        Err(status) => refused(site, visit, &product.product_id, &status).await,
    }
}

/// Takes a picture away, or puts it first.
pub(crate) async fn picture(
    State(site): State<Web>,
    here: Here,
    Path((product_id, media_id, act)): Path<(String, String, String)>,
    Posted(_): Posted,
) -> Page {
    working(&here)?;
    let product = load(&site, &here, &product_id).await?;
    let others = product.media.iter().map(|media| media.media_id.clone()).filter(|media| *media != media_id);
    match act.as_str() {
        "remove" => set_pictures(&site, &here, &product, others.collect(), "Picture taken away.").await,
        "first" if product.media.iter().any(|media| media.media_id == media_id) => {
            set_pictures(&site, &here, &product, std::iter::once(media_id.clone()).chain(others).collect(), "That picture is first now.").await
        }
        _ => Err(Failure::not_found()),
    }
}

fn view(visit: &Visit, product: Option<&Product>, choices: &Choices<'_>, form: &Form) -> Markup {
    let action = product.map_or_else(|| "/seller/products/new".to_owned(), |product| format!("/seller/products/{}", product.product_id));
    let title = product.map_or("Add a product", |product| &product.title);
    let body = html! {
        (ui::crumbs(&[("/seller/products".to_owned(), "Products".to_owned())], title))
        @if let Some(reason) = product.map(|product| &product.decline_reason).filter(|reason| !reason.is_empty()) { div.mb6 { (ui::notice(Tone::Bad, html! { strong { "Not approved" } p { (reason) } })) } }
        @if product.is_some_and(|product| product.status() == ProductStatus::InReview) { div.mb6 { (ui::notice(Tone::Info, "The market looks at it now. It goes on sale when it is approved; if not, you read here why.")) } }
        div.mb4 { (form.summary()) }
        div.with-aside {
            form.stack.loose #product method="post" action=(action) {
                (form::csrf(visit))
                @if product.is_some() { input type="hidden" name="if_version" value=(form.get("if_version")); }
                (fields::fields(form, choices))
                div { button.btn.large type="submit" { "Save" } }
            }
            aside.stack {
                @if let Some(product) = product {
                    (status_card(visit, product))
                    (pictures_card(visit, product))
                } @else { section.card.stack { h2 { "Next" } p.small { "It is saved as a draft that nobody sees. Then you add pictures, set its stock, and put it on sale." } } }
            }
        }
    };
    // First in the document, so that Enter saves rather than looks for a category.
    let save = html! { button.btn type="submit" form="product" { (ui::icon("check")) "Save" } };
    desk(visit, "/seller/products", title, "", save, body)
}

fn status_card(visit: &Visit, product: &Product) -> Markup {
    let step = |act: &str, class: &str, label: &str, question: Option<&str>| {
        let button = html! { input type="hidden" name="if_version" value=(product.version); button class={ "btn block " (class) } type="submit" data-confirm=[question] { (label) } };
        form::post(visit, &format!("/seller/products/{}/{act}", product.product_id), button)
    };
    let status = product.status();
    html! {
        section.card.stack {
            header.row.between { h2 { "Status" } (status_badge(status)) }
            @if matches!(status, ProductStatus::Draft | ProductStatus::Inactive) { (step("activate", "", "Put on sale", None)) }
            @if status == ProductStatus::Draft { (step("submit", "outline", "Send for approval", None)) }
            @if status == ProductStatus::Active { (step("deactivate", "outline", "Take off sale", None)) a.btn.quiet.block href=(ui::product_url(&product.product_id, &product.slug)) { (ui::icon("external-link")) "As buyers see it" } }
            details.fold {
                summary { "Take it away…" }
                div.stack.tight {
                    @if status != ProductStatus::Archived { (step("archive", "outline", "Archive for good", Some("Archive this product? It cannot be put on sale again."))) }
                    (step("delete", "danger outline", "Delete", Some("Delete this product? Its SKUs become free.")))
                }
            }
            p.small { a href={ "/seller/products/" (product.product_id) "/versions" } { "Version " (product.version) ", all versions" } }
            p.small { "Stock: " @for (index, variant) in product.variants.iter().take(5).enumerate() { @if index > 0 { ", " } a.mono href={ "/seller/stock/" (variant.variant_id) } { (variant.sku) } } }
        }
    }
}

fn pictures_card(visit: &Visit, product: &Product) -> Markup {
    let step = |media: &Media, act: &str, label: &str, picture: &str| {
        let button = html! { button.btn.outline.small.square type="submit" title=(label) { (ui::icon(picture)) span.sr { (label) } } };
        form::post(visit, &format!("/seller/products/{}/media/{}/{act}", product.product_id, media.media_id), button)
    };
    html! {
        section.card.stack {
            h2 { "Pictures" }
            @if product.media.is_empty() { p.small.hush { "None yet. The first is the one in lists." } } @else {
                ul.shots {
                    @for (index, media) in product.media.iter().enumerate() {
                        li { (ui::picture(&media.hash, &media.alt, &product.title, ui::IN_ROW)) div.row.tight { @if index > 0 { (step(media, "first", "Put first", "arrow-up-right")) } (step(media, "remove", "Take away", "trash-2")) } }
                    }
                }
            }
            form.stack method="post" action={ "/seller/products/" (product.product_id) "/pictures" } enctype="multipart/form-data" data-upload {
                (form::csrf(visit))
                (Input::text("alt", "What they show").max_len(300).optional().hint("For those who cannot see them.").show(&Form::default()))
                div.drop { (ui::sized_icon("image", "icon large")) label for="pictures" { "JPEG, PNG, WebP or GIF" } input #pictures type="file" name="file" required multiple accept="image/jpeg,image/png,image/webp,image/gif"; }
                progress hidden max="100" value="0" aria-label="Upload" {}
                p.small.hush data-upload-state role="status" {}
                button.btn.outline.block type="submit" { (ui::icon("upload")) "Add" }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    use api_catalog::{AttributeType, StatusCount, Variant};
    let money = |amount_minor| Some(kit_rpc::proto::Money { amount_minor, currency: "USD".to_owned() });
    let variant = |sku: &str, size: &str| Variant {
        variant_id: format!("var_{sku}"),
        sku: sku.to_owned(),
        price: money(1999),
        list_price: money(2499),
        weight_grams: 450,
        options: vec![api_catalog::Option { name: "Size".to_owned(), value: size.to_owned() }],
        ..Default::default()
    };
    let media = Media { media_id: "med_1".to_owned(), hash: "a".repeat(64), ..Default::default() };
    let other = Media { media_id: "med_2".to_owned(), ..media.clone() };
    let product = |status: ProductStatus| Product {
        product_id: "prd_1".to_owned(),
        status: status.into(),
        title: "Kilnhouse Classic Stoneware Mug 212".to_owned(),
        description: "<p>Fired twice.</p>".to_owned(),
        brand: "Kilnhouse".to_owned(),
        media: vec![media.clone(), other.clone()],
        tags: vec!["mug".to_owned(), "gift".to_owned()],
        variants: vec![variant("D01-000", "250 ml"), variant("D01-001", "400 ml")],
        version: 3,
        ..Default::default()
    };
    let declined = Product { decline_reason: "The picture shows another product.".to_owned(), media: Vec::new(), ..product(ProductStatus::Draft) };
    let category = Category {
        code: "hg-11-10-2".to_owned(),
        name: "Mugs".to_owned(),
        path: vec!["Home & Garden".to_owned(), "Kitchen & Dining".to_owned(), "Mugs".to_owned()],
        ..Default::default()
    };
    let definition = |name: &str, kind: AttributeType, required| AttributeDefinition {
        key: name.to_lowercase(),
        name: name.to_owned(),
        r#type: kind.into(),
        values: vec!["White".to_owned(), "Blue".to_owned()],
        required,
        ..Default::default()
    };
    let attributes = [
        definition("Colour", AttributeType::Choice, true),
        definition("Material", AttributeType::Choices, false),
        definition("Volume", AttributeType::Number, false),
    ];
    let plain = Choices { currency: Currency::USD, category: Some(&category), attributes: &attributes, found: None };
    let searching = Choices { currency: Currency::USD, category: None, attributes: &[], found: Some(std::slice::from_ref(&category)) };
    let lost = Choices { currency: Currency::USD, category: None, attributes: &[], found: Some(&[]) };
    let wrong = fields::blank().wrong("title", "Is required.").wrong("variants[0].price", "Write an amount as in 19.99.");
    let counts = vec![StatusCount { status: ProductStatus::Active.into(), count: 1240 }];
    let found = ListProductsResponse { products: vec![product(ProductStatus::Active), declined.clone()], next_cursor: "n".to_owned(), counts };
    let active = product(ProductStatus::Active);
    let waiting = product(ProductStatus::InReview);
    vec![
        ("seller-products", view_list(&seller(), &ListQuery { cursor: "c".to_owned(), ..Default::default() }, &found)),
        (
            "seller-products-none",
            view_list(&seller(), &ListQuery { state: "archived".to_owned(), ..Default::default() }, &ListProductsResponse::default()),
        ),
        ("seller-product", view(&seller(), Some(&active), &plain, &fields::filled(&active, Some(&category)))),
        ("seller-product-in-review", view(&seller(), Some(&waiting), &plain, &fields::filled(&waiting, Some(&category)))),
        ("seller-product-declined", view(&seller(), Some(&declined), &searching, &fields::filled(&declined, None))),
        ("seller-product-new", view(&seller(), None, &lost, &fields::blank())),
        ("seller-product-wrong", view(&seller(), None, &searching, &wrong)),
    ]
}
