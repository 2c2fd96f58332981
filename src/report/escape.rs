//! One function per sink for text of the service, which may be hostile. Pure.

use crate::model::hidden::is_hidden;
use crate::model::secrets::REDACTED;
pub(super) use crate::model::units::shortened;

/// Characters of one text in Markdown; the summary's budget has its own limit on top.
const LONGEST: usize = 20_000;
/// A space without width: breaks what the viewer would take for a reference, and nobody sees it.
const JOINT: char = '\u{200b}';
/// Digits of a commit hash.
const HASH: usize = 40;

/// Text for the middle of a Markdown paragraph, list item or table cell: one line, no markup, no link, no mention, no HTML.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let text: String = shortened(text, LONGEST).chars().filter(|&letter| !hidden(letter)).collect();
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        match letter {
            // No markup where they stand in a word, as in most secrets: what a host masks has to stay as it is.
            '_' if before.is_alphanumeric() && next.is_alphanumeric() => out.push('_'),
            '=' if !out.trim().is_empty() => out.push('='),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => {
                out.push_str("&amp;");
                if next.is_ascii_digit() {
                    out.push(JOINT);
                }
            }
            // What begins a mention, a reference, an autolink or markup. Escapes and entities become characters before mentions,
            // references and mail addresses are looked for, so a joint breaks these.
            '@' => out.push_str("@\u{200b}"),
            ':' if next == '/' => out.push_str("&#58;"),
            '-' if next.is_ascii_digit() && ends_with_prefix(&out) => out.push_str("-\u{200b}"),
            '%' if next == '"' || next.is_alphanumeric() => out.push_str("%\u{200b}"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' | '^' | '=' | '{' | '}' => {
                out.push('\\');
                out.push(letter);
                if "#!$~^".contains(letter) && (next == '"' || next.is_alphanumeric()) {
                    out.push(JOINT);
                }
            }
            '\n' | '\r' | '\t' => out.push(' '),
            letter => out.push(letter),
        }
        before = letter;
    }
    let out = unlinked(&with_hashes_as_code(out.trim()));
    // A list, a number or a rule begins only at the beginning of a line.
    match out.chars().next() {
        Some('-' | '+') => format!("\\{out}"),
        Some(first) if first.is_ascii_digit() => numbered(out),
        _ => out,
    }
}

/// True where `GH-1` or `GL-1` would begin: GitHub and GitLab link these to issues.
fn ends_with_prefix(text: &str) -> bool {
    let mut last = text.chars().rev();
    matches!((last.next(), last.next()), (Some('h' | 'H' | 'l' | 'L'), Some('g' | 'G')))
}

/// Commit hashes as code, where they are no links to commits. They stay whole: a host masks what it knows as a whole.
fn with_hashes_as_code(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut word = 0;
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        if letter.is_ascii_alphanumeric() {
            continue;
        }
        let hash = at - word == HASH && text[word..at].bytes().all(|byte| byte.is_ascii_hexdigit());
        let end = (at + letter.len_utf8()).min(text.len());
        if hash {
            out.extend(["`", &text[word..at], "`", &text[at..end]]);
        } else {
            out.push_str(&text[word..end]);
        }
        word = end;
    }
    out
}

/// `www.` links by itself in GitHub's Markdown.
fn unlinked(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if !lower.contains("www.") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 8);
    let mut at = 0;
    while let Some(found) = lower[at..].find("www.") {
        out.push_str(&text[at..at + found + 3]);
        out.push_str("&#46;");
        at += found + 4;
    }
    out.push_str(&text[at..]);
    out
}

/// `1.` and `1)` begin a numbered list.
fn numbered(text: String) -> String {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    match text.as_bytes().get(digits) {
        Some(b'.' | b')') => format!("{}\\{}", &text[..digits], &text[digits..]),
        _ => text,
    }
}

/// Several lines as a quote: each line is inert, the quote ends with the text.
pub(super) fn quote(text: &str) -> String {
    shortened(text, LONGEST)
        .lines()
        .map(|line| format!("> {}", inline(line)))
        .collect::<Vec<_>>()
        .join("  \n")
}

/// A code span. In code spans, too, a `<` is written as `&lt;`: some viewers read it as HTML.
pub(super) fn code(text: &str) -> String {
    let clean: String = shortened(text, 500)
        .chars()
        .filter(|letter| !hidden(*letter) && !letter.is_control())
        .map(|letter| if letter == '`' { '\'' } else { letter })
        .collect();
    let clean = clean.replace('<', "&lt;").replace('|', "\\|");
    if clean.trim().is_empty() { String::new() } else { format!("`{}`", clean.trim()) }
}

/// An address for a link that we make ourselves: HTTPS (or loopback), nothing that could end the link.
pub(super) fn link(label: &str, url: Option<&str>) -> String {
    match url.and_then(address) {
        Some(url) => format!("[{}]({url})", inline(label)),
        None => inline(label),
    }
}

