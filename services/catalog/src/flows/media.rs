//! Pictures, documents and videos: kept by the hash of their content, served in the sizes pages need.

use std::fmt::Write;

use bytes::Bytes;
use kit_core::TenantId;
use object_store::PutPayload;
use object_store::path::Path;
use sha2::{Digest, Sha256};

use super::Catalog;
use crate::error::Error;
use crate::model::picture::{self, Rendition};
use crate::model::product::MediaFile;
use crate::store::media;

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn hash_of(content: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(content) {
        _ = write!(text, "{byte:02x}");
    }
    text
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Where the object store keeps a media file; the first two digits spread the files over folders.
fn original_path(hash: &str) -> Path {
    Path::from(format!("media/{}/{hash}", hash.get(..2).unwrap_or("00")))
}

fn rendition_path(hash: &str, rendition: &str) -> Path {
    Path::from(format!("renditions/{}/{hash}/{rendition}", hash.get(..2).unwrap_or("00")))
}

/// A file to serve.
pub(crate) struct Served {
    pub content: Bytes,
    pub content_type: &'static str,
}

impl Catalog {
    pub(crate) async fn upload_media(&self, tenant: TenantId, content: Bytes, alt: &str) -> Result<MediaFile, Error> {
        let _turn = self.renditions.acquire().await.map_err(|_| Error::FileNotFound)?;
        let (config, bytes) = (self.config.clone(), content.clone());
        let (accepted, hash) =
            tokio::task::spawn_blocking(move || picture::accept(&bytes, &config).map(|accepted| (accepted, hash_of(&bytes)))).await??;
        let file = MediaFile {
            id: self.ids.next(),
            content_type: accepted.format.content_type.to_owned(),
            width: accepted.width,
            height: accepted.height,
            bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
            alt: crate::model::richtext::plain(alt),
            hash,
        };
        // The file first: a row without its file would be a broken picture, a file without a row is only space.
        self.put_object(&original_path(&file.hash), content).await?;
        let mut tx = self.db.begin_for(tenant).await?;
        let kept = media::put(&mut tx, tenant, &file, self.now()).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// The bytes of a rendition: kept from the first time it was asked for.
    pub(crate) async fn get_media(&self, hash: &str, name: &str) -> Result<Served, Error> {
        let rendition = Rendition::parse(name).filter(|_| is_hash(hash)).ok_or(Error::FileNotFound)?;
        if rendition == Rendition::Original {
            let content = self.get_object(&original_path(hash)).await?.ok_or(Error::FileNotFound)?;
            let content_type = picture::recognise(&content).map_or("application/octet-stream", |format| format.content_type);
            return Ok(Served { content, content_type });
        }
        let content_type = if matches!(rendition, Rendition::Webp(_)) { "image/webp" } else { "image/jpeg" };
        let path = rendition_path(hash, name);
        if let Some(content) = self.get_object(&path).await? {
            return Ok(Served { content, content_type });
        }
        let _turn = self.renditions.acquire().await.map_err(|_| Error::FileNotFound)?;
        // Somebody may have drawn it while this request waited its turn.
        if let Some(content) = self.get_object(&path).await? {
            return Ok(Served { content, content_type });
        }
        let original = self.get_object(&original_path(hash)).await?.ok_or(Error::FileNotFound)?;
        let max_pixels = self.config.image_pixels;
        let (drawn, content_type) = tokio::task::spawn_blocking(move || picture::render(&original, rendition, max_pixels)).await??;
        let content = Bytes::from(drawn);
        self.put_object(&path, content.clone()).await?;
        Ok(Served { content, content_type })
    }

    pub(crate) async fn put_object(&self, path: &Path, content: Bytes) -> Result<(), Error> {
        self.objects.put(path, PutPayload::from(content)).await?;
        Ok(())
    }

    pub(crate) async fn get_object(&self, path: &Path) -> Result<Option<Bytes>, Error> {
        match self.objects.get(path).await {
            Ok(found) => Ok(Some(found.bytes().await?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
