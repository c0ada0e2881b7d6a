//! The contract of the tenants service: messages, client, server, events and typed ids.

kit_rpc::contract!("tenants");
