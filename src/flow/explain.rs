//! The command `explain`: the page of an exit reason, as `docs/errors.md` has it, without a network. Pure.

use textwrap::Options;

use crate::config::nearest;
use crate::model::look::{BOLD, DIM, GREEN, Look};
use crate::model::{ExitReason, Failure};

/// A line longer than this is hard to read.
const WIDEST: usize = 100;

/// All pages; each begins with its reason as a heading.
const PAGES: &str = include_str!("../../docs/errors.md");

/// The page of a reason, the reasons of an exit code, or all reasons; `None` when nothing has that name.
pub(super) fn text(asked: Option<&str>, look: Look) -> Option<String> {
    let Some(asked) = asked else { return Some(list(&ExitReason::ALL, look)) };
    let asked = asked.trim().to_ascii_lowercase();
    if let Some(page) = page(&asked) {
        return Some(shown(page, look));
    }
    let code: u8 = asked.parse().ok()?;
    let of_code: Vec<ExitReason> =
        ExitReason::ALL.into_iter().filter(|reason| reason.exit_code() == code).collect();
    match of_code.as_slice() {
        [] => None,
        [one] => page(one.as_str()).map(|page| shown(page, look)),
        several => Some(list(several, look)),
    }
}

/// Nothing has that name.
pub(super) fn unknown(asked: &str) -> Failure {
    let near = nearest(asked, ExitReason::ALL.iter().map(|reason| reason.as_str()));
    let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Failure::new(ExitReason::InvalidInput, format!("there is no exit reason or exit code \"{asked}\"{near}"))
        .hint("nunu-ci explain lists every reason")
}

fn page(reason: &str) -> Option<&'static str> {
    PAGES.split("\n## ").skip(1).find(|page| page.lines().next() == Some(&format!("`{reason}`")))
}

/// A page without its marks, wrapped to the window.
fn shown(page: &str, look: Look) -> String {
    let mut out = String::new();
    let mut in_console = false;
    for (number, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            in_console = !in_console;
            continue;
        }
        let text = if in_console {
            format!("  {}", look.paint(if line.starts_with("$ ") { BOLD } else { DIM }, line))
        } else if number == 0 {
            look.paint(BOLD, &plain(line))
        } else {
            let wrapped = textwrap::fill(&plain(line), look.width.min(WIDEST));
            wrapped.replacen("What to do:", &look.paint(GREEN, "What to do:"), 1)
        };
        out.push_str(text.trim_end());
        out.push('\n');
    }
    format!("{}\n", out.trim_end())
}

/// Code marks and bold marks are for a page.
fn plain(line: &str) -> String {
    line.replace(['`'], "").replace("**", "")
}

fn list(reasons: &[ExitReason], look: Look) -> String {
    let mut out = String::new();
    let mut before = None;
    for reason in reasons {
        // Two signals share a reason.
        if before == Some(reason.as_str()) {
            continue;
        }
        before = Some(reason.as_str());
        let first = format!("{:>3}  {reason:<20} ", reason.exit_code());
        let options = Options::new(look.width.min(WIDEST))
            .initial_indent(&first)
            .subsequent_indent("                          ");
        let line = textwrap::fill(&plain(reason.meaning()), options);
        out.push_str(&line.replacen(reason.as_str(), &look.paint(BOLD, reason.as_str()), 1));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{ExitReason, Look, text, unknown};

    #[test]
    fn every_reason_has_its_page() {
        for reason in ExitReason::ALL {
            let page = text(Some(reason.as_str()), Look::PLAIN).unwrap();
            assert!(page.starts_with(reason.as_str()) && page.contains("What to do:"), "{page}");
            assert!(page.contains("$ nunu-ci") || page.contains("$ NUNU_"), "{page}");
            assert!(!page.contains("**What") && !page.contains("```"), "{page}");
        }
    }

    #[test]
    fn a_code_leads_to_its_reasons() {
        assert!(text(Some("8"), Look::PLAIN).unwrap().starts_with("timeout\n"));
        let build = text(Some("4"), Look::PLAIN).unwrap();
        assert!(build.contains("build-empty") && build.contains("quota-exceeded"), "{build}");
        assert!(text(Some("143"), Look::PLAIN).unwrap().starts_with("interrupted\n"));
        assert_eq!(text(None, Look::PLAIN).unwrap().matches("interrupted ").count(), 1);
    }

    #[test]
    fn a_near_miss_is_named() {
        assert_eq!(text(Some("build-emty"), Look::PLAIN), None);
        assert!(unknown("build-emty").message.contains("did you mean build-empty?"));
        assert_eq!(text(Some("11"), Look::PLAIN), None);
    }
}
