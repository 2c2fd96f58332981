//! `{branch} {commit} {short_commit} {run_number} {pr} {date}` in the build's name and tags. Pure.

use crate::model::run_report::Context;

/// Names that may stand between braces.
const KNOWN: [&str; 6] = ["branch", "commit", "short_commit", "run_number", "pr", "date"];

/// Fills in the templates of `text`.
pub(super) fn fill(text: &str, context: &Context, date: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut problems = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let word_end = rest[at + 1..].find(|letter: char| !letter.is_ascii_lowercase() && letter != '_');
        let word = word_end.map(|end| &rest[at + 1..at + 1 + end]).unwrap_or_default();
        let closed = word_end.is_some_and(|end| rest[at + 1 + end..].starts_with('}'));
        if word.is_empty() || !closed {
            out.push('{');
            rest = &rest[at + 1..];
            continue;
        }
        rest = &rest[at + word.len() + 2..];
        if !KNOWN.contains(&word) {
            problems.push(format!(
                "holds {{{word}}}, which is no template; there are {}",
                KNOWN.map(|name| format!("{{{name}}}")).join(" ")
            ));
        } else if let Some(value) = value(word, context, date) {
            out.push_str(&value);
        } else {
            problems.push(format!("needs {{{word}}}, which is not known here{}", why(word)));
        }
    }
    out.push_str(rest);
    if problems.is_empty() { Ok(out) } else { Err(problems.join("; ")) }
}

/// Why a value may be missing.
fn why(word: &str) -> &'static str {
    match word {
        "pr" => ": this is no pull or merge request",
        "branch" => ": this is no branch, or not a CI job",
        "run_number" => ": this is not a CI job",
        _ => ": there is no git repository here, or git is missing",
    }
}

fn value(word: &str, context: &Context, date: &str) -> Option<String> {
    match word {
        "branch" => context.branch.clone(),
        "commit" => context.commit.clone(),
        "short_commit" => context.commit.as_ref().map(|commit| commit.chars().take(7).collect()),
        "run_number" => context.build_number.clone(),
        "pr" => context.pull_request.map(|number| number.to_string()),
        _ => Some(date.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Context, fill};

    #[test]
    fn fills_what_is_known_and_names_what_is_not() {
        let context = Context {
            branch: Some("main".to_owned()),
            commit: Some("0123456789abcdef".to_owned()),
            ..Context::default()
        };
        assert_eq!(
            fill("{branch}@{short_commit} {date} {} {Not} {", &context, "2026-01-02").as_deref(),
            Ok("main@0123456 2026-01-02 {} {Not} {")
        );
        let problem = fill("{pr} {brunch}", &context, "x").unwrap_err();
        assert!(problem.contains("needs {pr}, which is not known here: this is no pull"), "{problem}");
        assert!(problem.contains("holds {brunch}, which is no template"), "{problem}");
    }
}
