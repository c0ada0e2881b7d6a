//! Reading: product pages.

use std::sync::Arc;

use http::Method;
use hyper::body::Bytes;

use super::{open_loop, pick};
use crate::http::{Caller, Http};
use crate::report::Report;
use crate::{BenchArgs, market};

pub(super) async fn page(args: &BenchArgs, http: &Http) -> anyhow::Result<Report> {
    let sellables = Arc::new(market::sellables(http).await?);
    let what = format!("HTML product pages of {} products, a different one each time", sellables.len());
    let report = open_loop("page", what, 100, args, http, |number| {
        let (http, sellables) = (http.clone(), Arc::clone(&sellables));
        async move {
            let sellable = pick(&sellables, number)?;
            let path = format!("/p/{}/{}", sellable.slug, sellable.product_id);
            let body = http.send(Method::GET, &path, &Caller::default(), "", Bytes::new()).await?.ok(&path)?;
            anyhow::ensure!(body.len() > 1000, "{path}: the page has only {} bytes", body.len());
            Ok(())
        }
    });
    report.await
}
