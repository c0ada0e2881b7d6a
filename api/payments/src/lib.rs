//! The contract of the payments service: messages, client, server, events and typed ids.

kit_rpc::contract!("payments");
