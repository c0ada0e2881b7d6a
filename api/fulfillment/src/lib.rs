//! The contract of the fulfillment service: messages, client, server, events and typed ids.

kit_rpc::contract!("fulfillment");
