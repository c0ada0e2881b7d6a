//! The table of services. To add one: its row here, its dependency in `Cargo.toml`.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use kit_module::Module;

/// Every service of the market.
pub(crate) const MODULES: &[&Module] = &[
    &service_identity::MODULE,
    &service_tenants::MODULE,
    &service_catalog::MODULE,
    &service_inventory::MODULE,
    &service_search::MODULE,
    &service_analytics::MODULE,
    &service_recommendations::MODULE,
    &service_cart::MODULE,
    &service_orders::MODULE,
    &service_payments::MODULE,
    &service_fulfillment::MODULE,
    &service_notifications::MODULE,
    &service_admin::MODULE,
];

pub(crate) fn names() -> Vec<&'static str> {
    MODULES.iter().map(|module| module.name).collect()
}

/// (service, its contract)
pub(crate) fn contracts() -> Vec<(&'static str, &'static [u8])> {
    MODULES.iter().map(|module| (module.name, module.descriptors)).collect()
}

/// Which services run here and where the others are.
pub(crate) struct Plan {
    pub(crate) here: Vec<&'static Module>,
    pub(crate) remotes: BTreeMap<&'static str, String>,
}

impl Plan {
    pub(crate) fn all_here() -> Self {
        Self { here: MODULES.to_vec(), remotes: BTreeMap::new() }
    }

    /// From `--services` and `--remote`. Everything a service here calls or hears must be here or have an address.
    pub(crate) fn new(services: &[String], remote: &[String]) -> anyhow::Result<Self> {
        kit_module::check_calls(MODULES)?;
        let mut remotes = BTreeMap::new();
        for given in remote {
            let (names, url) = given.split_once('=').with_context(|| format!("--remote {given} must be like catalog=http://127.0.0.1:9001"))?;
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                bail!("--remote {given}: the address must begin with http://");
            }
            for name in names.split(',') {
                remotes.insert(named(name)?.name, url.trim_end_matches('/').to_owned());
            }
        }
        let here = if services.is_empty() {
            MODULES.iter().copied().filter(|module| !remotes.contains_key(module.name)).collect()
        } else {
            services.iter().map(|name| named(name)).collect::<anyhow::Result<Vec<_>>>()?
        };
        let plan = Self { here, remotes };
        for module in &plan.here {
            if let Some(address) = plan.remotes.get(module.name) {
                bail!("{} is to run here and at {address}: choose one", module.name);
            }
            if let Some(missing) = module.calls.iter().chain(module.hears).find(|name| !plan.reaches(name)) {
                bail!(
                    "{} needs {missing}, which is neither here nor elsewhere: add it to --services, or say where it is with --remote {missing}=http://…",
                    module.name
                );
            }
        }
        Ok(plan)
    }

    pub(crate) fn reaches(&self, name: &str) -> bool {
        self.here.iter().any(|module| module.name == name) || self.remotes.contains_key(name)
    }

    /// The edges need every service.
    pub(crate) fn reaches_all(&self) -> bool {
        MODULES.iter().all(|module| self.reaches(module.name))
    }
}

fn named(name: &str) -> anyhow::Result<&'static Module> {
    let found = MODULES.iter().copied().find(|module| module.name == name.trim());
    found.with_context(|| format!("there is no service {name:?}; there are {}", names().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_between_services_go_down_and_never_in_a_circle() {
        kit_module::check_calls(MODULES).unwrap();
    }

    #[test]
    fn a_split_must_leave_nothing_out() {
        let given = |services: &[&str], remote: &[&str]| {
            Plan::new(&services.iter().map(ToString::to_string).collect::<Vec<_>>(), &remote.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert!(given(&[], &[]).unwrap().reaches_all());
        let rest: Vec<_> = names().into_iter().filter(|name| *name != "inventory").collect();
        let plan = given(&[], &[&format!("{}=http://127.0.0.1:9001", rest.join(","))]).unwrap();
        assert_eq!(plan.here.len(), 1);
        let told = given(&["cart"], &[]).err().unwrap().to_string();
        assert!(told.contains("cart needs") && told.contains("--remote"), "{told}");
        assert!(given(&["crat"], &[]).err().unwrap().to_string().contains("there is no service"));
    }
}
