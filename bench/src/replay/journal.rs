//! What a replay has done, one line of JSON each, so that it goes on where it was stopped. Written before and after each order: what is begun twice
//! ends once, because a checkout becomes one order however often it is placed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::plan::Sku;

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entry {
    Begun(Begun),
    /// The goods are on the shelf.
    Stocked,
    /// About to be placed: who buys, and by which checkout.
    Placing {
        sale: String,
        checkout: String,
        token: String,
    },
    Placed {
        sale: String,
        order: Placed,
    },
    /// What was about to be placed was not, and cannot be any more.
    Forgotten {
        sale: String,
    },
    /// Pieces of a sale taken back for an invoice; what is kept of each thing.
    Taken {
        invoice: String,
        sale: String,
        kept: BTreeMap<Sku, i64>,
    },
    /// A day's goods are written off.
    WrittenOff {
        day: String,
    },
}

/// Which history this is a journal of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    /// The shop's name and its owner's e-mail end with it, so that each replay has a shop of its own.
    pub mark: String,
    pub invoices: usize,
    pub lines: usize,
    pub sum: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Placed {
    pub sub_order: String,
    pub total_minor: i64,
    /// Each thing's line in the order, and how many pieces of it are left.
    pub items: BTreeMap<Sku, (String, i64)>,
}

/// What is known of the past.
#[derive(Debug, Default)]
pub(super) struct Past {
    pub begun: Option<Begun>,
    pub stocked: bool,
    pub placing: BTreeMap<String, (String, String)>,
    pub placed: BTreeMap<String, Placed>,
    pub taken: std::collections::BTreeSet<(String, String)>,
    pub written_off: std::collections::BTreeSet<String>,
}

impl Past {
    fn note(&mut self, entry: Entry) {
        match entry {
            Entry::Begun(begun) => self.begun = Some(begun),
            Entry::Stocked => self.stocked = true,
            Entry::Placing { sale, checkout, token } => {
                self.placing.insert(sale, (checkout, token));
            }
            Entry::Placed { sale, order } => {
                self.placing.remove(&sale);
                self.placed.insert(sale, order);
            }
            Entry::Forgotten { sale } => {
                self.placing.remove(&sale);
            }
            Entry::Taken { invoice, sale, kept } => {
                if let Some(order) = self.placed.get_mut(&sale) {
                    for (sku, pieces) in kept {
                        if let Some((_, left)) = order.items.get_mut(&sku) {
                            *left = pieces;
                        }
                    }
                }
                self.taken.insert((invoice, sale));
            }
            Entry::WrittenOff { day } => {
                self.written_off.insert(day);
            }
        }
    }
}

pub(super) struct Journal {
    file: Mutex<File>,
    past: Mutex<Past>,
}

impl Journal {
    /// Opens the journal and reads it; a last line that was cut off is forgotten.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let place = || format!("the journal {}", path.display());
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path).with_context(place)?;
        let mut past = Past::default();
        let (mut whole, mut reader) = (0, BufReader::new(&file));
        let mut line = String::new();
        while reader.read_line(&mut line).with_context(place)? > 0 {
            if !line.ends_with('\n') {
                break;
            }
            past.note(serde_json::from_str(&line).with_context(place)?);
            whole += u64::try_from(line.len())?;
            line.clear();
        }
        file.set_len(whole).with_context(place)?;
        file.flush()?;
        Ok(Self { file: Mutex::new(file), past: Mutex::new(past) })
    }

    /// Makes sure that the journal is of this history.
    pub(super) fn begin(&self, wanted: Begun) -> anyhow::Result<Begun> {
        let known = self.past(|past| past.begun.clone());
        let Some(known) = known else {
            self.write(Entry::Begun(wanted.clone()))?;
            return Ok(wanted);
        };
        let wanted = Begun { mark: known.mark.clone(), ..wanted };
        ensure!(known == wanted, "the journal is of another part of the history ({} invoices): name another with --journal", known.invoices);
        Ok(known)
    }

    pub(super) fn past<T>(&self, read: impl FnOnce(&Past) -> T) -> T {
        read(&self.past.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn write(&self, entry: Entry) -> anyhow::Result<()> {
        let mut line = serde_json::to_string(&entry)?;
        line.push('\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes()).context("the journal cannot be written")?;
        self.past.lock().unwrap_or_else(PoisonError::into_inner).note(entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_was_cut_off_goes_on_with_what_is_whole() {
        let path = std::env::temp_dir().join(format!("markethub-replay-{}.journal", std::process::id()));
        let begun = Begun { mark: "x".to_owned(), invoices: 3, lines: 9, sum: 27 };
        let order =
            Placed { sub_order: "sub_1".to_owned(), total_minor: 510, items: BTreeMap::from([("A@255".to_owned(), ("itm_1".to_owned(), 2))]) };
        {
            let journal = Journal::open(&path).unwrap();
            assert_eq!(journal.begin(begun.clone()).unwrap(), begun);
            journal.write(Entry::Placing { sale: "1-1".to_owned(), checkout: "chk_1".to_owned(), token: "t".to_owned() }).unwrap();
            journal.write(Entry::Placed { sale: "1-1".to_owned(), order }).unwrap();
            let kept = BTreeMap::from([("A@255".to_owned(), 1)]);
            journal.write(Entry::Taken { invoice: "C2".to_owned(), sale: "1-1".to_owned(), kept }).unwrap();
        }
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"placing\":{\"sale\":").unwrap();
        let journal = Journal::open(&path).unwrap();
        let left = journal.past(|past| past.placed["1-1"].items["A@255"].1);
        assert_eq!((left, journal.past(|past| past.placing.len())), (1, 0));
        journal.write(Entry::Stocked).unwrap();
        drop(journal);
        assert!(Journal::open(&path).unwrap().past(|past| past.stocked));
        journal_is_of_one_history(&path, begun);
        std::fs::remove_file(&path).unwrap();
    }

    fn journal_is_of_one_history(path: &Path, begun: Begun) {
        let journal = Journal::open(path).unwrap();
        let same = Begun { mark: "y".to_owned(), ..begun.clone() };
        assert_eq!(journal.begin(same).unwrap(), begun);
        journal.begin(Begun { invoices: 4, ..begun }).unwrap_err();
    }
}
