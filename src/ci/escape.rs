//! One function per sink for text that must not act on it. Pure.

use crate::model::hidden::is_hidden;

/// Data of a GitHub workflow command (runner, `ActionCommand.cs`): `%`, CR and LF.
pub(super) fn command_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a GitHub workflow command: also `:` and `,`.
pub(super) fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Data or property of an Azure logging command (Azure Pipelines, "Logging commands": `%AZP25`, `]`, `;`, CR, LF).
pub(super) fn azure(text: &str) -> String {
    text.replace('%', "%AZP25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
        .replace(']', "%5D")
        .replace(';', "%3B")
}

/// A value of a `TeamCity` service message (`TeamCity`, "Service Messages").
pub(super) fn team_city(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '\'' | '[' | ']' => {
                out.push('|');
                out.push(letter);
            }
            '\n' => out.push_str("|n"),
            '\r' => out.push_str("|r"),
            other => out.push(other),
        }
    }
    out
}

/// One line that no terminal and no host acts on: control and direction characters are gone, and what begins a command in the
/// middle of a line is broken.
pub(super) fn inert(line: &str) -> String {
    let clean: String = line
        .chars()
        .map(|letter| if letter == '\t' { ' ' } else { letter })
        .filter(|&letter| !is_hidden(letter))
        .collect();
    break_commands(&clean)
}

/// Puts a space between the signs of `##[`, `##vso[`, `##teamcity[` and the like, in any case: the old GitHub form and Azure's are
/// found anywhere in a line.
fn break_commands(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 4);
    let mut rest = line;
    while let Some(at) = rest.find("##") {
        let after = rest[at + 2..].trim_start_matches(|letter: char| letter.is_ascii_alphabetic());
        out.push_str(&rest[..=at]);
        if after.starts_with('[') {
            out.push(' ');
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out
}

/// What begins a command at the beginning of a line: GitHub's ("Workflow commands"), and Buildkite's groups ("Managing log output").
const COMMANDS: [&str; 5] = ["::", "---", "+++", "~~~", "^^^"];

/// A line of our own words: the level, or blanks, in front where it is not the story, and never a command of the host.
pub(super) fn own_line(word: &str, line: &str) -> String {
    let line = inert(line);
    // The runner trims blanks before it looks for a command.
    let begins = COMMANDS.iter().any(|command| line.trim_start().starts_with(command));
    if word.trim().is_empty() && begins { format!("{word}| {line}") } else { format!("{word}{line}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::{azure, command_data, command_property, inert, own_line, team_city};
    use crate::ci::fuzz::acts;

    #[test]
    fn commands_cannot_be_left() {
        assert_eq!(command_data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(command_property("a:b,c%"), "a%3Ab%2Cc%25");
        assert_eq!(azure("a]b;c\n%"), "a%5Db%3Bc%0A%AZP25");
        assert_eq!(team_city("a'b|c]\n"), "a|'b||c|]|n");
        assert_eq!(inert("\u{1b}[31mred ##[error] ##vso[x]\u{202e}"), "[31mred # #[error] # #vso[x]");
        assert_eq!(
            inert("### a ## b ###[c #\u{200b}#VSO[d ##TeamCity[e"),
            "### a ## b ## #[c # #VSO[d # #TeamCity[e"
        );
        assert_eq!(own_line("", " ::error::x"), "|  ::error::x");
        assert_eq!(own_line("error: ", "::x"), "error: ::x");
        for group in ["--- a", "+++ a", "~~~ a", "^^^ +++", "\u{ad}--- a", "\u{1b}[0m--- a", "\u{e0020}+++"] {
            assert!(
                own_line("", group).starts_with("| ") || own_line("", group).starts_with('['),
                "{group:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn escaped_text_never_ends_its_line(text in any::<String>()) {
            for escaped in [command_data(&text), command_property(&text), azure(&text), team_city(&text), inert(&text)] {
                assert!(!escaped.contains(['\n', '\r']), "{escaped:?}");
            }
        }

        #[test]
        fn no_line_is_a_command(
            text in "([ \t:#\\[|+^~\\-\u{1b}\u{200b}\u{feff}\u{2028}\u{a0}\r\n]|##|::|vso|VsO|teamcity|error|group|add-mask|[a-z]){0,24}",
            other in any::<String>(),
        ) {
            for text in [text, other] {
                for line in text.lines() {
                    for word in ["", "error: ", "warning: ", "       "] {
                        assert!(!acts(&own_line(word, line)), "{line:?}");
                    }
                }
            }
        }
    }
}
