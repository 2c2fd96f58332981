//! `nunu.env`: the outputs as a dotenv file, for hosts without outputs of their own. Pure.

use std::path::MAIN_SEPARATOR;

use crate::model::RunReport;

use super::outputs::{Files, outputs};

/// Largest dotenv report that GitLab takes ("Limits", `.env` file size).
const LARGEST: usize = 5 * 1024;
/// Most variables that GitLab takes from one ("Limits", `.env` variables; the least of its plans).
const MOST_LINES: usize = 20;
/// What goes first when the file would be too large; then the longest.
pub(super) const DROPPED_FIRST: [&str; 8] = [
    "run-ids",
    "baseline-run-url",
    "summary-file",
    "test-plan-execution-id",
    "tests-carried-over",
    "duration-seconds",
    "bugs-fixed",
    "junit-file",
];

/// The file, and what it could not take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dotenv {
    /// One `NUNU_OUTPUT_NAME=value` a line.
    pub(super) text: String,
    /// Outputs whose value holds other characters than a shell reads as they are.
    unsafe_values: Vec<&'static str>,
    /// Outputs for which there was no room.
    without_room: Vec<&'static str>,
}

/// The dotenv file. Its names are no settings of ours, and sourcing it in a shell runs nothing, whatever the service or the
/// repository put into a value.
pub(super) fn dotenv(report: &RunReport, files: &Files) -> Dotenv {
    let mut made = Dotenv::default();
    let mut lines: Vec<(&'static str, String)> = Vec::new();
    for (name, value) in outputs(report, Some(files)) {
        // Windows takes both separators, a shell one of them.
        let value = if name.ends_with("-file") { value.replace(MAIN_SEPARATOR, "/") } else { value };
        if value.bytes().all(is_plain) {
            lines.push((name, format!("{}={value}\n", variable(name))));
        } else {
            made.unsafe_values.push(name);
        }
    }
    while lines.len() > MOST_LINES || lines.iter().map(|(_, line)| line.len()).sum::<usize>() > LARGEST {
        let dropped = drop_next(&mut lines);
        made.without_room.push(dropped);
    }
    made.text = lines.into_iter().map(|(_, line)| line).collect();
    made
}

/// What the file left out, in words; empty when it holds every output.
pub(crate) fn dotenv_notices(report: &RunReport, files: &Files) -> Vec<String> {
    let made = dotenv(report, files);
    let list = |names: &[&str]| names.join(", ");
    let mut notices = Vec::new();
    if !made.unsafe_values.is_empty() {
        notices.push(format!(
            "nunu.env leaves out {}: a value there may hold only letters, digits and _./:@%+=,~-, so that a shell can read the file",
            list(&made.unsafe_values)
        ));
    }
    if !made.without_room.is_empty() {
        notices.push(format!(
            "nunu.env leaves out {}: GitLab takes at most 5 KB and {MOST_LINES} lines; results.json has them",
            list(&made.without_room)
        ));
    }
    notices
}

/// The variable of an output.
fn variable(name: &str) -> String {
    format!("NUNU_OUTPUT_{}", name.to_ascii_uppercase().replace('-', "_"))
}

/// True for characters that no shell acts on within an assignment.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'.' | b'/' | b':' | b'@' | b'%' | b'+' | b'=' | b',' | b'~' | b'-')
}

/// Removes the line that is missed least.
pub(super) fn drop_next(lines: &mut Vec<(&'static str, String)>) -> &'static str {
    let listed =
        DROPPED_FIRST.iter().find_map(|name| lines.iter().position(|(candidate, _)| candidate == name));
    let longest = || lines.iter().enumerate().max_by_key(|(_, (_, line))| line.len()).map(|(index, _)| index);
    lines.remove(listed.or_else(longest).unwrap_or_default()).0
}
