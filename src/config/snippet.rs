//! A problem in a text as people can find it: file, line, column, the line itself and a caret. Pure.

use super::places::Spot;

/// Characters of a line that are shown at most.
const WIDEST: usize = 110;
/// What a key of the service begins with, and how much has to follow until it is taken for one.
const KEY_PREFIX: &str = "nunu_";
const KEY_REST: usize = 8;

/// What is shown of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// All of it.
    Line,
    /// Nothing behind the first colon: a secret stands there.
    KeyOnly,
    /// Nothing: the position has to do.
    Nothing,
}

/// `file:line:column: what`, with the line itself and a caret under the place.
pub(super) fn snippet(name: &str, text: &str, spot: Option<Spot>, what: &str, show: Show) -> String {
    let Some((line, column)) = spot else { return format!("{name}: {what}") };
    if show == Show::Nothing {
        return format!("{name}:{line}:{column}: {what}");
    }
    let source = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let mut letters: Vec<char> = without_keys(source)
        .chars()
        .map(|letter| if letter.is_control() || is_bidi(letter) { ' ' } else { letter })
        .collect();
    if show == Show::KeyOnly
        && let Some(colon) = letters.iter().skip(column).position(|&letter| letter == ':')
    {
        letters.truncate(column + colon + 1);
        letters.extend(" ***".chars());
    }
    let at = column.saturating_sub(1).min(letters.len());
    // A long line, such as a whole config in one, is shown around the place.
    let from = if letters.len() > WIDEST && at > WIDEST / 2 { at - WIDEST / 2 } else { 0 };
    let shown: String = letters.iter().skip(from).take(WIDEST).collect();
    let (before, after) = (
        if from > 0 { "..." } else { "" },
        if letters.len() > from.saturating_add(WIDEST) { "..." } else { "" },
    );
    let indent = " ".repeat(at - from + before.len());
    let bare = format!("{line:>5} | {before}{shown}{after}");
    format!("{name}:{line}:{column}: {what}\n{}\n      | {indent}^", bare.trim_end())
}

/// Marks that turn text around would let a line show something else than it says.
fn is_bidi(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with everything that looks like a key of the service as asterisks, as many as it had letters.
pub(super) fn without_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(KEY_PREFIX) {
        let (before, word) = rest.split_at(at);
        out.push_str(before);
        let length =
            word.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte)).count();
        let (word, after) = word.split_at(length);
        // `nunu_api_token:` is the name of a key in a mapping, not a key of the service.
        if length >= KEY_PREFIX.len() + KEY_REST && !after.starts_with(':') {
            out.push_str(&"*".repeat(length));
        } else {
            out.push_str(word);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::{Show, snippet, without_keys};

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            snippet("f", "a\nbb: c\n", Some((2, 5)), "no", Show::Line),
            "f:2:5: no\n    2 | bb: c\n      |     ^"
        );
        assert_eq!(snippet("f", "a", None, "no", Show::Line), "f: no");
        assert_eq!(snippet("f", "", Some((9, 9)), "no", Show::Line), "f:9:9: no\n    9 |\n      | ^");
        let long = format!("{}X{}", "a".repeat(400), "b".repeat(400));
        let shown = snippet("f", &long, Some((1, 401)), "no", Show::Line);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].find('X'), lines[2].find('^'));
        assert!(lines[1].len() < 140 && lines[1].ends_with("..."), "{shown}");
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(without_keys("k: nunu_0123456789 #"), "k: *************** #");
        assert_eq!(without_keys("nunu_api_token: nunu_short"), "nunu_api_token: nunu_short");
        let shown = snippet("f", "  api_key: hunter2", Some((1, 3)), "no", Show::KeyOnly);
        assert!(shown.contains("  api_key: ***") && !shown.contains("hunter2"), "{shown}");
        assert_eq!(without_keys("nunu_é"), "nunu_é");
    }
}
