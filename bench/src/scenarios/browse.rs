//! Reading: product pages.

use std::sync::Arc;

use http::Method;
use hyper::body::Bytes;

use super::open_loop;
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

/// The `number`-th of a list, round and round; an odd stride visits all of it in no obvious order.
fn pick<T>(list: &[T], number: u64) -> anyhow::Result<&T> {
    let length = u64::try_from(list.len())?.max(1);
    let at = usize::try_from(number.wrapping_mul(7919) % length)?;
    list.get(at).ok_or_else(|| anyhow::anyhow!("there is nothing to ask for"))
}
