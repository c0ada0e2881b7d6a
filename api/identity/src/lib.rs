//! The contract of the identity service: messages, client, server, events and typed ids.

kit_rpc::contract!("identity");
