//! A market in this process: storage, services, links. What `serve` listens for and what commands use when nobody serves.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use kit_core::{Clock, Ids};
use kit_db::Storage;
use kit_module::House;
use kit_rpc::CtxKey;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use rand::RngCore;

use crate::modules::Plan;
use crate::settings::{Objects, Settings};

const KEY_FILE: &str = "cluster.key";

pub(crate) struct Market {
    pub(crate) house: House,
    pub(crate) key: CtxKey,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
}

impl Market {
    /// Opens storage and starts the services of the plan.
    pub(crate) async fn open(settings: &Settings, plan: &Plan) -> anyhow::Result<Self> {
        settings.check_services(&plan.here)?;
        let data_dir = settings.data_dir.0.clone();
        std::fs::create_dir_all(&data_dir).with_context(|| format!("cannot make the data directory {}", data_dir.display()))?;
        let key = key(settings)?;
        let storage = Storage::open(settings.storage()).await?;
        let clock = Clock::System;
        let ids = Ids::new(clock.clone());
        let started = House::start(
            kit_module::Settings {
                storage: storage.clone(),
                clock: clock.clone(),
                ids: ids.clone(),
                objects: objects(settings)?,
                data_dir,
                public_url: settings.http.public_url(),
                sections: sections(settings, &key),
                remotes: plan.remotes.clone(),
                key: key.clone(),
            },
            &plan.here,
        )
        .await;
        match started {
            Ok(house) => Ok(Self { house, key, clock, ids }),
            Err(error) => {
                storage.close().await;
                Err(error)
            }
        }
    }
}

/// The services' sections, with the sandbox's address and its secret for webhooks where the configuration gives none.
pub(crate) fn sections(settings: &Settings, key: &CtxKey) -> toml::Table {
    let mut sections = settings.services.clone();
    let payments = sections.entry("payments").or_insert_with(|| toml::Table::new().into());
    if let Some(sandbox) = payments.as_table_mut().map(|payments| payments.entry("sandbox").or_insert_with(|| toml::Table::new().into()))
        && let Some(sandbox) = sandbox.as_table_mut()
    {
        sandbox.entry("url").or_insert_with(|| format!("http://{}", settings.sandbox.listen).into());
        sandbox.entry("public_url").or_insert_with(|| settings.sandbox.public_url().into());
        sandbox.entry("webhook_secret").or_insert_with(|| webhook_secret(key).into());
    }
    if let Some(bank) = payments.as_table_mut().map(|payments| payments.entry("bank").or_insert_with(|| toml::Table::new().into()))
        && let Some(bank) = bank.as_table_mut()
    {
        bank.entry("url").or_insert_with(|| format!("http://{}", settings.sandbox.listen).into());
        bank.entry("webhook_secret").or_insert_with(|| bank_webhook_secret(key).into());
    }
    sections
}

/// What the sandbox signs its webhooks with, unless the configuration says otherwise: anybody may call where they arrive, so it must
/// be a secret of this market.
pub(crate) fn webhook_secret(key: &CtxKey) -> String {
    key.derive("the sandbox's webhooks")
}

/// The same of the sandbox bank, which is another party.
pub(crate) fn bank_webhook_secret(key: &CtxKey) -> String {
    key.derive("the sandbox bank's webhooks")
}

/// The cluster's key: configured, or made once and kept in the data directory, readable by its owner only.
pub(crate) fn key(settings: &Settings) -> anyhow::Result<CtxKey> {
    if !settings.cluster.key.is_empty() {
        return Ok(CtxKey::new(settings.cluster.key.as_bytes()));
    }
    let path = settings.data_dir.0.join(KEY_FILE);
    match std::fs::read(&path) {
        Ok(key) if key.len() >= 32 => return Ok(CtxKey::new(&key)),
        Ok(_) => anyhow::bail!("{} is too short to be a cluster key: remove it, and a new one is made", path.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    let mut key = [0_u8; 32];
    rand::rng().fill_bytes(&mut key);
    let made = write_key(&path, &key);
    made.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(CtxKey::new(&key))
}

/// Whole or not at all, and never in place of one that another process has just made.
fn write_key(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension(format!("key.{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    let written = file.write_all(key).and_then(|()| file.sync_all()).and_then(|()| std::fs::hard_link(&beside, path));
    std::fs::remove_file(&beside)?;
    written
}

/// Where files and pictures go.
fn objects(settings: &Settings) -> anyhow::Result<Arc<dyn ObjectStore>> {
    if let Some(configured) = configured_objects(&settings.objects)? {
        return Ok(configured);
    }
    let dir = settings.data_dir.0.join("objects");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(Arc::new(LocalFileSystem::new_with_prefix(&dir)?))
}

/// The store the configuration names, if it names one; nothing is asked of it yet.
pub(crate) fn configured_objects(objects: &Objects) -> anyhow::Result<Option<Arc<dyn ObjectStore>>> {
    if objects.url.is_empty() {
        return Ok(None);
    }
    let unfit = || format!("objects.url {:?} with objects.options is not a store like s3://bucket/prefix", objects.url);
    let url = objects.url.parse().with_context(unfit)?;
    let (store, prefix) = object_store::parse_url_opts(&url, objects.options.clone()).with_context(unfit)?;
    Ok(Some(Arc::new(PrefixStore::new(store, prefix))))
}
