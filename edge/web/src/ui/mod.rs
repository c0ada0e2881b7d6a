//! The design system: the frames pages stand in and the pieces they are made of. Style lives in `assets/css`, one layer per file;
//! nothing here writes an inline style or script, which the content security policy would refuse.

pub(crate) mod form;
mod frame;
mod pieces;
mod product;
pub(crate) mod show;

pub(crate) use frame::{Area, Head, checkout_frame, page, portal};
pub(crate) use pieces::*;
pub(crate) use product::*;
