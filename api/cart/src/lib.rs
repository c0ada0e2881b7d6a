//! The contract of the cart service: messages, client, server, events and typed ids.

kit_rpc::contract!("cart");
