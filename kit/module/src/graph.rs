//! The call graph: calls go down, never in a circle; checked when a process starts and in a test.

use std::collections::BTreeMap;

use crate::Module;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("two modules are called {0}")]
    Twice(&'static str),
    #[error("{0} declares that it uses {1}, which is not a module")]
    Unknown(&'static str, &'static str),
    #[error("calls go in a circle: {0}")]
    Circle(String),
}

/// The table of modules is in order: names are unique and known, and no chain of calls comes back to where it began.
pub fn check_calls(modules: &[&'static Module]) -> Result<(), GraphError> {
    let mut by_name = BTreeMap::new();
    for module in modules {
        if by_name.insert(module.name, *module).is_some() {
            return Err(GraphError::Twice(module.name));
        }
    }
    for module in modules {
        if let Some(unknown) = module.calls.iter().chain(module.hears).find(|name| !by_name.contains_key(*name)) {
            return Err(GraphError::Unknown(module.name, unknown));
        }
    }
    let mut walk = Walk { by_name, path: Vec::new(), done: Vec::new() };
    modules.iter().try_for_each(|module| walk.visit(module.name))
}

/// The modules in an order in which each comes after those it calls.
pub fn in_call_order(modules: &[&'static Module]) -> Vec<&'static Module> {
    let by_name: BTreeMap<_, _> = modules.iter().map(|module| (module.name, *module)).collect();
    let mut walk = Walk { by_name, path: Vec::new(), done: Vec::new() };
    for module in modules {
        // A circle is an error of `check_calls`; here it only ends the chain.
        if walk.visit(module.name).is_err() {
            walk.path.clear();
        }
    }
    walk.done
}

struct Walk {
    by_name: BTreeMap<&'static str, &'static Module>,
    path: Vec<&'static str>,
    done: Vec<&'static Module>,
}

impl Walk {
    fn visit(&mut self, name: &'static str) -> Result<(), GraphError> {
        if self.path.contains(&name) {
            self.path.push(name);
            return Err(GraphError::Circle(self.path.join(" → ")));
        }
        let Some(module) = self.by_name.get(name).copied().filter(|module| !self.done.iter().any(|done| done.name == module.name)) else {
            return Ok(());
        };
        self.path.push(name);
        module.calls.iter().try_for_each(|called| self.visit(called))?;
        self.path.pop();
        self.done.push(module);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn module(name: &'static str, calls: &'static [&'static str]) -> Module {
        Module {
            name,
            calls,
            hears: &[],
            in_cells: false,
            migrations: &[],
            descriptors: &[],
            check: |_| Ok(()),
            start: |_| Box::pin(async { Err(anyhow::anyhow!("not to be started")) }),
        }
    }
    static CART: Module = module("cart", &["catalog", "inventory"]);
    static CATALOG: Module = module("catalog", &["inventory"]);
    static INVENTORY: Module = module("inventory", &[]);
    static CIRCULAR: Module = module("inventory", &["cart"]);

    #[test]
    fn calls_go_down_and_never_in_a_circle() {
        assert_eq!(check_calls(&[&CART, &CATALOG, &INVENTORY]), Ok(()));
        assert_eq!(check_calls(&[&CART, &CATALOG]), Err(GraphError::Unknown("cart", "inventory")));
        assert_eq!(check_calls(&[&CATALOG, &CATALOG]), Err(GraphError::Twice("catalog")));
        let circle = check_calls(&[&CART, &CATALOG, &CIRCULAR]).unwrap_err().to_string();
        assert_eq!(circle, "calls go in a circle: cart → catalog → inventory → cart");
    }

    #[test]
    fn what_is_called_comes_first() {
        let order: Vec<_> = in_call_order(&[&CART, &CATALOG, &INVENTORY]).iter().map(|module| module.name).collect();
        assert_eq!(order, ["inventory", "catalog", "cart"]);
    }
}
