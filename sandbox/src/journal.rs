//! The journal: JSON lines, appended and synced to disk in groups, replayed at start. A line is a whole payment as it became, so that
//! replay is "the last line wins" and a torn last line loses only what was never answered.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::cards::Card;
use crate::model::Payment;
use crate::webhooks::{HookSender, Waiting};

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Change {
        payment: Box<Payment>,
        /// Events that tell of this change and are to be delivered.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        events: Vec<EventHead>,
        /// The card form's token this used up.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        used_token: Option<String>,
    },
    Token(Token),
    Method(Method),
    MethodDeleted(String),
    /// Events the merchant has taken.
    Delivered(Vec<String>),
}

/// An event without its payment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventHead {
    pub(crate) id: String,
    pub(crate) word: String,
    pub(crate) created_ms: i64,
}

/// A card as the card form left it, to be used once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) card: Card,
    pub(crate) expires_ms: i64,
}

/// A card kept for later payments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Method {
    pub(crate) id: String,
    pub(crate) card: Card,
}

/// Lines written together at most.
const MAX_GROUP: usize = 1_024;

struct Append {
    line: Vec<u8>,
    /// Sent to the merchant once the line is on disk, never before.
    events: Vec<Waiting>,
    saved: Option<oneshot::Sender<()>>,
}

/// Appends lines from any thread; one thread writes and syncs.
pub(crate) struct Journal {
    appends: Mutex<Option<mpsc::Sender<Append>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Journal {
    /// Opens for appending behind what `replay` has read.
    pub(crate) fn open(path: &Path, hooks: HookSender) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path).with_context(|| format!("cannot write {}", path.display()))?;
        let (sender, receiver) = mpsc::channel();
        let writer = std::thread::Builder::new().name("sandbox-journal".to_owned()).spawn(move || write_out(file, &receiver, &hooks))?;
        Ok(Self { appends: Mutex::new(Some(sender)), writer: Mutex::new(Some(writer)) })
    }

    /// Appends a line. The receiver answers once it is on disk, and is dropped when it cannot be written.
    pub(crate) fn append(&self, line: Vec<u8>, events: Vec<Waiting>) -> oneshot::Receiver<()> {
        let (saved, receiver) = oneshot::channel();
        self.send(Append { line, events, saved: Some(saved) });
        receiver
    }

    /// Appends a line nobody waits for: losing it costs a repetition, no money.
    pub(crate) fn note(&self, line: Vec<u8>) {
        self.send(Append { line, events: Vec::new(), saved: None });
    }

    /// Answers once everything appended before is on disk.
    pub(crate) fn barrier(&self) -> oneshot::Receiver<()> {
        self.append(Vec::new(), Vec::new())
    }

    /// Writes out what is left and ends.
    pub(crate) fn close(&self) {
        self.appends.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(writer) = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take() {
            let _panicked = writer.join();
        }
    }

    fn send(&self, append: Append) {
        let appends = self.appends.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(sender) = appends.as_ref() {
            // A writer that has ended drops the append, and its waiter learns that nothing is promised.
            let _not_promised = sender.send(append);
        }
    }
}

fn write_out(mut file: File, appends: &mpsc::Receiver<Append>, hooks: &HookSender) {
    let mut buffer = Vec::with_capacity(64 * 1024);
    while let Ok(first) = appends.recv() {
        let mut group = vec![first];
        while group.len() < MAX_GROUP {
            let Ok(next) = appends.try_recv() else { break };
            group.push(next);
        }
        buffer.clear();
        for append in group.iter().filter(|append| !append.line.is_empty()) {
            buffer.extend_from_slice(&append.line);
            buffer.push(b'\n');
        }
        if let Err(error) = write_group(&mut file, &buffer) {
            tracing::error!(%error, "the sandbox PSP cannot write its journal");
            continue;
        }
        for append in group {
            append.events.into_iter().for_each(|event| hooks.send(event));
            // Nobody may be waiting any more: the caller hung up.
            append.saved.map(|saved| saved.send(()));
        }
    }
}

/// Writes and syncs, or takes back what was written of it.
fn write_group(file: &mut File, buffer: &[u8]) -> std::io::Result<()> {
    if buffer.is_empty() {
        return Ok(());
    }
    let length = file.seek(SeekFrom::End(0))?;
    let written = file.write_all(buffer).and_then(|()| file.sync_data());
    if written.is_err() {
        file.set_len(length)?;
    }
    written
}

/// Reads a journal back, line by line; a torn last line is cut off, an unreadable one in between is an error.
pub(crate) fn replay<T: DeserializeOwned>(path: &Path, mut apply: impl FnMut(T)) -> Result<()> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut reader = BufReader::new(file);
    let (mut line, mut number, mut good) = (Vec::new(), 0_u64, 0_u64);
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            tracing::warn!(path = %path.display(), "the last line was torn and is dropped; nothing in it was ever answered");
            OpenOptions::new().write(true).open(path)?.set_len(good)?;
            return Ok(());
        }
        number += 1;
        apply(serde_json::from_slice(&line).with_context(|| format!("line {number} of {} is not readable", path.display()))?);
        good += u64::try_from(length)?;
    }
}

/// Replaces a journal by a shorter one that replays to the same.
pub(crate) fn rewrite<'a>(path: &Path, records: impl Iterator<Item = Record> + 'a) -> Result<()> {
    let fresh = PathBuf::from(format!("{}.new", path.display()));
    let mut writer = std::io::BufWriter::new(File::create(&fresh).with_context(|| format!("cannot write {}", fresh.display()))?);
    for record in records {
        serde_json::to_writer(&mut writer, &record)?;
        writer.write_all(b"\n")?;
    }
    writer.into_inner().context("cannot write out the journal")?.sync_all()?;
    std::fs::rename(&fresh, path)?;
    // The new name must be on disk before anything is appended under it.
    let folder = path.parent().context("the journal lies in a folder")?;
    File::open(folder)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_is_dropped_and_a_broken_one_in_between_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let line = serde_json::to_string(&Record::MethodDeleted("pm_1".to_owned())).unwrap();
        std::fs::write(&path, format!("{line}\n{line}\n{{\"method_dele")).unwrap();
        let count = |path: &Path| {
            let mut count = 0;
            replay(path, |_: Record| count += 1).map(|()| count)
        };
        assert_eq!(count(&path).unwrap(), 2);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{line}\n{line}\n"), "the torn line is cut off before anything is appended");
        std::fs::write(&path, format!("{line}\nnonsense\n{line}\n")).unwrap();
        assert!(count(&path).unwrap_err().to_string().contains("line 2"));
    }
}
