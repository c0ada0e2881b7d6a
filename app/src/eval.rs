//! `markethub eval`: the models and the search of the shop, measured on data nobody here made.

use std::path::Path;

use anyhow::Context;

use crate::cli::Eval;

pub(crate) fn run(what: &Eval, data: Option<&Path>) -> anyhow::Result<()> {
    let data = data.context("say with --data where the data sets are")?;
    match what {
        Eval::Recommendations => print!("{}", service_recommendations::eval::run(data)?),
    }
    Ok(())
}
