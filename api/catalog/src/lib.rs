//! The contract of the catalog service: messages, client, server, events and typed ids.

kit_rpc::contract!("catalog");
