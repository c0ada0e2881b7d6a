//! Commands that act on a market: on the one that is running on this machine, or, when none is, on its data directly.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::time::Duration;

use anyhow::{Context, ensure};
use api_admin::VerifyAuditRequest;
use api_admin::admin_client::AdminClient;
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{ListRequest, PlaceInCellRequest, Tenant};
use kit_core::TenantId;
use kit_rpc::{Ctx, Link, Links};
use tokio::net::TcpStream;
use tonic::transport::Endpoint;

use crate::cli::Operator;
use crate::market::{self, Market};
use crate::modules::{Plan, names};
use crate::settings::Settings;
use crate::up::ensure_operator;

/// How long to wait for a market that may be running.
const KNOCK: Duration = Duration::from_millis(500);
/// Checking a long audit log takes its time.
const PATIENCE: Duration = Duration::from_secs(600);

/// Links to a market with the authority of this machine's owner, who has the cluster's key.
pub(crate) struct Access {
    pub(crate) links: Links,
    own: Option<Market>,
}

impl Access {
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let knocked = tokio::time::timeout(KNOCK, TcpStream::connect(settings.grpc.listen)).await;
        if !matches!(knocked, Ok(Ok(_))) {
            let market = Market::open(settings, &Plan::all_here()).await?;
            return Ok(Self { links: market.house.links(), own: Some(market) });
        }
        let key = market::key(settings)?;
        let channel = Endpoint::from_shared(format!("http://{}", settings.grpc.listen))?.tcp_nodelay(true).connect_lazy();
        let links: BTreeMap<&'static str, Link> = names().into_iter().map(|name| (name, Link::remote(channel.clone(), key.clone()))).collect();
        Ok(Self { links: Links::new("cli", &names(), links.into()), own: None })
    }

    pub(crate) async fn close(self) {
        if let Some(market) = self.own {
            market.house.stop().await;
        }
    }
}

/// The authority of a command, with time for long work.
pub(crate) fn ctx() -> Ctx {
    Ctx { deadline: Some(std::time::Instant::now() + PATIENCE), ..Ctx::service("cli", "cli") }
}

pub(crate) fn told(status: tonic::Status) -> anyhow::Error {
    let problem = kit_rpc::problem_of(&status);
    let wrong: String = problem.violations.iter().map(|violation| format!("\n  {}: {}", violation.field, violation.message)).collect();
    anyhow::anyhow!("{} ({}){wrong}", problem.message, problem.reason)
}

pub(crate) async fn verify_audit(links: &Links, after: i64) -> anyhow::Result<()> {
    let mut admin = AdminClient::new(links.to("admin")?);
    let (mut after_sequence, mut checked) = (after, 0);
    loop {
        let answer = admin.verify_audit(ctx().request(VerifyAuditRequest { after_sequence })).await.map_err(told)?.into_inner();
        checked += answer.checked;
        ensure!(answer.intact, "the audit log does not hold together from entry {} on: {}", answer.broken_sequence, answer.trouble);
        if answer.complete {
            println!("intact: {checked} entries checked; the last is {} with hash {}", answer.last_sequence, answer.last_hash);
            return Ok(());
        }
        after_sequence = answer.last_sequence;
        eprintln!("{checked} entries checked so far, all intact");
    }
}

pub(crate) async fn place_tenant(links: &Links, tenant: &str, cell: &str) -> anyhow::Result<()> {
    let found = find_tenant(links, tenant).await?;
    let request = ctx().request(PlaceInCellRequest { tenant_id: found.tenant_id.clone(), cell: cell.to_owned() });
    TenantsClient::new(links.to("tenants")?).place_in_cell(request).await.map_err(told)?;
    println!("{} lives in the cell {cell} now", found.tenant_id);
    Ok(())
}

/// A tenant by id or slug.
pub(crate) async fn find_tenant(links: &Links, named: &str) -> anyhow::Result<Tenant> {
    let mut tenants = TenantsClient::new(links.to("tenants")?);
    if let Ok(id) = named.parse::<TenantId>() {
        let request = ctx().request(api_tenants::GetRequest { tenant_id: id.to_string() });
        return tenants.get(request).await.map_err(told)?.into_inner().tenant.context("the tenant has no data");
    }
    let request = ctx().request(ListRequest { query: named.to_owned(), limit: 100, ..Default::default() });
    let listed = tenants.list(request).await.map_err(told)?.into_inner().tenants;
    let found = listed.into_iter().find(|tenant| tenant.store.as_ref().is_some_and(|store| store.slug == named));
    found.with_context(|| format!("there is no tenant with the slug {named:?}; an id like ten_… does as well"))
}

pub(crate) async fn add_operator(links: &Links, args: &Operator) -> anyhow::Result<()> {
    let mut password = String::new();
    std::io::stdin().read_to_string(&mut password).context("the password is read from standard input")?;
    let password = password.trim_end_matches(['\r', '\n']);
    ensure!(!password.is_empty(), "the password is read from standard input, which was empty");
    let created = ensure_operator(links, &args.email, password, &args.name).await?;
    println!(
        "{} {}",
        args.email,
        if created { "is a platform administrator now" } else { "was there before, is a platform administrator now, and keeps the old password" }
    );
    Ok(())
}

/// `field=value` arguments.
pub(crate) fn pairs(flag: &str, given: &[String]) -> anyhow::Result<HashMap<String, String>> {
    let pair = |text: &String| {
        text.split_once('=')
            .map(|(field, value)| (field.to_owned(), value.to_owned()))
            .with_context(|| format!("{flag} {text} must be like field=value"))
    };
    given.iter().map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_every_field_that_is_wrong() {
        let wrong = |field: &str, message: &str| kit_rpc::proto::FieldViolation { field: field.to_owned(), message: message.to_owned() };
        let refused = kit_rpc::invalid(vec![wrong("currency", "is not a currency"), wrong("stock", "must be at least 0")]);
        let told = told(refused).to_string();
        assert!(told.contains("(INVALID_REQUEST)\n  currency: is not a currency\n  stock: must be at least 0"), "{told}");
    }
}
