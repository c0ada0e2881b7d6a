//! The contract of the search service: messages, client, server, events and typed ids.

kit_rpc::contract!("search");
