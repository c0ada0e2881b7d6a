//! Where the index lies: directories `index-<n>` under the data directory, and a file `current` that names the one in use. A new
//! index is built next to the old one and `current` is replaced in one step, so that a search never meets half an index.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tantivy::indexer::IndexWriterOptions;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, Searcher, TantivyError};

use super::{Fields, SHAPE};
use crate::error::Error;

/// Blocks of stored documents kept unpacked; what is shown often is cached above this.
const STORE_BLOCKS: usize = 16;

/// Segments of about one size that are made one. Every search visits each segment, so few are worth some more writing.
const MERGED_AT_ONCE: usize = 4;

/// One opened index.
pub(crate) struct Live {
    name: String,
    index: Index,
    reader: IndexReader,
    /// The newest transaction whose listings are in it and visible.
    revision: AtomicI64,
}

pub(crate) struct Home {
    root: PathBuf,
    pub(crate) fields: Fields,
    live: RwLock<Arc<Live>>,
    /// Grows whenever searches may find something else.
    generation: AtomicU64,
}

impl Live {
    fn open(root: &Path, name: &str, fields: &Fields) -> Result<Self, Error> {
        let index = Index::open_in_dir(root.join(name))?;
        if index.schema() != fields.schema || index.load_metas()?.payload.is_some_and(|payload| !payload.starts_with(&format!("{SHAPE}:"))) {
            return Err(Error::Index("the index has another shape".to_owned()));
        }
        Self::over(index, name)
    }

    fn create(root: &Path, name: &str, fields: &Fields) -> Result<Self, Error> {
        let directory = root.join(name);
        fs::create_dir_all(&directory)?;
        Self::over(Index::create_in_dir(&directory, fields.schema.clone())?, name)
    }

    fn over(index: Index, name: &str) -> Result<Self, Error> {
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).doc_store_cache_num_blocks(STORE_BLOCKS).try_into()?;
        let live = Self { name: name.to_owned(), revision: AtomicI64::new(0), index, reader };
        live.revision.store(live.stored_revision()?, Ordering::SeqCst);
        Ok(live)
    }

    /// The revision in the newest commit, also of another process.
    pub(crate) fn stored_revision(&self) -> Result<i64, Error> {
        let payload = self.index.load_metas()?.payload.unwrap_or_default();
        Ok(payload.split_once(':').and_then(|(_, revision)| revision.parse().ok()).unwrap_or_default())
    }

    /// The writer, unless another process has it.
    pub(crate) fn writer(&self, heap_bytes: usize) -> Result<Option<IndexWriter>, Error> {
        let options = IndexWriterOptions::builder().memory_budget_per_thread(heap_bytes).num_worker_threads(1).num_merge_threads(1).build();
        match self.index.writer_with_options(options) {
            Ok(writer) => {
                let mut merging = LogMergePolicy::default();
                merging.set_min_num_segments(MERGED_AT_ONCE);
                writer.set_merge_policy(Box::new(merging));
                Ok(Some(writer))
            }
            Err(TantivyError::LockFailure(..)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    pub(crate) fn revision(&self) -> i64 {
        self.revision.load(Ordering::SeqCst)
    }
}

/// Commits with the revision, which is what a restart goes on from.
pub(crate) fn commit(writer: &mut IndexWriter, revision: i64) -> Result<(), Error> {
    let mut prepared = writer.prepare_commit()?;
    prepared.set_payload(&format!("{SHAPE}:{revision}"));
    prepared.commit()?;
    Ok(())
}

impl Home {
    /// Opens the index in use; one that is missing, damaged or of another shape is begun anew and filled from the listings.
    pub(crate) fn open(root: PathBuf) -> Result<Self, Error> {
        fs::create_dir_all(&root)?;
        let fields = Fields::new();
        let current = read_current(&root)?;
        let opened = current.as_deref().map(|name| Live::open(&root, name, &fields));
        let live = match opened {
            Some(Ok(live)) => live,
            failed => {
                if let Some(Err(error)) = failed {
                    tracing::warn!(%error, "the search index cannot be used; it is built anew");
                }
                let name = next_name(&root)?;
                let live = Live::create(&root, &name, &fields)?;
                write_current(&root, &name)?;
                live
            }
        };
        let home = Self { root, fields, live: RwLock::new(Arc::new(live)), generation: AtomicU64::new(1) };
        home.sweep();
        Ok(home)
    }

    pub(crate) fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// Shows what was committed last.
    pub(crate) fn reload(&self) -> Result<(), Error> {
        let live = self.live();
        let revision = live.stored_revision()?;
        live.reader.reload()?;
        live.revision.store(revision, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// For processes that only read: takes over what the writing process committed or switched to.
    pub(crate) fn follow(&self) -> Result<(), Error> {
        let live = self.live();
        match read_current(&self.root)? {
            Some(name) if name != live.name => {
                let other = Live::open(&self.root, &name, &self.fields)?;
                *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(other);
                self.generation.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            _ if live.stored_revision()? != live.revision() => self.reload(),
            _ => Ok(()),
        }
    }

    /// A new, empty index next to the one in use.
    pub(crate) fn begin_next(&self) -> Result<Live, Error> {
        Live::create(&self.root, &next_name(&self.root)?, &self.fields)
    }

    /// Puts a finished index in use and removes the old one; searches that still run keep theirs open.
    pub(crate) fn switch(&self, next: Live) -> Result<(), Error> {
        next.reader.reload()?;
        next.revision.store(next.stored_revision()?, Ordering::SeqCst);
        write_current(&self.root, &next.name)?;
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.sweep();
        Ok(())
    }

    pub(crate) fn bytes_on_disk(&self) -> u64 {
        let directory = self.root.join(&self.live().name);
        let files = fs::read_dir(directory).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }

    /// Removes indexes that are no longer in use. What cannot be removed now is removed at the next start.
    fn sweep(&self) {
        let live = self.live();
        for old in index_names(&self.root).unwrap_or_default().into_iter().filter(|name| *name != live.name) {
            if let Err(error) = fs::remove_dir_all(self.root.join(&old)) {
                tracing::warn!(%error, directory = old, "an old search index could not be removed");
            }
        }
    }
}

fn read_current(root: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(root.join("current")) {
        Ok(name) => Ok(Some(name.trim().to_owned()).filter(|name| number_of(name).is_some())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn write_current(root: &Path, name: &str) -> Result<(), Error> {
    let draft = root.join("current.new");
    fs::write(&draft, name)?;
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(draft, root.join("current"))?;
    Ok(())
}

fn index_names(root: &Path) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if number_of(&name).is_some() {
            names.push(name);
        }
    }
    Ok(names)
}

fn next_name(root: &Path) -> Result<String, Error> {
    let highest = index_names(root)?.iter().filter_map(|name| number_of(name)).max().unwrap_or_default();
    Ok(format!("index-{}", highest + 1))
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("index-")?.parse().ok()
}