/// The address, when it is safe to link to.
pub(super) fn address(url: &str) -> Option<String> {
    let known = url.starts_with("https://")
        || url.starts_with("http://127.0.0.1")
        || url.starts_with("http://localhost")
        || url.starts_with("http://[::1]");
    let safe =
        url.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$&*+,;=%[]".contains(&byte));
    // A secret was taken out of it: it leads nowhere.
    let whole = !url.contains(REDACTED);
    (known && safe && whole && url.len() <= 2000).then(|| url.replace('[', "%5B").replace(']', "%5D"))
}

/// Text for XML: only characters that XML 1.0 allows, bounded. The writer escapes the rest.
pub(super) fn xml(text: &str) -> String {
    shortened(text, LONGEST)
        .chars()
        .filter(|&letter| matches!(letter, '\t' | '\n') || (!letter.is_control() && !hidden(letter)))
        .collect()
}

/// One line for the log or an annotation, without control characters.
pub(super) fn line(text: &str, most: usize) -> String {
    let flat: String = shortened(text, most)
        .chars()
        .map(|letter| if matches!(letter, '\n' | '\r' | '\t') { ' ' } else { letter })
        .filter(|&letter| !letter.is_control() && !hidden(letter))
        .collect();
    flat.trim().to_owned()
}

/// What nobody sees, but for white space.
fn hidden(letter: char) -> bool {
    is_hidden(letter) && !matches!(letter, '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{address, code, inline, link, quote, xml};

    #[test]
    fn markup_links_and_mentions_are_inert() {
        assert_eq!(
            inline("<img src=x> **b** [a](https://x) @team #1"),
            "&lt;img src=x&gt; \\*\\*b\\*\\* \\[a\\](https&#58;//x) @\u{200b}team \\#\u{200b}1"
        );
        assert_eq!(inline("1. first"), "1\\. first");
        assert_eq!(inline("- item\nnext|cell"), "\\- item next\\|cell");
        assert_eq!(inline("see WWW.evil.example"), "see WWW&#46;evil.example");
        assert_eq!(code("a`b<c|d"), "`a'b&lt;c\\|d`");
        assert_eq!(quote("a\n# b"), "> a  \n> \\# b");
        assert_eq!(link("x", Some("javascript:alert(1)")), "x");
        assert_eq!(link("x", Some("https://nunu.ai/a")), "[x](https://nunu.ai/a)");
        assert_eq!(address("https://x/a)b"), None);
        assert_eq!(xml("a\u{0}b\u{1b}c\u{202e}d"), "abcd");
    }

    #[test]
    fn references_lead_nowhere() {
        let hash = "0123456789abcdef0123456789ABCDEF01234567";
        for reference in [
            "#1",
            "GH-1",
            "gh-12",
            "GL-3",
            "!7",
            "$2",
            "&4",
            "%5",
            "%\"v1\"",
            "~bug",
            "acme/game#8",
            "@team",
            hash,
            &format!("acme/game@{hash}"),
        ] {
            let made = inline(&format!("see {reference}, please"));
            // As a viewer reads it: escapes and entities are resolved before references are looked for.
            let read = made.replace('\\', "").replace("&amp;", "&");
            let is_code = reference.contains(hash) && read.contains(&format!("`{hash}`"));
            assert!(is_code || !read.contains(reference), "{made:?}");
            let letters = read.replace(['\u{200b}', '`'], "");
            assert_eq!(letters, format!("see {reference}, please"));
        }
        let id = "789e0123-e89b-12d3-a456-426614174000";
        assert_eq!(inline(id), id, "ids can be copied");
        // What a host masks, it masks as a whole.
        for secret in ["ghp_0aB1cD2eF3_x", "AbC/dEf+0123456789==", hash, "a-b.c_d~e"] {
            assert!(
                inline(&format!("with {secret} in it")).replace("\\~\u{200b}", "~").contains(secret),
                "{secret}"
            );
        }
        assert_eq!(inline("_a_ __b__ a_ _b =x"), "\\_a\\_ \\_\\_b\\_\\_ a\\_ \\_b =x");
        assert_eq!(inline("==="), "\\===");
        assert_eq!(inline("50% of C# + R&D, left-3"), "50% of C\\# + R&amp;D, left-3");
    }

    proptest! {
        #[test]
        fn no_tag_and_no_line_comes_from_remote_text(text in any::<String>()) {
            for made in [inline(&text), code(&text)] {
                assert!(!made.contains('<'), "{made:?}");
                assert!(!made.contains('\n'), "{made:?}");
            }
            assert!(!inline(&text).contains("://"));
            assert!(quote(&text).lines().all(|line| line.starts_with("> ")));
        }
    }
}
