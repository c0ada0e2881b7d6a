//! Where a page of hits ended: the sort key and the id of its last hit, so that pages neither repeat nor skip while the index changes.

use std::cmp::Reverse;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::collect::{COMPARED_FIRST, Found};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct After {
    pub(crate) key: u64,
    pub(crate) id: u128,
    /// How far the words were relaxed when the first page was found, so that later pages ask the same.
    pub(crate) step: u32,
    /// A hash of the query, filters and sort: a cursor belongs to one question.
    pub(crate) question: u64,
}

impl After {
    /// Whether a hit comes after it.
    pub(crate) fn precedes(self, found: &Found) -> bool {
        (found.key, Reverse(found.id)) < (self.key, Reverse(self.id))
    }

    pub(crate) const fn is_compared(self) -> bool {
        self.key & COMPARED_FIRST != 0
    }

    pub(crate) fn write(self) -> String {
        let mut bytes = Vec::with_capacity(36);
        bytes.extend(self.key.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.step.to_be_bytes());
        bytes.extend(self.question.to_be_bytes());
        BASE64.encode(bytes)
    }

    /// `None` when it is not one of ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        let (key, rest) = bytes.split_first_chunk::<8>()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (step, rest) = rest.split_first_chunk::<4>()?;
        let question: &[u8; 8] = rest.try_into().ok()?;
        Some(Self {
            key: u64::from_be_bytes(*key),
            id: u128::from_be_bytes(*id),
            step: u32::from_be_bytes(*step),
            question: u64::from_be_bytes(*question),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back(key: u64, id: u128, step: u32, question: u64) {
            let after = After { key, id, step, question };
            prop_assert_eq!(After::read(&after.write()), Some(after));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _read = After::read(&text);
        }
    }
}
