//! The templates: one function each, from what an event says to a letter. The table at the end lists all of them with samples,
//! from which operators see them and the tests check them.

pub(crate) mod account;
pub(crate) mod order;
pub(crate) mod returned;
mod sample;
pub(crate) mod store;

pub(crate) use sample::samples;

use kit_core::Money;
use kit_rpc::proto;

use crate::letter::Letter;

/// Why people get a message; what may be switched off is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topic {
    Security,
    Orders,
    Tenant,
    Sales,
    Stock,
}

impl Topic {
    pub(crate) const ALL: [Self; 5] = [Self::Security, Self::Orders, Self::Tenant, Self::Sales, Self::Stock];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Orders => "orders",
            Self::Tenant => "tenant",
            Self::Sales => "sales",
            Self::Stock => "stock",
        }
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.text() == text)
    }
}

/// A filled template.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub template: &'static str,
    pub topic: Topic,
    pub letter: Letter,
}

/// How links into the market begin.
#[derive(Debug, Clone)]
pub(crate) struct Site(pub String);

impl Site {
    fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Under every message that somebody may do without.
    fn switch_off(&self) -> String {
        format!("You can switch these messages off: {}", self.link("/account/notifications"))
    }
}

/// "Hello Ann," or, without a name, "Hello,".
fn hello(name: &str) -> String {
    if name.trim().is_empty() { "Hello,".to_owned() } else { format!("Hello {},", name.trim()) }
}

/// An amount as people read it; nothing when the event has none.
fn money(amount: Option<&proto::Money>) -> String {
    amount.and_then(|amount| Money::try_from(amount).ok()).map(|money| money.to_string()).unwrap_or_default()
}

/// A moment as people read it.
fn moment(at: Option<&prost_types::Timestamp>) -> String {
    at.map(|at| kit_rpc::time(at).format("%-d %B %Y, %H:%M UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_template_has_a_name_of_its_own_and_reads_well() {
        let samples = samples(&Site("https://market.example".to_owned()));
        let names: BTreeSet<&str> = samples.iter().map(|message| message.template).collect();
        assert_eq!(names.len(), samples.len());
        for Message { template, letter, .. } in samples {
            let text = letter.text();
            assert!(!letter.subject.is_empty() && letter.subject.chars().count() <= 120, "{template}: {}", letter.subject);
            // A value that was missing leaves a double blank, a blank before a full stop, or an empty pair of quotes.
            for flaw in ["  ", " .", " ,", "\"\"", "{", "}"] {
                assert!(!text.contains(flaw) && !letter.subject.contains(flaw), "{template}: {text}");
            }
            assert!(letter.html().contains("https://market.example/"), "{template} leads nowhere");
        }
    }
}
