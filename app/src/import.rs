//! `markethub import`: uploads a feed for a seller, maps its columns, runs the import and reports.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use api_catalog::catalog_client::CatalogClient;
use api_catalog::{
    GetImportErrorsRequest, GetImportRequest, Import, ImportMapping, ImportState, PreviewImportRequest, RowError, StartImportRequest,
    UploadFileRequest,
};
use kit_core::TenantId;
use kit_rpc::{Ctx, Link, Links};

use crate::cli;
use crate::commands::{ctx, find_tenant, pairs, told};

const LARGEST_FILE_BYTES: usize = 160 << 20;
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(links: &Links, args: &cli::Import) -> anyhow::Result<()> {
    let content = std::fs::read(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let tenant: TenantId = find_tenant(links, &args.tenant).await?.tenant_id.parse()?;
    let act = || Ctx { tenant: Some(tenant), ..ctx() };
    let mut catalog =
        CatalogClient::new(links.to("catalog")?).max_encoding_message_size(LARGEST_FILE_BYTES).max_decoding_message_size(LARGEST_FILE_BYTES);
    let file_name = args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let upload = catalog.upload_file(act().request(UploadFileRequest { content: content.into(), file_name })).await.map_err(told)?.into_inner();
    let upload = upload.upload.context("the upload was not answered")?;
    println!("{}: {} rows, {} columns ({}, {})", args.file.display(), upload.rows, upload.columns.len(), upload.format, upload.encoding);
    let mapping = mapping(args, upload.suggestion)?;
    let preset = args.preset.clone().unwrap_or_default();
    if args.dry_run {
        let request = PreviewImportRequest { upload_id: upload.upload_id, mapping, preset };
        let preview = catalog.preview_import(act().request(request)).await.map_err(told)?.into_inner();
        println!("{} rows: {} good, {} bad", preview.rows, preview.good, preview.bad);
        preview.errors.iter().for_each(print_error);
        return Ok(());
    }
    let request = StartImportRequest { upload_id: upload.upload_id, mapping, preset };
    let import = catalog.start_import(act().request(request)).await.map_err(told)?.into_inner().import.context("the import was not answered")?;
    println!("import {}", import.import_id);
    let import = watch(&mut catalog, act, import).await?;
    if let Some(path) = &args.errors {
        let request = GetImportErrorsRequest { import_id: import.import_id.clone(), include_warnings: true };
        let rows = catalog.get_import_errors(act().request(request)).await.map_err(told)?.into_inner();
        std::fs::write(path, &rows.data).with_context(|| format!("cannot write {}", path.display()))?;
    }
    report(&import, args.errors.as_deref())
}

/// What the arguments say; without any, the saved preset or else the guess by column names.
fn mapping(args: &cli::Import, suggestion: Option<ImportMapping>) -> anyhow::Result<Option<ImportMapping>> {
    let (columns, constants) = (pairs("--map", &args.map)?, pairs("--set", &args.set)?);
    if args.preset.is_some() && columns.is_empty() && constants.is_empty() {
        return Ok(None);
    }
    let mut mapping = suggestion.unwrap_or_default();
    if !columns.is_empty() {
        mapping.columns = columns;
    }
    mapping.constants.extend(constants);
    Ok(Some(mapping))
}

async fn watch(catalog: &mut CatalogClient<Link>, act: impl Fn() -> Ctx, mut import: Import) -> anyhow::Result<Import> {
    while matches!(import.state(), ImportState::Queued | ImportState::Running) {
        tokio::time::sleep(LOOK_EVERY).await;
        let request = act().request(GetImportRequest { import_id: import.import_id.clone() });
        import = catalog.get_import(request).await.map_err(told)?.into_inner().import.context("the import is gone")?;
        eprint!("\r{} of {} rows, {} rejected   ", import.rows_done, import.rows, import.rejected);
        // A terminal that cannot be flushed is no reason to stop.
        let _shown = std::io::stderr().flush();
    }
    eprintln!();
    Ok(import)
}

fn report(import: &Import, written: Option<&Path>) -> anyhow::Result<()> {
    println!(
        "{} created, {} updated, {} unchanged, {} rejected ({} rows/s)",
        import.created, import.updated, import.unchanged, import.rejected, import.rows_per_second
    );
    for reason in &import.reasons {
        println!("  {:>6} {}", reason.count, reason.reason);
    }
    import.errors.iter().for_each(print_error);
    let shown = u32::try_from(import.errors.len()).unwrap_or(u32::MAX);
    match written {
        Some(path) => println!("  every row that was rejected or lacks a value: {}", path.display()),
        None if import.rejected > shown => println!("  … and {} more: --errors FILE writes them all", import.rejected - shown),
        None => {}
    }
    match import.state() {
        ImportState::Finished => Ok(()),
        state => bail!("the import is {}: {}", state.as_str_name().trim_start_matches("IMPORT_STATE_").to_lowercase(), import.trouble),
    }
}

fn print_error(error: &RowError) {
    println!("  {}", told_of(error));
}

fn told_of(error: &RowError) -> String {
    let place = if error.column.is_empty() { format!("line {}", error.line) } else { format!("line {}, {}", error.line, error.column) };
    format!("{place}: {} ({})", error.message, error.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_column_when_it_has_one() {
        let of = |column: &str| RowError {
            line: 4,
            column: column.to_owned(),
            message: "is empty".to_owned(),
            reason: "NO_PRICE".to_owned(),
            ..Default::default()
        };
        assert_eq!(told_of(&of("")), "line 4: is empty (NO_PRICE)");
        assert_eq!(told_of(&of("price")), "line 4, price: is empty (NO_PRICE)");
    }
}
