//! What the adapters have in common: one client per PSP, and sorting what comes back by what it says about having been carried out.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;

use super::PspError;
use crate::config::GuardConfig;
use crate::model::Failure;

/// Reads a PSP's own words for a refusal.
pub(super) type ReadRefusal = fn(&[u8]) -> Failure;

pub(super) fn client(limits: &GuardConfig) -> anyhow::Result<Client> {
    let client = Client::builder()
        .timeout(limits.timeout().max(Duration::from_millis(1)))
        .pool_max_idle_per_host(limits.max_concurrent)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true)
        .no_proxy()
        .build()?;
    Ok(client)
}

/// The address of a PSP without a slash at its end; refused when it is none.
pub(super) fn base_url(section: &str, url: &str) -> anyhow::Result<String> {
    let parsed = url::Url::parse(url).map_err(|error| anyhow::anyhow!("services.payments.{section}: {error}"))?;
    anyhow::ensure!(matches!(parsed.scheme(), "http" | "https"), "services.payments.{section}: must begin with http:// or https://");
    Ok(url.trim_end_matches('/').to_owned())
}

/// A key that must be set for the PSP to be used at all.
pub(super) fn required(section: &str, value: &str) -> anyhow::Result<()> {
    anyhow::ensure!(!value.is_empty(), "services.payments.{section}: is needed when this PSP is enabled");
    Ok(())
}

pub(super) async fn json<T: DeserializeOwned>(request: RequestBuilder, refusal: ReadRefusal) -> Result<T, PspError> {
    let body = answered(request, refusal).await?;
    serde_json::from_slice(&body).map_err(|error| PspError::Unknown(format!("the answer cannot be read: {error}")))
}

/// Sends a request and sorts its answer.
pub(super) async fn answered(request: RequestBuilder, refusal: ReadRefusal) -> Result<Vec<u8>, PspError> {
    let answer = request.send().await.map_err(|error| {
        // A connection that was never made carried nothing; everything else may have.
        if error.is_connect() || error.is_builder() { PspError::NotDone(error.to_string()) } else { PspError::Unknown(error.to_string()) }
    })?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| PspError::Unknown(error.to_string()))?.to_vec();
    match status {
        _ if status.is_success() => Ok(body),
        StatusCode::NOT_FOUND => Err(PspError::NotFound),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(PspError::NotDone("the PSP does not accept our key".to_owned())),
        StatusCode::TOO_MANY_REQUESTS => Err(PspError::NotDone("the PSP says that these are too many requests".to_owned())),
        // Another request under the same key is under way; how it ends is not known yet.
        StatusCode::CONFLICT => Err(PspError::Unknown("the PSP is still at the same request".to_owned())),
        _ if status.is_client_error() => Err(PspError::Refused(refusal(&body))),
        _ => Err(PspError::Unknown(format!("the PSP answered {status}"))),
    }
}
