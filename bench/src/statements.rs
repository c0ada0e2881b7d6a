//! SQL statements and WAL per operation, from the server's own counters before and after a run.

use http::Method;
use hyper::body::Bytes;

use crate::http::{Caller, Http};

/// Counters of `/metrics` that a run divides by its operations.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub statements: Option<f64>,
    pub memory_bytes: Option<f64>,
}

pub(crate) async fn read(http: &Http) -> Counters {
    let Ok(answer) = http.send(Method::GET, "/metrics", &Caller::default(), "", Bytes::new()).await else { return Counters::default() };
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    Counters { statements: sum(&text, "mh_sql_statements_total"), memory_bytes: sum(&text, "process_resident_memory_bytes") }
}

/// The sum of one metric over its labels; `None` when the server does not tell it.
fn sum(metrics: &str, name: &str) -> Option<f64> {
    let values = metrics.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        if !rest.starts_with([' ', '{']) {
            return None;
        }
        rest.rsplit(' ').next()?.parse::<f64>().ok()
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_summed_over_its_labels_and_not_confused_with_longer_names() {
        let metrics =
            "# HELP x\nmh_sql_statements_total{service=\"a\"} 2\nmh_sql_statements_total{service=\"b\"} 3.5\nmh_sql_statements_total_created 9\n";
        assert_eq!(sum(metrics, "mh_sql_statements_total"), Some(5.5));
        assert_eq!(sum(metrics, "absent"), None);
    }
}
