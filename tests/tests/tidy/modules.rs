//! The rows of the module table, read from the source, so that these rules need no service to compile.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, ExprStruct, Lit};

use crate::{none, tree};

/// A service's `MODULE`.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) calls: Vec<String>,
    pub(crate) hears: Vec<String>,
    pub(crate) in_cells: bool,
    /// File names, in the order of the row.
    pub(crate) migrations: Vec<String>,
}

/// All services that have a row, by folder.
pub(crate) fn rows() -> BTreeMap<String, Row> {
    tree::folders("services").into_iter().filter_map(|folder| Some((folder.clone(), row(&folder)?))).collect()
}

fn row(folder: &str) -> Option<Row> {
    let text = std::fs::read_to_string(tree::root().join("services").join(folder).join("src/lib.rs")).unwrap();
    let mut reader = Reader::default();
    reader.visit_file(&syn::parse_file(&text).unwrap());
    reader.0
}

#[derive(Default)]
struct Reader(Option<Row>);

impl<'ast> Visit<'ast> for Reader {
    fn visit_expr_struct(&mut self, expression: &'ast ExprStruct) {
        if expression.path.is_ident("Module") {
            let mut row = Row::default();
            for field in &expression.fields {
                let syn::Member::Named(name) = &field.member else { continue };
                match name.to_string().as_str() {
                    "name" => row.name = strings(&field.expr).pop().unwrap_or_default(),
                    "calls" => row.calls = strings(&field.expr),
                    "hears" => row.hears = strings(&field.expr),
                    "in_cells" => row.in_cells = matches!(&field.expr, Expr::Lit(ExprLit { lit: Lit::Bool(value), .. }) if value.value),
                    "migrations" => row.migrations = strings(&field.expr),
                    _ => {}
                }
            }
            self.0 = Some(row);
        }
        visit::visit_expr_struct(self, expression);
    }
}

/// The string literals of an expression; the arguments of macros (`include_str!`) are not expressions and stay out.
fn strings(expression: &Expr) -> Vec<String> {
    struct Strings(Vec<String>);
    impl<'ast> Visit<'ast> for Strings {
        fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
            self.0.push(literal.value());
        }
    }
    let mut found = Strings(Vec::new());
    found.visit_expr(expression);
    found.0
}

#[test]
fn every_service_has_its_row_its_readme_and_all_its_migrations() {
    let rows = rows();
    let mut sins = Vec::new();
    for folder in tree::folders("services") {
        let home = tree::root().join("services").join(&folder);
        if !home.join("README.md").exists() {
            sins.push(format!("{folder} has no README.md"));
        }
        let Some(row) = rows.get(&folder) else {
            sins.push(format!("{folder} has no MODULE"));
            continue;
        };
        if row.name != folder {
            sins.push(format!("{folder} calls itself {}", row.name));
        }
        let mut files: Vec<String> = tree::files(&format!("services/{folder}/migrations"), &[".sql"])
            .into_iter()
            .map(|(path, _)| path.rsplit('/').next().unwrap().to_owned())
            .collect();
        files.sort();
        if row.migrations != files {
            sins.push(format!("{folder} lists the migrations {:?} and has {files:?}", row.migrations));
        }
    }
    none("incomplete services", &sins);
}

#[test]
fn calls_between_services_go_down_and_never_in_a_circle() {
    let rows = rows();
    let mut sins = Vec::new();
    let mut done = Vec::new();
    for row in rows.values() {
        sins.extend(
            row.calls
                .iter()
                .chain(&row.hears)
                .filter(|other| !rows.contains_key(*other))
                .map(|other| format!("{} uses {other}, which does not exist", row.name)),
        );
        visit_calls(&rows, &row.name, &mut Vec::new(), &mut done, &mut sins);
    }
    none("the call graph", &sins);
}

fn visit_calls(rows: &BTreeMap<String, Row>, name: &str, path: &mut Vec<String>, done: &mut Vec<String>, sins: &mut Vec<String>) {
    if path.iter().any(|passed| passed == name) {
        sins.push(format!("{} → {name}", path.join(" → ")));
        return;
    }
    if done.iter().any(|passed| passed == name) {
        return;
    }
    path.push(name.to_owned());
    for called in rows.get(name).into_iter().flat_map(|row| &row.calls) {
        visit_calls(rows, called, path, done, sins);
    }
    path.pop();
    done.push(name.to_owned());
}

#[test]
fn a_service_links_only_the_contracts_of_services_it_calls_or_hears() {
    let mut sins = Vec::new();
    for (folder, row) in rows() {
        for (path, text) in tree::files(&format!("services/{folder}/src"), &[".rs"]) {
            for (number, line) in text.lines().enumerate() {
                let named = line.split("links.to(\"").nth(1).and_then(|rest| rest.split('"').next());
                if let Some(named) = named.filter(|named| !row.calls.iter().any(|called| called == named)) {
                    sins.push(format!("{path}:{}: {named} is not among its calls", number + 1));
                }
            }
        }
    }
    none("undeclared calls", &sins);
}
