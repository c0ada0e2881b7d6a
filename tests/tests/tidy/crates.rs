//! Which crate may use which: `kit/core ← kit/* ← api/* ← services/*, edge/* ← app`.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::{none, tree};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Core,
    Kit,
    Api,
    Service,
    Edge,
    App,
    /// Parties of their own that MarketHub meets only over HTTP, and tools that measure it from outside.
    Outside,
    Tests,
}

fn layer(path: &str) -> Option<Layer> {
    Some(match path.split('/').collect::<Vec<_>>().as_slice() {
        ["kit", "core"] => Layer::Core,
        ["kit", _] => Layer::Kit,
        ["api", _] => Layer::Api,
        ["services", _] => Layer::Service,
        ["edge", _] => Layer::Edge,
        ["app"] => Layer::App,
        ["sandbox" | "bench"] => Layer::Outside,
        ["tests"] => Layer::Tests,
        _ => return None,
    })
}

fn may_use(from: Layer, to: Layer) -> bool {
    use Layer::{Api, App, Core, Edge, Kit, Outside, Service, Tests};
    match from {
        Core => false,
        Kit => matches!(to, Core | Kit),
        Api => matches!(to, Core | Kit),
        Service | Edge => matches!(to, Core | Kit | Api),
        Outside => matches!(to, Core),
        App => !matches!(to, Tests),
        Tests => !matches!(to, App),
    }
}

#[test]
fn crates_use_only_what_lies_below_them() {
    let metadata = MetadataCommand::new().manifest_path(tree::root().join("Cargo.toml")).no_deps().exec().unwrap();
    let folder = |manifest: &cargo_metadata::camino::Utf8Path| manifest.parent().unwrap().strip_prefix(&metadata.workspace_root).unwrap().to_string();
    let layers: BTreeMap<String, Option<Layer>> =
        metadata.packages.iter().map(|package| (package.name.to_string(), layer(&folder(&package.manifest_path)))).collect();
    let mut sins: Vec<String> =
        layers.iter().filter(|(_, layer)| layer.is_none()).map(|(name, _)| format!("{name} is in none of the known folders")).collect();
    for package in &metadata.packages {
        // A test may start other services; what is shipped may not contain them.
        let shipped = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        for dependency in shipped {
            if let (Some(Some(from)), Some(Some(to))) = (layers.get(package.name.as_str()), layers.get(&dependency.name))
                && !may_use(*from, *to)
            {
                sins.push(format!("{} ({from:?}) uses {} ({to:?})", package.name, dependency.name));
            }
        }
    }
    none("crates use what they may not", &sins);
}

#[test]
fn every_crate_follows_the_workspaces_lints_and_versions() {
    let mut sins = Vec::new();
    for (path, text) in tree::files("", &["Cargo.toml"]) {
        if path == "Cargo.toml" {
            continue;
        }
        if !text.contains("[lints]\nworkspace = true") {
            sins.push(format!("{path} does not take the workspace's lints"));
        }
        let own_version = |line: &&str| {
            line.contains("version = \"")
                || line
                    .split_once(" = ")
                    .is_some_and(|(_, value)| value.starts_with('"') && value.trim_matches('"').starts_with(|c: char| c.is_ascii_digit()))
        };
        let dependencies =
            text.split("dependencies]").skip(1).flat_map(|part| part.split("\n[").next().unwrap_or_default().lines().collect::<Vec<_>>());
        sins.extend(dependencies.filter(own_version).map(|line| format!("{path}: {line} (versions belong into the workspace's Cargo.toml)")));
    }
    none("crates that go their own way", &sins);
}
