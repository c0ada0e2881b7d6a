use api_catalog::*;
use tonic::Status;

use crate::market::{Shop, fields, open, open_with, reason};

async fn upload(shop: &Shop, content: &[u8]) -> Result<Upload, Status> {
    let request = UploadFileRequest { content: content.to_vec().into(), file_name: "feed.csv".to_owned() };
    Ok(shop.catalog().upload_file(shop.seller.request(request)).await?.into_inner().upload.unwrap())
}

async fn errors(shop: &Shop, import_id: &str) -> String {
    let request = GetImportErrorsRequest { import_id: import_id.to_owned(), include_warnings: false };
    let file = shop.catalog().get_import_errors(shop.seller.request(request)).await.unwrap().into_inner();
    String::from_utf8(file.data.to_vec()).unwrap()
}

/// A feed of so many good rows.
fn feed(rows: usize) -> String {
    let rows: String = (0..rows).map(|row| format!("S-{row},Product {row},{}.99\n", row % 90 + 1)).collect();
    format!("sku,title,price\n{rows}")
}

const MESSY: &str = "sku,title,price\nA,Mug,12.99\nB,Plate,\nC,,5\nD,Bowl,0.0\nA,Mug again,9\nE,\"Cup \"\"Anna\"\"\",\"$1,299.00\"\nF,Spoon\n";

#[tokio::test]
async fn a_feed_is_uploaded_tried_imported_and_its_errors_read() {
    let shop = open().await;
    let found = upload(&shop, MESSY.as_bytes()).await.unwrap();
    assert_eq!((found.rows, found.delimiter.as_str(), found.format.as_str(), found.sample.len()), (7, ",", "csv", 5));
    let mut mapping = found.suggestion.clone().unwrap();
    mapping.constants.insert("currency".to_owned(), "USD".to_owned());
    mapping.constants.insert("stock".to_owned(), "25".to_owned());
    let preset = SavePresetRequest { name: "my feed".to_owned(), mapping: Some(mapping) };
    shop.catalog().save_preset(shop.seller.request(preset)).await.unwrap();
    assert_eq!(upload(&shop, MESSY.as_bytes()).await.unwrap().matching_preset, "my feed");

    let preview = PreviewImportRequest { upload_id: found.upload_id.clone(), preset: "my feed".to_owned(), mapping: None };
    let preview = shop.catalog().preview_import(shop.seller.request(preview)).await.unwrap().into_inner();
    assert_eq!((preview.rows, preview.good, preview.bad, preview.errors.len(), preview.products.len()), (7, 2, 5, 5, 2));
    let nothing = shop.catalog().list_products(shop.seller.request(ListProductsRequest::default())).await.unwrap().into_inner();
    assert!(nothing.products.is_empty(), "a dry run saves nothing");

    let start = StartImportRequest { upload_id: found.upload_id, preset: "my feed".to_owned(), mapping: None };
    let import = shop.catalog().start_import(shop.seller.request(start)).await.unwrap().into_inner().import.unwrap();
    let done = shop.finished(&import.import_id).await;
    assert_eq!((done.created, done.updated, done.unchanged, done.rejected, done.imported), (2, 0, 0, 5, 2));
    let report = errors(&shop, &import.import_id).await;
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[0], "line,column,value,reason,message,effect");
    for (line, start) in
        [(1, "3,price,,NO_PRICE"), (2, "4,title,,NO_TITLE"), (3, "5,price,0.0,PRICE_ZERO"), (4, "6,sku,A,SKU_DUPLICATE"), (5, "8,,,ROW_RAGGED")]
    {
        assert!(lines[line].starts_with(start), "{start}: {report}");
    }

    let list = shop.catalog().list_products(shop.seller.request(ListProductsRequest::default())).await.unwrap().into_inner().products;
    assert_eq!(list[0].title, "Cup \"Anna\"");
    assert_eq!(list[0].variants[0].price.as_ref().unwrap().amount_minor, 129_900);
    assert_eq!(shop.available(&list[0].variants[0].variant_id).await, 25);
    let imports = shop.catalog().list_imports(shop.seller.request(ListImportsRequest::default())).await.unwrap().into_inner().imports;
    assert_eq!(imports.len(), 1);
    shop.catalog().delete_preset(shop.seller.request(DeletePresetRequest { name: "my feed".to_owned() })).await.unwrap();
    assert!(shop.catalog().list_presets(shop.seller.request(ListPresetsRequest {})).await.unwrap().into_inner().presets.is_empty());
}

#[tokio::test]
async fn the_same_feed_again_changes_nothing() {
    let shop = open_with("[catalog]\nimport_chunk_rows = 40").await;
    let first = shop.import(feed(100), |_| {}).await;
    assert_eq!(first.created, 100);
    let before = shop
        .catalog()
        .list_products(shop.seller.request(ListProductsRequest { limit: 100, ..Default::default() }))
        .await
        .unwrap()
        .into_inner()
        .products;
    let second = shop.import(feed(100), |_| {}).await;
    assert_eq!((second.created, second.updated, second.unchanged, second.rejected), (0, 0, 100, 0));
    let after = shop
        .catalog()
        .list_products(shop.seller.request(ListProductsRequest { limit: 100, ..Default::default() }))
        .await
        .unwrap()
        .into_inner()
        .products;
    assert_eq!(before, after, "no new versions");
    let dearer = shop.import(feed(100).replace("S-7,Product 7,8.99", "S-7,Product 7,9.99"), |_| {}).await;
    assert_eq!((dearer.updated, dearer.unchanged), (1, 99));
}

