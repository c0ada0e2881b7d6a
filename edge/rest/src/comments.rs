//! The comments of contracts, by the thing they describe.

use std::collections::HashMap;

use prost_reflect::FileDescriptor;

/// Read file by file, when first asked.
#[derive(Default)]
pub(crate) struct Comments(HashMap<String, HashMap<Vec<i32>, String>>);

impl Comments {
    /// The comment above a thing, as one text: lines joined, blank lines between paragraphs kept.
    pub(crate) fn of(&mut self, file: &FileDescriptor, path: &[i32]) -> String {
        let known = self.0.entry(file.name().to_owned()).or_insert_with(|| read(file));
        known.get(path).cloned().unwrap_or_default()
    }
}

fn read(file: &FileDescriptor) -> HashMap<Vec<i32>, String> {
    let locations = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
    locations.filter_map(|location| Some((location.path.clone(), tidy(location.leading_comments.as_ref()?)))).collect()
}

fn tidy(comment: &str) -> String {
    let paragraphs = comment.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n")
}
