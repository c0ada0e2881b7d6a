//! Forms with a file: read part by part, the proof first, sizes limited.

use std::sync::Arc;

use axum::extract::{FromRequest, Multipart, Request};
use bytes::Bytes;

use crate::failure::Failure;
use crate::session::proven;
use crate::site::Web;
use crate::ui::form::Form;
use crate::visit::Visit;

pub(crate) struct UploadedFile {
    pub(crate) name: String,
    pub(crate) content: Bytes,
}

/// A posted form with files. The page must put the `csrf` field before any file, which `form::csrf` at its start does.
pub(crate) struct Uploaded {
    pub(crate) form: Form,
    pub(crate) files: Vec<UploadedFile>,
}

impl FromRequest<Web> for Uploaded {
    type Rejection = Failure;

    async fn from_request(mut request: Request, site: &Web) -> Result<Self, Failure> {
        let visit = request.extensions().get::<Arc<Visit>>().cloned();
        axum::extract::DefaultBodyLimit::max(site.settings.max_upload_bytes).apply(&mut request);
        let unreadable = |_| Failure::invalid("the upload could not be read");
        let mut parts = Multipart::from_request(request, site).await.map_err(|_| Failure::invalid("choose a file first"))?;
        let mut pairs = Vec::new();
        let mut files = Vec::new();
        let mut proof_seen = false;
        while let Some(part) = parts.next_field().await.map_err(unreadable)? {
            let field = part.name().unwrap_or_default().to_owned();
            if let Some(name) = part.file_name().map(str::to_owned) {
                if !proof_seen {
                    proven(visit.as_deref(), "")?;
                }
                let content = part.bytes().await.map_err(|_| Failure::invalid("the file is too large"))?;
                files.push(UploadedFile { name, content });
                continue;
            }
            let value = part.text().await.map_err(unreadable)?;
            if field == "csrf" {
                proven(visit.as_deref(), &value)?;
                proof_seen = true;
            }
            pairs.push((field, value));
        }
        // A form without files is not proven by the loop alone.
        let form = Form::posted(pairs);
        proven(visit.as_deref(), form.get("csrf"))?;
        files.retain(|file| !(file.name.is_empty() && file.content.is_empty()));
        Ok(Self { form, files })
    }
}
