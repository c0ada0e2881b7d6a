//! Small pieces that several pages share.

use maud::{Markup, Render, html};

use crate::assets;

/// An icon of the sprite, decorative: the text beside it (or the control's label) says what it means.
pub(crate) fn icon(name: &str) -> Markup {
    sized_icon(name, "icon")
}

/// With classes of its own: "icon large", "icon huge".
pub(crate) fn sized_icon(name: &str, class: &str) -> Markup {
    html! { svg class=(class) width="18" height="18" aria-hidden="true" focusable="false" { use href={ (assets::url("icons.svg")) "#" (name) } {} } }
}

/// The mark: a market stall's awning.
pub(crate) fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false" {
            path.mark-stand d="M5 17h3v9h16v-9h3v10.5a1.5 1.5 0 0 1-1.5 1.5h-19A1.5 1.5 0 0 1 5 27.500z" {}
            path.mark-cloth d="M6.200 3h19.600a1.500 1.500 0 0 1 1.400 1L30 12.500v1.250a3.500 3.500 0 0 1-7 0 3.500 3.500 0 0 1-7 0 3.500 3.500 0 0 1-7 0 3.500 3.500 0 0 1-7 0V12.500L4.800 4a1.500 1.500 0 0 1 1.400-1z" {
            }
            path.mark-fold d="M12 3h4v10.750a3.500 3.500 0 0 1-7 0V12.500zM23 3h2.800a1.500 1.500 0 0 1 1.400 1L30 12.500v1.250a3.500 3.500 0 0 1-7 0z" {
            }
        }
    }
}

/// How a notice or badge sounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Info,
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Info => "info",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    const fn icon(self) -> &'static str {
        match self {
            Self::Plain | Self::Info => "info",
            Self::Good => "circle-check",
            Self::Warn => "triangle-alert",
            Self::Bad => "circle-alert",
        }
    }

    /// How soon a screen reader tells it.
    const fn role(self) -> &'static str {
        match self {
            Self::Bad | Self::Warn => "alert",
            Self::Plain | Self::Info | Self::Good => "status",
        }
    }
}

pub(crate) fn notice(tone: Tone, body: impl Render) -> Markup {
    html! { div class={ "notice " (tone.class()) } role=(tone.role()) { (icon(tone.icon())) div { (body) } } }
}

pub(crate) fn badge(tone: Tone, text: impl Render) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (text) } }
}

/// The way from the top to this page: (address, name) pairs, then this page's own name.
pub(crate) fn crumbs(way: &[(String, String)], here: &str) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumb" {
            ol {
                @for (address, name) in way { li { a href=(address) { (name) } (icon("chevron-right")) } }
                li { span.clamp-1 aria-current="page" { (here) } }
            }
        }
    }
}

/// A page or panel with nothing in it yet: what it is, and the next step.
pub(crate) fn empty(drawing: &str, title: &str, text: &str, action: Option<(&str, &str)>) -> Markup {
    html! {
        div.empty {
            (empty_drawing(drawing))
            h2 { (title) }
            p { (text) }
            @if let Some((address, label)) = action { a.btn href=(address) { (label) } }
        }
    }
}

/// A calm drawing around an icon.
pub(crate) fn empty_drawing(name: &str) -> Markup {
    html! {
        span.drawn aria-hidden="true" {
            svg viewBox="0 0 160 112" width="160" height="112" focusable="false" {
                ellipse.ground cx="80" cy="98" rx="62" ry="8" {}
                circle.disc cx="80" cy="54" r="40" {}
                circle.spark cx="31" cy="30" r="4" {}
                circle.spark cx="134" cy="70" r="3" {}
                path.spark d="M128 22l2.500 6 6 2.500-6 2.500-2.500 6-2.500-6-6-2.500 6-2.500z" {}
                use href={ (assets::url("icons.svg")) "#" (name) } x="58" y="32" width="44" height="44" {}
            }
        }
    }
}

/// "Load more" as a plain link to the next page; nothing when this is the last.
pub(crate) fn pager(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a.btn.outline href=(first) { (icon("arrow-left")) "First page" } }
                @if let Some(next) = next { a.btn.outline rel="next" href=(next) { "More" (icon("arrow-right")) } }
            }
        }
    }
}

/// How far one step of a story has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    Now,
    Ahead,
    Stopped,
}

impl Progress {
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Ahead => "ahead",
            Self::Stopped => "stopped",
        }
    }
}

/// Someone without a picture: initials on a colour of their own.
pub(crate) fn avatar(name: &str, class: &str) -> Markup {
    let initials: String = name.split_whitespace().filter_map(|word| word.chars().find(|c| c.is_alphanumeric())).take(2).collect();
    html! { span class={ "avatar " (class) " " (hue_of(name)) } aria-hidden="true" { (initials.to_uppercase()) } }
}

/// One of twelve colour classes, always the same for the same text.
pub(crate) fn hue_of(text: &str) -> &'static str {
    const HUES: [&str; 12] = ["hue-0", "hue-1", "hue-2", "hue-3", "hue-4", "hue-5", "hue-6", "hue-7", "hue-8", "hue-9", "hue-10", "hue-11"];
    let number = text.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    usize::try_from(number % 12).ok().and_then(|index| HUES.get(index)).copied().unwrap_or("hue-0")
}
