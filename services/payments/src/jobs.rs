//! Reconcilers: what runs by itself.

use std::time::Duration;

use anyhow::ensure;
use kit_module::Start;
use kit_rpc::Ctx;

use crate::config::Config;
use crate::flows::{ASK_BANKS, ASK_PSPS, PROCESS_WEBHOOKS, Payments, SETTLE};

/// How often stored webhooks are looked for, beyond being processed as they come.
const WEBHOOKS_EVERY: Duration = Duration::from_secs(5);

pub(crate) fn register(start: &mut Start, payments: &Payments, config: &Config) {
    let service = |payments: &Payments| (payments.clone(), Ctx::service("payments", &format!("job_{}", payments.ids.uuid().simple())));
    let house = payments.clone();
    start.every(ASK_PSPS, Duration::from_millis(config.reconcile_every_ms), move || {
        let (payments, ctx) = service(&house);
        Box::pin(async move { Ok(payments.reconcile(&ctx).await?) })
    });
    let house = payments.clone();
    start.every(PROCESS_WEBHOOKS, WEBHOOKS_EVERY, move || {
        let (payments, ctx) = service(&house);
        Box::pin(async move { Ok(payments.process_webhooks(&ctx).await?) })
    });
    let house = payments.clone();
    start.every("prove_ledger", Duration::from_secs(config.prove_every_seconds), move || {
        let payments = house.clone();
        Box::pin(async move {
            let proof = payments.prove().await?;
            ensure!(proof.differences.is_empty(), "the ledger does not add up: {}", proof.differences.join("; "));
            Ok(())
        })
    });
    let house = payments.clone();
    start.every(SETTLE, Duration::from_secs(config.settlement.settle_every_seconds), move || {
        let (payments, ctx) = service(&house);
        Box::pin(async move {
            payments.settle().await?;
            payments.pay_out(&ctx).await?;
            Ok(())
        })
    });
    let house = payments.clone();
    start.every(ASK_BANKS, Duration::from_secs(config.settlement.ask_banks_every_seconds), move || {
        let (payments, ctx) = service(&house);
        Box::pin(async move { Ok(payments.ask_banks(&ctx).await?) })
    });
    let house = payments.clone();
    start.every("reconcile_reports", Duration::from_secs(config.settlement.reconcile_every_seconds), move || {
        let (payments, ctx) = service(&house);
        Box::pin(async move { Ok(payments.reconcile_reports(&ctx).await?) })
    });
    let (house, config) = (payments.clone(), config.clone());
    start.every("prune_webhooks", Duration::from_secs(config.prune_webhooks_every_seconds), move || {
        let (payments, config) = (house.clone(), config.clone());
        Box::pin(async move { Ok(payments.prune_webhooks(&config).await?) })
    });
}