#[tokio::test]
async fn an_import_cut_off_half_way_is_finished_after_a_restart() {
    let mut shop = open_with("[catalog]\nimport_chunk_rows = 20").await;
    let id = shop.start_import(feed(1_000), |mapping| _ = mapping.constants.insert("stock".to_owned(), "3".to_owned())).await;
    while shop.progress(&id).await.rows_done < 200 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    shop.market = shop.market.restarted().await;
    let done = shop.finished(&id).await;
    assert_eq!((done.created, done.rejected), (1_000, 0));
    let variants = FindSkusRequest { tenant_id: shop.tenant.to_string(), skus: (0..1_000).map(|row| format!("S-{row}")).collect() };
    let variants = shop.catalog().find_skus(shop.market.service().request(variants)).await.unwrap().into_inner().variants;
    assert_eq!(variants.len(), 1_000);
    for variant in variants.iter().step_by(97) {
        assert_eq!((shop.available(&variant.variant_id).await, variant.version), (3, 1), "{}", variant.sku);
    }
}

#[tokio::test]
async fn a_running_import_is_watched_and_cancelled() {
    let shop = open_with("[catalog]\nimport_chunk_rows = 5").await;
    let id = shop.start_import(feed(2_000), |_| {}).await;
    let watch = WatchImportRequest { import_id: id.clone() };
    let mut watching = shop.catalog().watch_import(shop.seller.request(watch)).await.unwrap().into_inner();
    let first = watching.message().await.unwrap().unwrap().import.unwrap();
    assert_eq!(first.rows, 2_000);
    let cancel = CancelImportRequest { import_id: id.clone() };
    shop.catalog().cancel_import(shop.seller.request(cancel)).await.unwrap();
    let mut last = first;
    while let Some(message) = watching.message().await.unwrap() {
        last = message.import.unwrap();
    }
    assert_eq!(last.state(), ImportState::Cancelled);
    let rows = last.rows_done;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(shop.progress(&id).await.rows_done, rows, "cancelled is cancelled");
}

#[tokio::test]
async fn files_that_are_no_feeds_are_told_apart() {
    let shop = open().await;
    for content in [&b""[..], b"\x89PNG\r\n\x1a\n", b"PK\x03\x04zip", b"1,2,3\n4,5,6\n", b"title;price\n"] {
        let refused = upload(&shop, content).await.unwrap_err();
        let problem = kit_rpc::problem_of(&refused);
        assert!(["FILE_UNREADABLE", "INVALID_REQUEST"].contains(&problem.reason.as_str()), "{problem:?}");
        assert_eq!(problem.violations[0].field, "content", "{problem:?}");
    }
    let found = upload(&shop, b"sku;name;cost\nA;Caf\xe9;\"1.234,56\"\n").await.unwrap();
    assert_eq!((found.delimiter.as_str(), found.encoding.as_str()), (";", "windows-1252"));
    let wrong = ImportMapping {
        columns: [("sku", "sku"), ("title", "title"), ("price", "cost")].map(|(f, c)| (f.to_owned(), c.to_owned())).into(),
        ..Default::default()
    };
    let start = StartImportRequest { upload_id: found.upload_id.clone(), mapping: Some(wrong.clone()), preset: String::new() };
    assert_eq!(fields(shop.catalog().start_import(shop.seller.request(start)).await), ["mapping.columns.title"]);
    let nothing = StartImportRequest { upload_id: found.upload_id.clone(), mapping: None, preset: "none".to_owned() };
    assert_eq!(reason(shop.catalog().start_import(shop.seller.request(nothing)).await), "PRESET_NOT_FOUND");
    let other = shop.market.seller(shop.market.ids.next(), &["catalog.read"]);
    let get = GetUploadRequest { upload_id: found.upload_id };
    assert_eq!(reason(shop.catalog().get_upload(other.request(get)).await), "UPLOAD_NOT_FOUND");
}

#[tokio::test]
async fn what_is_exported_comes_back_unchanged_in_every_format() {
    let shop = open().await;
    let feed = "sku,title,price,group,option:size,weight,dimensions,tags,color,list_price\n\
                S,Shirt <b>new</b>,\"1,299.00\",shirt,S,1.5 kg,10 x 20 x 30 cm,\"summer, sale\",blue,1400\n\
                M,Shirt,12.50,shirt,M,,,,,\n";
    let first = shop.import(feed, |_| {}).await;
    assert_eq!((first.created, first.rejected), (2, 0), "{first:?}");
    for format in ["csv", "xlsx", "jsonl"] {
        let request = ExportProductsRequest { format: format.to_owned() };
        let file = shop.catalog().export_products(shop.seller.request(request)).await.unwrap().into_inner();
        let again = shop.import(file.data.to_vec(), |_| {}).await;
        assert_eq!((again.unchanged, again.rejected), (2, 0), "{format}: {again:?}");
    }
}
