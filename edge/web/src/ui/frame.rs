//! The frames pages stand in: the shop, the quiet checkout, and the portal of sellers and operators.

use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

use crate::assets;
use crate::ui::{avatar, form, icon, mark, notice};
use crate::visit::{Theme, Visit};

/// What goes into `<head>`, and where in the shop the page is.
#[derive(Default)]
pub(crate) struct Head<'a> {
    pub(crate) title: &'a str,
    pub(crate) description: &'a str,
    /// The page's one true address, as a path; empty: none is told, and search engines are asked to leave it out.
    pub(crate) canonical: &'a str,
    /// schema.org data about the page.
    pub(crate) json_ld: Option<serde_json::Value>,
    /// Scripts besides `app.js`: "live.js", "upload.js".
    pub(crate) scripts: &'a [&'static str],
    /// What stands in the search field.
    pub(crate) query: &'a str,
    /// The top category it belongs to.
    pub(crate) category: &'a str,
    /// The bottom bar's entry: "home", "search", "cart", "orders", "account".
    pub(crate) tab: &'a str,
    /// Classes of the body: "has-dock" when a bar of the page's own sits above the bottom bar.
    pub(crate) class: &'a str,
}

/// A page of the shop.
pub(crate) fn page(visit: &Visit, head: &Head<'_>, body: impl Render) -> Markup {
    let content = html! {
        div.frame {
            (shop_header(visit, head))
            main #main tabindex="-1" { div.wrap { (flash(visit)) (body) } }
            (shop_footer(visit))
            (tabbar(visit, head))
        }
    };
    document(visit, head, content)
}

/// A step of the checkout: nothing to wander off to.
pub(crate) fn checkout_frame(visit: &Visit, head: &Head<'_>, body: impl Render) -> Markup {
    let content = html! {
        div.frame.quiet {
            header.quiet-top {
                div.wrap {
                    a.brand href="/" { (mark()) "MarketHub" }
                    a.top-link href="/cart" { (icon("arrow-left")) "Back to cart" }
                }
            }
            main #main tabindex="-1" { div.wrap { (flash(visit)) (body) } }
            footer.quiet-foot {
                div.wrap.row.between {
                    span.row.tight { (icon("lock")) "Card data goes straight to the payment provider." }
                    span { "Request " (visit.ctx.request_id) }
                }
            }
        }
    };
    document(visit, head, content)
}

/// One of the two working places, its navigation, and the entry this page belongs to.
pub(crate) struct Area<'a> {
    pub(crate) name: &'a str,
    pub(crate) home: &'a str,
    /// (group, address, icon, label); an empty group goes on with the one before. Entries the viewer may not use are left out by the area.
    pub(crate) entries: Vec<(&'a str, &'a str, &'a str, &'a str)>,
    /// The address of the current entry.
    pub(crate) current: &'a str,
    /// For the top bar: a tenant switch, for example.
    pub(crate) extra: Option<Markup>,
}

/// A page of the seller portal or the operator console. The body brings its own `.page-head` with the h1.
pub(crate) fn portal(visit: &Visit, head: &Head<'_>, area: &Area<'_>, body: impl Render) -> Markup {
    let content = html! {
        div.portal {
            header.portal-top {
                a.brand href=(area.home) { (mark()) span.only-wide { "MarketHub" } span.sr.only-phone { "MarketHub" } }
                span.area { (area.name) }
                span.grow {}
                @if let Some(extra) = &area.extra { (extra) }
                (account_menu(visit))
            }
            nav.portal-nav aria-label=(area.name) {
                ul {
                    @for (group, address, picture, label) in &area.entries {
                        @if !group.is_empty() { li.group aria-hidden="true" { (group) } }
                        li { a href=(address) aria-current=[(*address == area.current).then_some("page")] { (icon(picture)) (label) } }
                    }
                }
            }
            main #main tabindex="-1" { div { (flash(visit)) (body) } }
        }
    };
    document(visit, head, content)
}

/// What a search engine tells of a page that says nothing of itself.
const OF_THE_MARKET: &str = "Many independent shops, one search, one cart, one payment.";

fn document(visit: &Visit, head: &Head<'_>, content: impl Render) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[(visit.theme != Theme::System).then_some(visit.theme.as_str())] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                title { @if head.title.is_empty() { "MarketHub – one cart, every shop" } @else { (head.title) " · MarketHub" } }
                meta name="description" content=(if head.description.is_empty() { OF_THE_MARKET } else { head.description });
                @if head.canonical.is_empty() {
                    meta name="robots" content="noindex";
                } @else {
                    link rel="canonical" href={ (visit.public_url) (head.canonical) };
                }
                link rel="stylesheet" href=(assets::url("app.css"));
                link rel="icon" href=(assets::url("favicon.svg")) type="image/svg+xml";
                link rel="apple-touch-icon" href=(assets::url("icon-180.png"));
                link rel="manifest" href="/manifest.webmanifest";
                meta name="theme-color" content="#faf9f6" media="(prefers-color-scheme: light)";
                meta name="theme-color" content="#121311" media="(prefers-color-scheme: dark)";
                // Neither the style it would add inline nor eval passes the content security policy.
                meta name="htmx-config" content=r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;
                script src=(assets::url("htmx.js")) defer {}
                script src=(assets::url("app.js")) type="module" {}
                @for script in head.scripts { script src=(assets::url(script)) type="module" {} }
                @if let Some(data) = &head.json_ld { script type="application/ld+json" { (PreEscaped(data.to_string().replace('<', "\\u003c"))) } }
            }
            body class=[(!head.class.is_empty()).then_some(head.class)] {
                a.skip href="#main" { "Skip to content" }
                (content)
                div.toasts #toasts aria-live="polite" {}
            }
        }
    }
}

