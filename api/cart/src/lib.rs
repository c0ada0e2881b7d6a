//! The contract of the cart service: messages, client, server, events and typed ids.
//! A cart has no id of its own: it belongs to exactly one buyer or guest, whose id names it.

kit_rpc::contract!("cart");
