//! The tenants service.
