//! The contract of the admin service: messages, client, server, events and typed ids.

kit_rpc::contract!("admin");
