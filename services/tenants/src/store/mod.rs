//! One function per query.

pub(crate) mod staff;
pub(crate) mod tenant;