fn flash(visit: &Visit) -> Markup {
    html! { @if let Some(flash) = &visit.flash { div.mb6 { (notice(flash.tone, &flash.text)) } } }
}

fn shop_header(visit: &Visit, head: &Head<'_>) -> Markup {
    html! {
        header.top {
            div.wrap.top-bar {
                a.brand href="/" { (mark()) "MarketHub" }
                (search_box(head.query))
                nav.top-links aria-label="You" {
                    (account_menu(visit))
                    a.top-link.only-wide href="/orders" { (icon("package")) span.label { "Orders" } }
                    a.top-link.only-wide href="/cart" { (icon("shopping-cart")) span.label { "Cart" } (cart_count(visit.cart_count)) }
                }
            }
            @if !visit.categories.is_empty() {
                nav.strip aria-label="Categories" {
                    div.wrap {
                        ul {
                            @for category in visit.categories.iter() {
                                li {
                                    a href={ "/c/" (category.id) } aria-current=[(head.category == category.id).then_some("true")] { (category.name) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The number on the cart; htmx swaps it by its class after something was added.
pub(crate) fn cart_count(count: u32) -> Markup {
    html! { span.count.cart-count hidden[count == 0] { (count) span.sr { " in the cart" } } }
}

fn search_box(query: &str) -> Markup {
    html! {
        div.searchbox role="search" aria-label="All shops" data-suggest="/suggest" {
            form action="/search" method="get" {
                label.sr for="q" { "Search all shops" }
                input #q type="search" name="q" value=(query) placeholder="Search all shops" autocomplete="off" maxlength="300" enterkeyhint="search";
                // Shown by the script where the browser can listen.
                button.mic type="button" data-listen hidden aria-pressed="false" aria-label="Search by voice" { (icon("mic")) }
                button type="submit" aria-label="Search" { (icon("search")) }
            }
            div.suggest #suggest {}
        }
    }
}

fn account_menu(visit: &Visit) -> Markup {
    if !visit.viewer.signed_in {
        return html! { a.top-link href="/sign-in" { (icon("circle-user-round")) span.label { "Sign in" } } };
    }
    let known_as = if visit.viewer.name.is_empty() { &visit.viewer.email } else { &visit.viewer.name };
    html! {
        details.menu {
            summary.top-link { (avatar(known_as, "tiny-avatar")) span.label { (known_as.split_whitespace().next().unwrap_or("Account")) } }
            div.panel {
                a href="/account" { (icon("user")) "Account" }
                a href="/orders" { (icon("package")) "Orders" }
                a href="/messages" { (icon("mail")) "Messages" }
                @if visit.tenant().is_some() || !visit.viewer.tenants.is_empty() { a href="/seller" { (icon("store")) "Seller portal" } }
                @if visit.is_operator() { a href="/operator" { (icon("shield-check")) "Operator console" } }
                (form::post(visit, "/sign-out", html! { button type="submit" { (icon("log-out")) "Sign out" } }))
            }
        }
    }
}

fn shop_footer(visit: &Visit) -> Markup {
    html! {
        footer.foot {
            div.wrap {
                div.foot-grid {
                    div {
                        a.brand href="/" { (mark()) "MarketHub" }
                        p { "Many independent shops, one cart and one payment. Each seller ships its own part." }
                    }
                    nav aria-labelledby="foot-shop" {
                        h2 #foot-shop { "Shop" }
                        ul {
                            li { a href="/search" { "All products" } }
                            li { a href="/stores" { "All shops" } }
                            li { a href="/search?sort=newest" { "New arrivals" } }
                        }
                    }
                    nav aria-labelledby="foot-you" {
                        h2 #foot-you { "You" }
                        ul { li { a href="/account" { "Account" } } li { a href="/orders" { "Orders" } } li { a href="/messages" { "Messages" } } }
                    }
                    nav aria-labelledby="foot-sell" {
                        h2 #foot-sell { "Sell" }
                        ul {
                            li { a href="/sell" { "Open a shop" } }
                            li { a href="/seller" { "Seller portal" } }
                            li { a href="/openapi.json" { "API" } }
                        }
                    }
                }
                div.foot-end { p { "MarketHub · Apache-2.0" } (theme_switch(visit)) }
            }
        }
    }
}

fn theme_switch(visit: &Visit) -> Markup {
    let body = html! {
        input type="hidden" name="next" value=(visit.path);
        @for (theme, picture, label) in [(Theme::System, "monitor", "Colours as the system has them"), (Theme::Light, "sun", "Light colours"), (Theme::Dark, "moon", "Dark colours")] {
            button type="submit" name="theme" value=(theme.as_str()) aria-pressed=(if visit.theme == theme { "true" } else { "false" }) title=(label) {
                (icon(picture))
                span.sr { (label) }
            }
        }
    };
    html! { form.theme method="post" action="/theme" data-theme-switch { (form::csrf(visit)) (body) } }
}

fn tabbar(visit: &Visit, head: &Head<'_>) -> Markup {
    let account = if visit.viewer.signed_in { ("/account", "Account") } else { ("/sign-in", "Sign in") };
    let entries = [
        ("home", "/", "house", "Home"),
        ("search", "/search", "layout-grid", "Browse"),
        ("cart", "/cart", "shopping-cart", "Cart"),
        ("orders", "/orders", "package", "Orders"),
        ("account", account.0, "circle-user-round", account.1),
    ];
    html! {
        nav.tabbar aria-label="Main" {
            @for (tab, address, picture, label) in entries {
                a href=(address) aria-current=[(head.tab == tab).then_some("page")] {
                    (icon(picture))
                    span { (label) }
                    @if tab == "cart" { (cart_count(visit.cart_count)) }
                }
            }
        }
    }
}
