//! SQL: only where data is owned, literal, valid against the migrated schema, and never without row-level security.

use kit_db::Schema;
use kit_db::testing::TestDatabase;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprLit, Lit};

use crate::modules::rows;
use crate::{none, tree};

/// Functions of sqlx that take a statement.
const TAKERS: [&str; 6] = ["query", "query_as", "query_scalar", "query_with", "query_as_with", "query_scalar_with"];

/// A statement; `None`: not a literal.
struct Statement {
    text: Option<String>,
}

impl Statement {
    /// The line of the file it begins on, found by its words; the whole file when it has none.
    fn line(&self, file: &str) -> usize {
        let beginning = self.text.as_ref().and_then(|text| text.lines().next().map(|line| format!("\"{}", line.trim_end())));
        beginning.and_then(|beginning| file.lines().position(|line| line.contains(&beginning))).map_or(1, |position| position + 1)
    }
}

#[derive(Default)]
struct Reader(Vec<Statement>);

impl<'ast> Visit<'ast> for Reader {
    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if let (Expr::Path(path), Some(first)) = (&*call.func, call.args.first()) {
            let segments: Vec<String> = path.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            let of_sqlx = segments.len() == 1 || segments.first().is_some_and(|first| first == "sqlx");
            if of_sqlx && segments.last().is_some_and(|last| TAKERS.contains(&last.as_str())) {
                let text = match first {
                    Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
                    _ => None,
                };
                // A function of our own may be called `query`; only text makes it one of sqlx.
                if text.is_some() || segments.len() > 1 {
                    self.0.push(Statement { text });
                }
            }
        }
        visit::visit_expr_call(self, call);
    }
}

fn statements(text: &str) -> Vec<Statement> {
    let mut reader = Reader::default();
    reader.visit_file(&syn::parse_file(text).unwrap());
    reader.0
}

#[test]
fn sql_is_only_where_data_is_owned() {
    let mut sins = Vec::new();
    for folder in ["kit", "api", "edge", "app", "sandbox", "bench"] {
        for (path, text) in tree::files(folder, &[".rs"]) {
            // The sample is a service of the house's own tests.
            if !path.starts_with("kit/db/") && !path.starts_with("kit/sample/") {
                sins.extend(statements(&text).iter().map(|statement| format!("{path}:{}", statement.line(&text))));
            }
        }
    }
    none("SQL outside of services and kit/db", &sins);
}

#[test]
fn sql_of_services_is_literal() {
    let mut sins = Vec::new();
    for (path, text) in tree::files("services", &[".rs"]).into_iter().filter(|(path, _)| path.contains("/src/")) {
        sins.extend(
            statements(&text).iter().filter(|statement| statement.text.is_none()).map(|statement| format!("{path}:{}", statement.line(&text))),
        );
    }
    none("statements that are put together at run time", &sins);
}

/// All services' schemas, from their migration files.
fn schemas() -> Vec<Schema> {
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let mut schemas = Vec::new();
    for (folder, row) in rows() {
        let files = tree::files(&format!("services/{folder}/migrations"), &[".sql"]);
        let files: Vec<(&'static str, &'static str)> =
            files.into_iter().map(|(path, text)| (leak(path.rsplit('/').next().unwrap().to_owned()), leak(text))).collect();
        schemas.push(Schema { service: leak(folder), in_cells: row.in_cells, migrations: Box::leak(files.into_boxed_slice()) });
    }
    schemas
}

async fn database() -> (TestDatabase, PgConnection, Vec<Schema>) {
    let schemas = schemas();
    let database = TestDatabase::create(&schemas).await.unwrap();
    let connection = PgConnection::connect(&database.url()).await.unwrap();
    (database, connection, schemas)
}

#[tokio::test]
async fn every_statement_is_valid_against_the_migrated_schema() {
    let (_database, mut connection, schemas) = database().await;
    let any = schemas.first().unwrap().service;
    let (mut sins, mut checked) = (Vec::new(), 0);
    let owned = schemas.iter().map(|schema| (schema.service, format!("services/{}/src", schema.service)));
    for (service, folder) in owned.chain([(any, "kit/db/src".to_owned())]) {
        sqlx::raw_sql(AssertSqlSafe(format!("set search_path = {service}, kit"))).execute(&mut connection).await.unwrap();
        for (path, text) in tree::files(&folder, &[".rs"]) {
            for statement in statements(&text) {
                let line = statement.line(&text);
                let Some(text) = statement.text else { continue };
                checked += 1;
                if let Err(error) = connection.prepare(AssertSqlSafe(text).into_sql_str()).await {
                    // The server of tests does not load the module that counts statements.
                    if !error.to_string().contains("pg_stat_statements") {
                        sins.push(format!("{path}:{line}: {error}"));
                    }
                }
            }
        }
    }
    none("statements that PostgreSQL refuses", &sins);
    println!("{checked} statements are valid");
}

#[tokio::test]
async fn every_table_of_a_tenant_has_forced_row_level_security() {
    let (_database, mut connection, _schemas) = database().await;
    let sins: Vec<String> = sqlx::query_scalar(
        "select n.nspname || '.' || c.relname || case
                when not c.relrowsecurity then ' has no row-level security'
                when not c.relforcerowsecurity then ' does not force its row-level security on its owner'
                else ' has no policy' end
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
           and (c.relrowsecurity or exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped))
           and not (c.relrowsecurity and c.relforcerowsecurity and exists (select from pg_policy p where p.polrelid = c.oid))
         order by 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    none("tables that could show one tenant's rows to another", &sins);
}

#[tokio::test]
async fn table_names_are_unique_across_services_and_no_key_crosses_a_schema() {
    let (_database, mut connection, _schemas) = database().await;
    let mut sins: Vec<String> = sqlx::query_scalar(
        "select c.relname || ' is in ' || string_agg(n.nspname, ', ' order by n.nspname)
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
           and c.relname not in ('event_log', 'event_cursor', 'dead_letter', 'job_run', 'idempotency')
         group by c.relname having count(*) > 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let crossing: Vec<String> = sqlx::query_scalar(
        "select k.conname::text from pg_constraint k join pg_class a on a.oid = k.conrelid join pg_class b on b.oid = k.confrelid where k.contype = 'f' and a.relnamespace <> b.relnamespace",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    sins.extend(crossing.into_iter().map(|name| format!("the foreign key {name} crosses schemas")));
    none("schemas that are not independent", &sins);
}

#[tokio::test]
async fn nothing_is_owned_by_the_application_or_runs_with_more_rights_than_its_caller() {
    let (_database, mut connection, _schemas) = database().await;
    let sins: Vec<String> = sqlx::query_scalar(
        "select c.relname || ' is owned by mh_app' from pg_class c where pg_get_userbyid(c.relowner) = 'mh_app'
         union all select p.proname || ' is security definer' from pg_proc p join pg_namespace n on n.oid = p.pronamespace
            where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
         union all select c.relname || ' is a view that does not check its caller' from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind = 'v' and n.nspname not in ('pg_catalog', 'information_schema', 'public') and not coalesce('security_invoker=true' = any(c.reloptions), false)",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    none("rights that reach too far", &sins);
}
