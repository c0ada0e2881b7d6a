//! One letter, two forms: plain text, and a simple HTML page that fits a phone. Everything that comes from people is escaped here.

/// What a letter says, before its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    pub subject: String,
    pub heading: String,
    pub paragraphs: Vec<String>,
    /// Two columns: what, and how much.
    pub rows: Vec<(String, String)>,
    pub action: Option<Action>,
    /// Small print behind everything.
    pub note: String,
}

/// The one thing to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Action {
    pub label: &'static str,
    pub url: String,
}

const STYLE: &str = "body{margin:0;background:#f4f4f1;color:#1c1c1a;font:16px/1.5 system-ui,sans-serif}main{max-width:36rem;margin:0 auto;padding:24px 16px}\
.card{background:#fff;border:1px solid #e3e3de;border-radius:12px;padding:24px}h1{font-size:22px;line-height:1.3;margin:0 0 16px}p{margin:0 0 16px;overflow-wrap:anywhere}\
table{width:100%;border-collapse:collapse;margin:0 0 16px}td{padding:8px 0;border-top:1px solid #e3e3de;vertical-align:top;overflow-wrap:anywhere}td+td{text-align:right;padding-left:16px;white-space:nowrap}\
a.button{display:inline-block;background:#1f5f4a;color:#fff;text-decoration:none;padding:12px 20px;border-radius:8px;font-weight:600}small,.from{color:#5d5d57;font-size:13px}\
@media(prefers-color-scheme:dark){body{background:#171715;color:#ecece8}.card{background:#222220;border-color:#3a3a36}td{border-color:#3a3a36}a.button{background:#3f9c7c;color:#0d1512}small,.from{color:#a8a8a0}}";

impl Letter {
    pub(crate) fn new(subject: impl Into<String>, heading: impl Into<String>) -> Self {
        Self {
            subject: one_line(&subject.into()),
            heading: heading.into(),
            paragraphs: Vec::new(),
            rows: Vec::new(),
            action: None,
            note: String::new(),
        }
    }

    pub(crate) fn say(mut self, paragraph: impl Into<String>) -> Self {
        self.paragraphs.push(paragraph.into());
        self
    }

    /// Says something only when there is something to say.
    pub(crate) fn say_of(self, lead: &str, what: &str) -> Self {
        if what.trim().is_empty() { self } else { self.say(format!("{lead}{what}")) }
    }

    pub(crate) fn row(mut self, what: impl Into<String>, how_much: impl Into<String>) -> Self {
        self.rows.push((what.into(), how_much.into()));
        self
    }

    pub(crate) fn action(mut self, label: &'static str, url: String) -> Self {
        self.action = Some(Action { label, url });
        self
    }

    pub(crate) fn note(mut self, note: &str) -> Self {
        note.clone_into(&mut self.note);
        self
    }

    pub(crate) fn text(&self) -> String {
        let mut parts = vec![self.heading.clone()];
        parts.extend(self.paragraphs.iter().cloned());
        if !self.rows.is_empty() {
            parts.push(self.rows.iter().map(|(what, how_much)| format!("{what}: {how_much}")).collect::<Vec<_>>().join("\n"));
        }
        parts.extend(self.action.as_ref().map(|action| format!("{}: {}", action.label, action.url)));
        parts.extend(Some(self.note.clone()).filter(|note| !note.is_empty()));
        parts.join("\n\n")
    }

    pub(crate) fn html(&self) -> String {
        let mut inside = format!("<h1>{}</h1>", escape(&self.heading));
        for paragraph in &self.paragraphs {
            inside.push_str(&format!("<p>{}</p>", escape(paragraph)));
        }
        if !self.rows.is_empty() {
            let rows: String =
                self.rows.iter().map(|(what, how_much)| format!("<tr><td>{}</td><td>{}</td></tr>", escape(what), escape(how_much))).collect();
            inside.push_str(&format!("<table role=\"presentation\">{rows}</table>"));
        }
        if let Some(action) = &self.action {
            inside.push_str(&format!("<p><a class=\"button\" href=\"{}\">{}</a></p>", escape(&action.url), escape(action.label)));
        }
        if !self.note.is_empty() {
            inside.push_str(&format!("<small>{}</small>", escape(&self.note)));
        }
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{}</title><style>{STYLE}</style></head><body><main><p class=\"from\">MarketHub</p><div class=\"card\">{inside}</div></main></body></html>",
            escape(&self.subject)
        )
    }
}

/// A subject is one header line; a line break in it would begin another header.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str("<br>"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_people_write_becomes_markup(text in "\\PC{0,60}") {
            let hostile = format!("<script>{text}</script>\"'\r\nBcc: x@example.com");
            let letter = Letter::new(&hostile, &hostile).say(&hostile).row(&hostile, &hostile).action("Open", format!("https://market.example/?q={hostile}")).note(&hostile);
            let html = letter.html();
            prop_assert_eq!(html.matches("<script").count(), 0);
            // Every quote is one of ours: around an attribute's value.
            prop_assert_eq!(html.matches('"').count() % 2, 0);
            prop_assert!(!letter.subject.contains(['\r', '\n']));
        }
    }

    #[test]
    fn a_letter_reads_the_same_in_both_forms() {
        let letter =
            Letter::new("Hello", "Hello Ann").say("Two things came.").row("Mug", "EUR 8.00").action("See it", "https://market.example/x".into());
        assert_eq!(letter.text(), "Hello Ann\n\nTwo things came.\n\nMug: EUR 8.00\n\nSee it: https://market.example/x");
        assert!(letter.html().contains("<td>Mug</td><td>EUR 8.00</td>"));
    }
}
