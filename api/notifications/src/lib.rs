//! The contract of the notifications service: messages, client, server, events and typed ids.

kit_rpc::contract!("notifications");
