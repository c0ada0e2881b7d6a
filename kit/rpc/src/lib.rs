//! How services meet: contracts, links (in process or over gRPC), the context that travels with every call, and errors.

pub mod contract;
mod ctx;
mod download;
mod link;
mod status;
mod traffic;
pub mod wire;

/// Messages that all contracts share.
#[expect(clippy::as_conversions, reason = "the generated code has some")]
pub mod proto {
    tonic::include_proto!("kit.v1");
    pub mod google_api {
        tonic::include_proto!("google.api");
    }
    /// The descriptors of the shared messages, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}

pub use ctx::{Actor, CTX_HEADER, Ctx, CtxKey, MAC_HEADER};
pub use download::{disposition, download};
pub use link::{Link, Links, grpc_timeout};
pub use status::{Problem, denied, http_status, invalid, parse, problem_of, required, retry_later, status, violation};
pub use traffic::Traffic;

use kit_core::{Address, Currency, Money, MoneyError, Time};

/// Includes what `kit_build::contract` made: the generated module and its descriptors.
#[macro_export]
macro_rules! contract {
    ($service:literal) => {
        #[expect(clippy::as_conversions, reason = "the generated code has some")]
        mod generated {
            include!(concat!(env!("OUT_DIR"), "/markethub.", $service, ".v1.rs"));
        }
        pub use generated::*;

        /// The contract as a serialized `FileDescriptorSet`, from which the edge makes REST routes and OpenAPI.
        pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    };
}

impl From<Money> for proto::Money {
    fn from(money: Money) -> Self {
        Self { amount_minor: money.minor, currency: money.currency.to_string() }
    }
}

impl TryFrom<&proto::Money> for Money {
    type Error = MoneyError;
    fn try_from(money: &proto::Money) -> Result<Self, MoneyError> {
        Ok(Self::new(money.amount_minor, money.currency.parse::<Currency>()?))
    }
}

impl From<Address> for proto::Address {
    fn from(address: Address) -> Self {
        let Address { name, company, line1, line2, city, subdivision, postal_code, country, phone } = address;
        Self { name, company, line1, line2, city, subdivision, postal_code, country, phone }
    }
}

impl From<proto::Address> for Address {
    fn from(address: proto::Address) -> Self {
        let proto::Address { name, company, line1, line2, city, subdivision, postal_code, country, phone } = address;
        Self { name, company, line1, line2, city, subdivision, postal_code, country, phone }
    }
}

/// A moment as contracts write it.
pub fn timestamp(time: Time) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.timestamp(), nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default() }
}

/// A moment as contracts write it, read back; a moment outside chrono's range reads as the epoch.
pub fn time(timestamp: &prost_types::Timestamp) -> Time {
    Time::from_timestamp(timestamp.seconds, u32::try_from(timestamp.nanos).unwrap_or_default()).unwrap_or_default()
}
