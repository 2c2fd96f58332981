//! What fails the job, and what it is measured against: the settings `fail-on` and `baseline`.

use crate::model::job::{Confidence, Severity};
use crate::model::verdict::{BugGate, FailOn};

use super::plan::BaselineOf;
use super::resolve::Resolver;
use super::values;

/// What fails the job.
pub(super) fn fail_on(resolver: &mut Resolver<'_>) -> FailOn {
    let (items, source) = resolver.items_or_default("fail-on");
    let mut fail_on = FailOn {
        failed: false,
        error: false,
        timeout: false,
        blocked: false,
        stopped: false,
        skipped: false,
        bugs: Vec::new(),
        new_bugs: Vec::new(),
        newly_failed: false,
    };
    for item in items {
        match item.to_ascii_lowercase().as_str() {
            "failed" => fail_on.failed = true,
            "error" => fail_on.error = true,
            "timeout" => fail_on.timeout = true,
            "blocked" => fail_on.blocked = true,
            "stopped" => fail_on.stopped = true,
            "skipped" => fail_on.skipped = true,
            "newly-failed" => fail_on.newly_failed = true,
            word => match named_bug_gate(word) {
                Some((Gated::All, Some(gate))) => fail_on.bugs.push(gate),
                Some((Gated::New, Some(gate))) => fail_on.new_bugs.push(gate),
                Some((gated, None)) => resolver.complain(
                    "fail-on",
                    &source,
                    &format!("\"{item}\": write {}<severity>[:<confidence>] with low, medium, high or critical, and low, medium or high", gated.prefix()),
                ),
                None => {
                    let known = ["failed", "error", "timeout", "blocked", "stopped", "skipped", "bugs:high", "new-bugs:high", "newly-failed"];
                    let near = values::nearest(word, known);
                    let near = near.map_or_else(|| format!("known are {}", known.join(", ")), |near| format!("did you mean {near}?"));
                    resolver.complain("fail-on", &source, &format!("\"{item}\" is nothing that can fail the job; {near}"));
                }
            },
        }
    }
    fail_on
}

/// What results are compared with.
pub(super) fn baseline(text: &str) -> Result<BaselineOf, String> {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "auto" => return Ok(BaselineOf::Auto),
        "none" => return Ok(BaselineOf::Nothing),
        _ => {}
    }
    let name = text.strip_prefix("refs/heads/").unwrap_or(text);
    // What git takes for a branch ("git check-ref-format").
    let plain =
        |letter: char| !letter.is_whitespace() && !letter.is_control() && !"~^:?*[\\".contains(letter);
    let usable = !name.is_empty()
        && name.chars().all(plain)
        && !name.starts_with(['-', '/'])
        && !name.ends_with(['/', '.'])
        && !name.contains("..");
    if usable {
        Ok(BaselineOf::Branch(name.to_owned()))
    } else {
        Err(format!(
            "\"{text}\" is neither auto nor none, and no branch can be called so: write a name such as main"
        ))
    }
}

/// Which bugs a gate looks at.
#[derive(Clone, Copy)]
enum Gated {
    All,
    New,
}

impl Gated {
    const fn prefix(self) -> &'static str {
        match self {
            Self::All => "bugs:",
            Self::New => "new-bugs:",
        }
    }
}

/// A word for bugs, and what it says where it can be read.
fn named_bug_gate(word: &str) -> Option<(Gated, Option<BugGate>)> {
    let of = |gated: Gated| word.strip_prefix(gated.prefix()).map(|words| (gated, bug_gate(words)));
    of(Gated::All).or_else(|| of(Gated::New))
}

fn bug_gate(words: &str) -> Option<BugGate> {
    let (severity, confidence) = words.split_once(':').unwrap_or((words, "low"));
    Some(BugGate {
        severity: match severity.trim() {
            "low" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            "critical" => Severity::Critical,
            _ => return None,
        },
        confidence: match confidence.trim() {
            "low" => Confidence::Low,
            "medium" => Confidence::Medium,
            "high" => Confidence::High,
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{BaselineOf, baseline};

    #[test]
    fn a_baseline_is_a_word_or_a_branch() {
        for (text, want) in [
            ("auto", BaselineOf::Auto),
            ("None", BaselineOf::Nothing),
            (" main ", BaselineOf::Branch("main".to_owned())),
            ("refs/heads/release/2.1", BaselineOf::Branch("release/2.1".to_owned())),
        ] {
            assert_eq!(baseline(text), Ok(want), "{text}");
        }
        for no in ["", "a b", "-x", "a..b", "x/", "v1:", "re*"] {
            assert!(baseline(no).unwrap_err().contains("neither auto nor none"), "{no}");
        }
    }
}
