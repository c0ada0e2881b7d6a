//! The contract of the orders service: messages, client, server, events and typed ids.

kit_rpc::contract!("orders");
