//! What the operator says about words and sees of queries, and the operator's hand on the index.

use api_search::{ReindexStarted, SynonymsChanged, search_event};
use kit_db::{Scope, log};
use kit_rpc::Ctx;
use serde_json::json;

use super::Search;
use crate::error::Error;
use crate::events::event;
use crate::store::{self, QueryRow, SynonymRow};
use crate::text;

pub(crate) struct IndexStatus {
    pub(crate) documents: u64,
    pub(crate) listing_revision: i64,
    pub(crate) index_revision: i64,
    pub(crate) rebuilding: bool,
    pub(crate) bytes_on_disk: u64,
}

impl Search {
    pub(crate) async fn list_synonyms(&self, after: &str, limit: i64) -> Result<Vec<SynonymRow>, Error> {
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        store::synonyms_after(&mut tx, after, limit).await
    }

    pub(crate) async fn put_synonyms(&self, ctx: &Ctx, term: &str, synonyms: Vec<String>) -> Result<SynonymRow, Error> {
        let term = phrase(term).ok_or(Error::Invalid { field: "term", message: "must have a word" })?;
        let mut said: Vec<String> = Vec::new();
        for synonym in &synonyms {
            let synonym = phrase(synonym)
                .filter(|synonym| *synonym != term)
                .ok_or(Error::Invalid { field: "synonyms", message: "must be words other than the term, of at most 60 characters" })?;
            if !said.contains(&synonym) {
                said.push(synonym);
            }
        }
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let before = store::put_synonyms(&mut tx, &term, &said, now).await?;
        let body = SynonymsChanged { term: term.clone(), synonyms: said.clone() };
        let told = event(self.0.ids.uuid(), search_event::Body::SynonymsChanged(body));
        let change = Some(json!({"before": before, "after": said}));
        log::append(&mut tx, ctx, now, kit_db::Event { change, ..told }).await?;
        tx.commit().await?;
        self.refresh_synonyms().await?;
        Ok(SynonymRow { term, synonyms: said, changed_at: now })
    }

    pub(crate) async fn delete_synonyms(&self, ctx: &Ctx, term: &str) -> Result<(), Error> {
        let term = phrase(term).ok_or(Error::SynonymsNotFound)?;
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let before = store::delete_synonyms(&mut tx, &term).await?.ok_or(Error::SynonymsNotFound)?;
        let told = event(self.0.ids.uuid(), search_event::Body::SynonymsChanged(SynonymsChanged { term, synonyms: Vec::new() }));
        let change = Some(json!({"before": before, "after": null}));
        log::append(&mut tx, ctx, self.0.clock.now(), kit_db::Event { change, ..told }).await?;
        tx.commit().await?;
        self.refresh_synonyms().await
    }

    pub(crate) async fn refresh_synonyms(&self) -> Result<(), Error> {
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let said: crate::query::plan::Synonyms =
            store::all_synonyms(&mut tx).await?.into_iter().map(|row| (text::stems(&row.term), row.synonyms)).collect();
        if said != *self.synonyms() {
            self.set_synonyms(said);
        }
        Ok(())
    }

    pub(crate) async fn list_queries(&self, nothing_found: bool, limit: i64) -> Result<Vec<QueryRow>, Error> {
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        store::queries(&mut tx, nothing_found, limit).await
    }

    /// How many listings will be indexed.
    pub(crate) async fn reindex(&self, ctx: &Ctx) -> Result<u64, Error> {
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let (listings, _) = store::extent(&mut tx).await?;
        self.0.feeder.rebuild()?;
        log::append(&mut tx, ctx, self.0.clock.now(), event(self.0.ids.uuid(), search_event::Body::ReindexStarted(ReindexStarted {}))).await?;
        tx.commit().await?;
        Ok(u64::try_from(listings).unwrap_or_default())
    }

    pub(crate) async fn index_status(&self) -> Result<IndexStatus, Error> {
        let mut tx = self.0.db.begin(&Scope::Platform).await?;
        let (_, listing_revision) = store::extent(&mut tx).await?;
        let live = self.0.home.live();
        Ok(IndexStatus {
            documents: live.searcher().num_docs(),
            listing_revision,
            index_revision: live.revision(),
            rebuilding: self.0.feeder.is_rebuilding(),
            bytes_on_disk: self.0.home.bytes_on_disk(),
        })
    }
}

/// Words as queries are read, or `None` when there are none or too many.
fn phrase(said: &str) -> Option<String> {
    let words: Vec<String> = text::words(said).into_iter().map(|word| word.text).collect();
    Some(words.join(" ")).filter(|phrase| (1..=60).contains(&phrase.chars().count()))
}
