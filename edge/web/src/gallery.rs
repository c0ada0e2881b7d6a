//! Every page with every sample: well-formed, accessible in what can be told from the markup, and without anything the content
//! security policy forbids. With `PAGES_DIR` set, the pages and their assets are also written there, to look at.

use std::collections::BTreeSet;

use maud::Markup;

use crate::{assets, buyer, failure, operator, seller};

fn all() -> Vec<(&'static str, Markup)> {
    [failure::samples(), buyer::samples(), seller::samples(), operator::samples()].into_iter().flatten().collect()
}

const VOID: [&str; 10] = ["meta", "link", "input", "br", "img", "hr", "col", "source", "wbr", "area"];

/// One element's start, end, or text, in order. Enough of HTML for what maud writes: quoted attributes, no comments.
#[derive(Debug)]
enum Token<'a> {
    Open { name: &'a str, attributes: Vec<(&'a str, &'a str)> },
    Close(&'a str),
}

fn tokens(html: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        if rest.starts_with('!') {
            continue;
        }
        if let Some(closing) = rest.strip_prefix('/') {
            let end = closing.find('>').expect("a closing tag ends");
            found.push(Token::Close(&closing[..end]));
            rest = &closing[end..];
            continue;
        }
        let name_end = rest.find([' ', '>']).expect("a tag ends");
        let (name, mut inside) = rest.split_at(name_end);
        let mut attributes = Vec::new();
        loop {
            inside = inside.trim_start();
            if let Some(after) = inside.strip_prefix('>') {
                rest = after;
                break;
            }
            let end = inside.find(['=', ' ', '>']).expect("an attribute ends");
            let key = &inside[..end];
            if inside[end..].starts_with("=\"") {
                let value = &inside[end + 2..];
                let close = value.find('"').expect("a value is closed");
                attributes.push((key, &value[..close]));
                inside = &value[close + 1..];
            } else {
                attributes.push((key, ""));
                inside = &inside[end..];
            }
        }
        found.push(Token::Open { name, attributes });
        if name == "script" {
            let end = rest.find("</script>").expect("a script is closed");
            rest = &rest[end..];
        }
    }
    found
}

fn get<'a>(attributes: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

/// What is wrong with a page; empty when nothing is.
fn faults(html: &str) -> Vec<String> {
    let tokens = tokens(html);
    let mut wrong = Vec::new();
    let mut open = Vec::new();
    let (mut h1, mut ids, mut labels, mut controls, mut told) = (0, BTreeSet::new(), BTreeSet::new(), Vec::new(), Vec::new());
    for token in &tokens {
        match token {
            Token::Close(name) => {
                if open.pop() != Some(*name) {
                    wrong.push(format!("</{name}> closes nothing"));
                }
            }
            Token::Open { name, attributes } => {
                let in_label = open.contains(&"label");
                if !VOID.contains(name) {
                    open.push(name);
                }
                h1 += usize::from(*name == "h1");
                for (key, value) in attributes {
                    if *key == "style" || key.starts_with("on") || value.trim_start().starts_with("javascript:") {
                        wrong.push(format!("<{name} {key}> is inline"));
                    }
                    if *key == "id" && !ids.insert(*value) {
                        wrong.push(format!("id {value} twice"));
                    }
                    if *value == "/assets/unknown" || value.starts_with("/assets/unknown#") {
                        wrong.push(format!("<{name}> asks for an unknown asset"));
                    }
                    if *key == "aria-describedby" {
                        told.push(*value);
                    }
                }
                let keys: BTreeSet<&str> = attributes.iter().map(|(key, _)| *key).collect();
                if keys.len() != attributes.len() {
                    wrong.push(format!("<{name}> has an attribute twice"));
                }
                let kind = get(attributes, "type").unwrap_or("text");
                if *name == "label" {
                    labels.extend(get(attributes, "for"));
                }
                if matches!(*name, "select" | "textarea") || (*name == "input" && kind != "hidden") {
                    let named = in_label || get(attributes, "aria-label").is_some();
                    controls.push((named, get(attributes, "id").unwrap_or_default(), get(attributes, "name").unwrap_or_default()));
                }
                if *name == "img" && (get(attributes, "alt").is_none() || get(attributes, "width").is_none() || get(attributes, "height").is_none()) {
                    wrong.push("<img> without alt, width or height".to_owned());
                }
                if *name == "script" && get(attributes, "src").is_none() && kind != "application/ld+json" {
                    wrong.push("an inline script".to_owned());
                }
                if *name == "form" && get(attributes, "action").is_none() {
                    wrong.push("a form without an action".to_owned());
                }
            }
        }
    }
    if !open.is_empty() {
        wrong.push(format!("left open: {open:?}"));
    }
    if h1 != 1 {
        wrong.push(format!("{h1} h1"));
    }
    wrong.extend(controls.iter().filter(|(named, id, _)| !named && !labels.contains(id)).map(|(_, _, name)| format!("input {name} has no label")));
    wrong.extend(labels.iter().filter(|id| !ids.contains(*id)).map(|id| format!("a label for {id}, which is not there")));
    wrong.extend(told.iter().filter(|id| !ids.contains(*id)).map(|id| format!("described by {id}, which is not there")));
    wrong
}

#[test]
fn every_page_is_well_formed_and_labelled() {
    let pages = all();
    let names: BTreeSet<&str> = pages.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), pages.len(), "each sample has a name of its own");
    let wrong: Vec<String> = pages.iter().flat_map(|(name, page)| faults(&page.0).into_iter().map(move |fault| format!("{name}: {fault}"))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_posted_form_carries_its_proof() {
    for (name, page) in all() {
        for form in page.0.split("<form ").skip(1) {
            let body = form.split("</form>").next().unwrap_or_default();
            let ours = body.contains("action=\"/");
            assert!(!(body.contains("method=\"post\"") && ours) || body.contains("name=\"csrf\""), "{name}: {body}");
        }
    }
}

#[test]
fn every_icon_is_in_the_sprite() {
    let sprite = include_str!("../assets/img/icons.svg");
    let mut missing = BTreeSet::new();
    for (_, page) in all() {
        for reference in page.0.split("<use href=\"").skip(1) {
            let address = reference.split('"').next().unwrap_or_default();
            let icon = address.split('#').nth(1).unwrap_or_default();
            if !sprite.contains(&format!("<symbol id=\"{icon}\"")) {
                missing.insert(icon.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_pages_can_be_looked_at() {
    let Some(folder) = std::env::var_os("PAGES_DIR").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(folder.join("assets")).unwrap();
    for (name, page) in all() {
        std::fs::write(folder.join(format!("{name}.html")), page.0).unwrap();
    }
    for (address, content) in assets::all() {
        std::fs::write(folder.join(address.trim_start_matches('/')), content).unwrap();
    }
}
