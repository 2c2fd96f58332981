//! The page: markup that only we write.

use super::{assert_text, report};

/// Elements of `report.html`, and their attributes.
const ELEMENTS: [&str; 44] = [
    "html",
    "head",
    "meta",
    "title",
    "style",
    "script",
    "body",
    "header",
    "main",
    "footer",
    "section",
    "article",
    "div",
    "span",
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "ul",
    "ol",
    "li",
    "dl",
    "dt",
    "dd",
    "strong",
    "em",
    "br",
    "a",
    "svg",
    "rect",
    "details",
    "summary",
    "figure",
    "figcaption",
    "img",
    "blockquote",
    "pre",
    "code",
    "form",
    "label",
    "input",
    "kbd",
];
const ATTRIBUTES: [&str; 32] = [
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "id",
    "open",
    "hidden",
    "href",
    "rel",
    "src",
    "alt",
    "tabindex",
    "title",
    "role",
    "aria-label",
    "aria-hidden",
    "value",
    "for",
    "type",
    "autocomplete",
    "placeholder",
    "viewBox",
    "preserveAspectRatio",
    "width",
    "height",
    "x",
    "y",
    "fill",
    "start",
    "dir",
];

/// A page in which every element, attribute and address is one that we write, and the only script is ours.
pub(crate) fn assert_inert_page(page: &str) {
    let Some(page) = page.strip_prefix("<!DOCTYPE html>") else { panic!("no page: {page:.200}") };
    let around = |page: &str, tag: &str| {
        let (before, rest) = page.split_once(&format!("<{tag}>")).unwrap_or_default();
        let (_, after) = rest.split_once(&format!("</{tag}>")).unwrap_or_default();
        assert!(!after.is_empty() && !after.contains(&format!("<{tag}")), "one {tag}, please");
        format!("{before}{after}")
    };
    let page = around(&around(page, "style"), "script");
    let hidden = |letter| crate::model::hidden::is_hidden(letter) && letter != '\n';
    assert!(!page.contains(hidden), "a hidden character");
    for after in page.split('<').skip(1) {
        let Some((tag, text)) = after.split_once('>') else { panic!("an open tag: {after:.200}") };
        assert_text(text);
        let tag = tag.strip_prefix('/').unwrap_or(tag);
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(ELEMENTS.contains(&name), "<{tag:.200}>");
        let mut quoted = attributes.split('"');
        while let Some(names) = quoted.next() {
            let value = quoted.next();
            for name in names.split_whitespace().map(|name| name.trim_end_matches('=')) {
                assert!(ATTRIBUTES.contains(&name), "{name} in <{tag:.200}>");
            }
            let name = names.trim_end_matches('=').rsplit(' ').next().unwrap_or_default();
            let Some(value) = value else { continue };
            assert_text(value);
            let begins = |known: &[&str]| known.iter().any(|known| value.starts_with(known));
            let safe = match name {
                "src" => {
                    begins(&["data:image/png;base64,", "data:image/jpeg;base64,", "data:image/webp;base64,"])
                }
                "href" => begins(&[
                    "https://",
                    "http://127.0.0.1",
                    "http://localhost",
                    "http://[::1]",
                    "#",
                    "artifacts/",
                ]),
                _ => true,
            };
            assert!(safe, "{name}={value:.200}");
        }
    }
}

/// The page: whatever the text, nothing of it becomes markup.
pub(crate) fn page(data: &[u8]) {
    let mut made = Vec::new();
    let written = crate::report::evidence::write(&report(data), std::path::Path::new("nowhere"), &mut made);
    assert!(written.is_ok() && made.len() <= crate::report::evidence::LARGEST);
    assert_inert_page(&String::from_utf8_lossy(&made));
}
