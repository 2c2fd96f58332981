//! What a window can show, and the few styles that are used in one.

use anstyle::{AnsiColor, Style};

/// Headings, and the word `error`.
pub(crate) const BOLD: Style = Style::new().bold();
/// What is good, and what to do.
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
/// What is bad.
pub(crate) const RED: Style = AnsiColor::Red.on_default();
/// What to look at.
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub(crate) const DIM: Style = Style::new().dimmed();

/// Columns where no window tells how many it has.
const USUAL_WIDTH: usize = 100;

/// What can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Colours and bold letters.
    pub(crate) colour: bool,
    /// Signs beyond ASCII.
    pub(crate) unicode: bool,
    /// Links behind words (OSC 8).
    pub(crate) links: bool,
    /// Columns.
    pub(crate) width: usize,
}

/// How something stands, as one sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Good,
    Bad,
    /// To look at.
    Warning,
    /// Neither good nor bad.
    Neutral,
    /// Under way.
    Running,
    /// Not begun.
    Waiting,
}

impl Look {
    /// Letters alone.
    pub(crate) const PLAIN: Self = Self { colour: false, unicode: false, links: false, width: USUAL_WIDTH };

    /// The text in that style, where styles are shown.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// The sign for how something stands, one column wide, and its style.
    pub(crate) const fn sign(self, mark: Mark) -> (&'static str, Style) {
        let (sign, ascii, style) = match mark {
            Mark::Good => ("✓", "+", GREEN),
            Mark::Bad => ("✗", "x", RED),
            Mark::Warning => ("!", "!", YELLOW),
            Mark::Neutral => ("–", "-", DIM),
            Mark::Running => ("●", "*", BOLD),
            Mark::Waiting => ("○", "o", DIM),
        };
        (if self.unicode { sign } else { ascii }, style)
    }

    /// A text that leads to an address of ours, where links are shown. Whatever could end the sequence is refused.
    pub(crate) fn link(self, text: &str, address: &str) -> String {
        let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic());
        if self.links && is_plain && address.starts_with("http") {
            format!("\u{1b}]8;;{address}\u{1b}\\{text}\u{1b}]8;;\u{1b}\\")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Mark, RED};

    const RICH: Look = Look { colour: true, unicode: true, links: true, width: 80 };

    #[test]
    fn a_plain_window_gets_letters_alone() {
        assert_eq!(Look::PLAIN.paint(RED, "no"), "no");
        assert_eq!(Look::PLAIN.link("run", "https://nunu.ai/x"), "run");
        for mark in [Mark::Good, Mark::Bad, Mark::Warning, Mark::Neutral, Mark::Running, Mark::Waiting] {
            assert!(Look::PLAIN.sign(mark).0.is_ascii());
            assert_eq!(unicode_width::UnicodeWidthStr::width(RICH.sign(mark).0), 1);
        }
    }

    #[test]
    fn styles_end_where_they_began_and_addresses_cannot_leave_their_link() {
        assert_eq!(RICH.paint(RED, "no"), "\u{1b}[31mno\u{1b}[0m");
        assert_eq!(
            RICH.link("run", "https://nunu.ai/x"),
            "\u{1b}]8;;https://nunu.ai/x\u{1b}\\run\u{1b}]8;;\u{1b}\\"
        );
        for hostile in ["https://x/\u{1b}\\evil", "javascript:x", "https://x/ y", "https://x/\u{9c}"] {
            assert_eq!(RICH.link("run", hostile), "run");
        }
    }
}
