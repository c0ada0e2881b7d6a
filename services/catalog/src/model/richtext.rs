//! Sellers' text made safe: descriptions keep a small set of formatting, titles become plain text.

use std::collections::HashSet;
use std::sync::LazyLock;

use ammonia::Builder;

/// What a description may contain. No pictures, styles, forms or scripts; links open without telling where they came from.
static RICH: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    let tags =
        ["p", "br", "b", "strong", "i", "em", "u", "s", "sub", "sup", "ul", "ol", "li", "h2", "h3", "h4", "blockquote", "hr", "a", "code", "pre"];
    let tables = ["table", "thead", "tbody", "tr", "th", "td"];
    builder.tags(tags.into_iter().chain(tables).collect());
    builder.generic_attributes(HashSet::new());
    builder.url_schemes(HashSet::from(["https", "http", "mailto"]));
    builder.link_rel(Some("nofollow noopener noreferrer"));
    builder
});

static NOTHING: LazyLock<Builder<'static>> = LazyLock::new(Builder::empty);

/// A description: sanitised HTML. Text without any markup keeps its line breaks.
pub(crate) fn description(text: &str) -> String {
    let text = text.trim();
    let marked_up = text.contains(['<', '&']);
    let clean = if marked_up { RICH.clean(text).to_string() } else { text.replace('>', "&gt;") };
    let clean = clean.replace('\0', "");
    let clean = clean.trim();
    if marked_up && clean.contains('<') { clean.to_owned() } else { clean.replace("\r\n", "\n").replace('\n', "<br>") }
}

/// A title, brand, tag: plain text. Markup is taken out, character references are read, white space becomes single spaces; what shows
/// nothing is nothing.
pub(crate) fn plain(text: &str) -> String {
    let read = if text.contains(['<', '&']) { unescape(&NOTHING.clean(text).to_string()) } else { text.to_owned() };
    let mut out = String::with_capacity(read.len());
    for word in read.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    if kit_core::is_visible(&out) { out } else { String::new() }
}

/// Undoes the few references that the sanitiser writes.
fn unescape(html: &str) -> String {
    html.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn titles_become_plain_text() {
        assert_eq!(plain("  Koss <b>EQ50</b>&nbsp;3-Band\n Equalizer &amp; more "), "Koss EQ50 3-Band Equalizer & more");
        assert_eq!(plain("24\" screen, 5 < 6"), "24\" screen, 5 < 6");
        assert_eq!(plain("caf&eacute;"), "café");
        assert_eq!([plain("\u{202e}"), plain(" \u{200b}\u{feff} \u{2800}")], ["", ""]);
        assert_eq!(plain("\u{202e}mug"), "\u{202e}mug");
        assert_eq!(plain("<script>alert(1)</script>mug"), "mug");
    }

    #[test]
    fn descriptions_keep_formatting_and_lose_danger() {
        assert_eq!(description("<p onclick=x>Hi <b>there</b><script>x()</script></p>"), "<p>Hi <b>there</b></p>");
        assert_eq!(description("<a href=\"javascript:x()\">go</a>"), "<a rel=\"nofollow noopener noreferrer\">go</a>");
        assert_eq!(description("R&D\nsecond line"), "R&amp;D<br>second line");
        assert_eq!(description("one\r\ntwo"), "one<br>two");
    }

    proptest! {
        #[test]
        fn a_clean_description_stays_as_it_is(text in "[a-z <>&/\"'=]{0,60}") {
            let once = description(&text);
            prop_assert_eq!(description(&once), once);
        }
    }
}
