//! The catalog service.

mod config;
mod error;
mod feed;
mod model;
