//! The contract of the inventory service: messages, client, server, events and typed ids.

kit_rpc::contract!("inventory");
