//! A process that serves: binds its ports, starts the market, listens, and drains when told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::market::{Market, bank_webhook_secret, webhook_secret};
use crate::modules::Plan;
use crate::settings::Settings;
use crate::{figures, grpc, http};

/// A serving process.
pub(crate) struct Serving {
    pub(crate) market: Market,
    tasks: JoinSet<anyhow::Result<()>>,
    listening: CancellationToken,
    drain: Duration,
}

/// The ports are bound before anything else starts, so that a taken one is told at once.
struct Ports {
    http: TcpListener,
    grpc: TcpListener,
    sandbox: Option<TcpListener>,
}

impl Serving {
    pub(crate) async fn start(settings: &Settings, plan: &Plan) -> anyhow::Result<Self> {
        let figures = figures::start()?;
        let ports = Ports::bind(settings, plan).await?;
        let market = Market::open(settings, plan).await?;
        match Self::listen(settings, plan, &market, ports, figures).await {
            Ok((tasks, listening)) => Ok(Self { market, tasks, listening, drain: Duration::from_secs(settings.http.drain_seconds) }),
            Err(error) => {
                market.house.stop().await;
                Err(error)
            }
        }
    }

    async fn listen(
        settings: &Settings,
        plan: &Plan,
        market: &Market,
        ports: Ports,
        figures: PrometheusHandle,
    ) -> anyhow::Result<(JoinSet<anyhow::Result<()>>, CancellationToken)> {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        if let Some(listener) = ports.sandbox {
            tasks.spawn(sandbox::serve(sandbox(settings, market), listener, stop.clone()));
        }
        let router = http::router(settings, market, plan, figures)?;
        tasks.spawn(grpc::serve(market, plan, ports.grpc, stop.clone()).await?);
        tasks.spawn(http::serve(ports.http, router, stop.clone()));
        tracing::info!(http = %settings.http.listen, grpc = %settings.grpc.listen, services = plan.here.len(), "serving");
        Ok((tasks, stop))
    }

    /// Serves until a signal or a failure, then drains: no new work, what is under way is finished, then the storage is closed.
    pub(crate) async fn until_stopped(self) -> anyhow::Result<()> {
        self.while_doing(std::future::pending()).await
    }

    /// Serves until the work is done, or as long as `until_stopped` does; whichever is first.
    pub(crate) async fn while_doing(mut self, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let mut done = Ok(());
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let failed = tokio::select! {
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            ended = self.tasks.join_next() => Some(ended),
            worked = work => {
                done = worked;
                None
            }
        };
        tracing::info!("stopping: finishing what is under way");
        // Streams and background work end first; they would hold the listeners open.
        self.market.house.stopping().cancel();
        self.listening.cancel();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        tokio::select! {
            () = drained => {}
            () = tokio::time::sleep(self.drain) => tracing::warn!("some requests did not finish in time and are broken off"),
            _ = interrupt.recv() => tracing::warn!("asked again: requests under way are broken off"),
        }
        self.market.house.stop().await;
        tracing::info!("stopped");
        match failed {
            None | Some(None) => done,
            Some(Some(ended)) => ended.context("a listener panicked")?.and_then(|()| bail!("a listener ended by itself")),
        }
    }
}

impl Ports {
    async fn bind(settings: &Settings, plan: &Plan) -> anyhow::Result<Self> {
        let with_sandbox = settings.sandbox.run && plan.here.iter().any(|module| module.name == "payments");
        Ok(Self {
            http: bind(settings.http.listen, "--http", "http.listen").await?,
            grpc: bind(settings.grpc.listen, "--grpc", "grpc.listen").await?,
            sandbox: if with_sandbox { Some(bind(settings.sandbox.listen, "MARKETHUB__SANDBOX__LISTEN", "sandbox.listen").await?) } else { None },
        })
    }
}

async fn bind(address: SocketAddr, flag: &str, key: &str) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            bail!(
                "port {} is taken: another program, perhaps another MarketHub, listens on {address}. Stop it, or choose another port with {flag} or {key} in markethub.toml",
                address.port()
            )
        }
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address} ({key})")),
    }
}

/// The contract servers' side of the accounts that payments may have with them.
fn contracts(settings: &Settings, of: &dyn Fn(&str, &str, &str) -> String) -> sandbox::ContractSettings {
    let built_in = sandbox::ContractSettings::default();
    let hook = |psp: &str| Some(format!("http://{}/v1/webhooks/{psp}", settings.http.listen));
    sandbox::ContractSettings {
        paypal_client_id: of("paypal", "client_id", &built_in.paypal_client_id),
        paypal_client_secret: of("paypal", "client_secret", &built_in.paypal_client_secret),
        paypal_webhook_id: of("paypal", "webhook_id", &built_in.paypal_webhook_id),
        paypal_webhook_url: hook("paypal"),
        razorpay_key_id: of("razorpay", "key_id", &built_in.razorpay_key_id),
        razorpay_key_secret: of("razorpay", "key_secret", &built_in.razorpay_key_secret),
        razorpay_webhook_secret: of("razorpay", "webhook_secret", &built_in.razorpay_webhook_secret),
        razorpay_webhook_url: hook("razorpay"),
    }
}

/// The sandbox's side of the account that payments has with it.
fn sandbox(settings: &Settings, market: &Market) -> sandbox::Settings {
    let payments = settings.services.get("payments");
    let of = |account: &str, name: &str, built_in: &str| {
        let configured = payments.and_then(|payments| payments.get(account)?.get(name)?.as_str());
        configured.unwrap_or(built_in).to_owned()
    };
    let key = |name: &str, built_in: &str| of("sandbox", name, built_in);
    let mut return_origins = vec![settings.http.public_url(), format!("http://{}", settings.http.listen)];
    return_origins.dedup();
    sandbox::Settings {
        public_url: settings.sandbox.public_url(),
        secret_key: key("secret_key", "sk_sandbox"),
        publishable_key: key("publishable_key", "pk_sandbox"),
        webhook_url: Some(format!("http://{}/v1/webhooks/sandbox", settings.http.listen)),
        webhook_secret: key("webhook_secret", &webhook_secret(&market.key)),
        return_origins,
        data_dir: settings.data_dir.0.join("sandbox"),
        timings: sandbox::Timings::default(),
        clock: market.clock.clone(),
        fees: sandbox::Fees::default(),
        bank: sandbox::BankSettings {
            secret_key: of("bank", "secret_key", "bk_sandbox"),
            webhook_url: Some(format!("http://{}/v1/webhooks/sandbox_bank", settings.http.listen)),
            webhook_secret: of("bank", "webhook_secret", &bank_webhook_secret(&market.key)),
        },
        contracts: contracts(settings, &of),
    }
}
