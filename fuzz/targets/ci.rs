//! Fuzz targets of this module: what the host reads is what was meant, and nothing else.

use crate::fuzzing::Pieces;

use super::escape::{azure, command_data, command_property, inert, own_line, team_city};
use super::host::heredoc;

/// What GitHub's, Azure's, Buildkite's and `TeamCity`'s agents take for a command, and terminals for a control (runner and agent,
/// `ActionCommand.cs` and `Command.cs`).
pub(super) fn acts(line: &str) -> bool {
    let lower = line.to_lowercase();
    line.contains(['\n', '\r', '\u{1b}', '\u{7}', '\u{9b}', '\u{2028}'])
        || ["::", "---", "+++", "~~~", "^^^"].iter().any(|begin| line.trim_start().starts_with(begin))
        || lower.contains("##[")
        || lower.contains("##vso[")
        || lower.contains("##teamcity[")
}

/// A workflow command is read back as the runner reads it (`ActionCommand.cs`, `TryParseV2`).
pub(crate) fn workflow_command(data: &[u8]) {
    let mut pieces = Pieces::of(data);
    let (title, message) = (pieces.text(), pieces.text());
    let line = format!("::error title={},file=x::{}", command_property(&title), command_data(&message));
    assert!(!line.contains(['\n', '\r']), "{line:?}");
    let read = |text: &str, more: &[(&str, &str)]| {
        let mut text = text.to_owned();
        for (from, to) in [("%0D", "\r"), ("%0A", "\n")].iter().chain(more).chain(&[("%25", "%")]) {
            text = text.replace(from, to);
        }
        text
    };
    let Some((properties, shown)) = line.strip_prefix("::error ").and_then(|rest| rest.split_once("::"))
    else {
        panic!("{line:?} is no command")
    };
    let properties: Vec<&str> = properties.split(',').collect();
    assert_eq!(properties.len(), 2, "{line:?}");
    assert_eq!(properties[1], "file=x");
    let shown_title =
        properties[0].strip_prefix("title=").map(|text| read(text, &[("%3A", ":"), ("%2C", ",")]));
    assert_eq!(shown_title.as_deref(), Some(title.as_ref()));
    assert_eq!(read(shown, &[]), message);
}

/// Azure's logging commands and `TeamCity`'s service messages end where we end them.
pub(crate) fn service_message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let escaped = azure(&text);
    assert!(!escaped.contains(['\n', '\r', ']', ';']), "{escaped:?}");
    let back = escaped.replace("%3B", ";").replace("%5D", "]").replace("%0A", "\n").replace("%0D", "\r");
    assert_eq!(back.replace("%AZP25", "%"), text);
    let escaped = team_city(&text);
    let mut back = String::new();
    let mut letters = escaped.chars();
    while let Some(letter) = letters.next() {
        assert!(!matches!(letter, '\'' | '[' | ']' | '\n' | '\r'), "{escaped:?}");
        back.push(match letter {
            '|' => match letters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => panic!("{escaped:?} ends in an escape"),
            },
            other => other,
        });
    }
    assert_eq!(back, text);
}

/// No line of ours or of the service acts on a host or on a terminal.
pub(crate) fn terminal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines() {
        for made in [own_line("", line), own_line("error: ", line)] {
            assert!(!acts(&made), "{line:?} acts as {made:?}");
            assert!(!made.chars().any(char::is_control), "{made:?}");
        }
        assert_eq!(inert(&inert(line)), inert(line));
    }
}

/// `GITHUB_OUTPUT` gives back exactly one output, with the value as it was (runner, `FileCommandManager.cs`).
pub(crate) fn github_output(data: &[u8]) {
    let value = String::from_utf8_lossy(data);
    let written = format!("{}after=1\n", heredoc("build-id", &value));
    let Some((name, rest)) = written.split_once("<<") else { panic!("{written:?}") };
    let Some((delimiter, rest)) = rest.split_once('\n') else { panic!("{written:?}") };
    let Some((read, after)) = rest.split_once(&format!("\n{delimiter}\n")) else { panic!("{written:?}") };
    assert_eq!((name, read, after), ("build-id", value.as_ref(), "after=1\n"));
}
