//! A tiny service with one operation of every kind, for the tests of what is built from contracts: the layers around services,
//! the REST edge, links between processes. It is no part of the market.

mod books;
mod stand;

pub mod api {
    kit_rpc::contract!("shelf");
}

use kit_module::Module;

pub use stand::Stand;

pub static MODULE: Module = Module {
    name: "shelf",
    calls: &[],
    hears: &[],
    in_cells: false,
    migrations: &[("0001_book.sql", "create table book (book_id uuid primary key, version integer not null default 1, book bytea not null);")],
    descriptors: api::DESCRIPTORS,
    check: |_| Ok(()),
    start: |start| Box::pin(async move { books::start(start) }),
};
