//! What the window of a stream can show.

use std::io::IsTerminal as _;

use anstream::{AutoStream, ColorChoice};

use crate::model::Env;
use crate::model::look::Look;

use super::stream::Stream;

/// Terminals that print the letters of a link's address, or little more than letters.
const WITHOUT_LINKS: [&str; 4] = ["dumb", "linux", "vt100", "vt220"];

/// What is known of a stream before anything is written to it.
#[derive(Debug, Clone, Copy)]
struct Facts {
    is_terminal: bool,
    /// What the user's variables and the console allow (`NO_COLOR`, `CLICOLOR_FORCE`, `TERM`).
    colour: bool,
    /// False on consoles that know colours, but no movement of the cursor.
    is_ansi: bool,
    width: Option<usize>,
}

/// What can be shown on that stream.
pub(crate) fn look(stream: Stream, env: &Env) -> Look {
    judge(facts(stream), env)
}

/// True when what stands in the window can be written anew.
pub(super) fn rewrites(stream: Stream, env: &Env) -> bool {
    let facts = facts(stream);
    facts.is_terminal && facts.is_ansi && env.get("TERM").map_or(cfg!(windows), |term| term != "dumb")
}

/// Columns and rows of the window, which may change at any time.
pub(super) fn size(stream: Stream) -> Option<(usize, usize)> {
    let size = match stream {
        Stream::Out => terminal_size::terminal_size_of(std::io::stdout()),
        Stream::Err => terminal_size::terminal_size_of(std::io::stderr()),
    };
    let (width, height) = size?;
    // Some pipes and serial lines call themselves terminals of no size.
    (width.0 > 0 && height.0 > 0).then(|| (usize::from(width.0), usize::from(height.0)))
}

fn facts(stream: Stream) -> Facts {
    let (is_terminal, choice, active) = match stream {
        Stream::Out => {
            let out = std::io::stdout();
            let (is_terminal, choice) = (out.is_terminal(), AutoStream::choice(&out));
            (is_terminal, choice, AutoStream::always(out).current_choice())
        }
        Stream::Err => {
            let err = std::io::stderr();
            let (is_terminal, choice) = (err.is_terminal(), AutoStream::choice(&err));
            (is_terminal, choice, AutoStream::always(err).current_choice())
        }
    };
    Facts {
        is_terminal,
        colour: choice != ColorChoice::Never,
        is_ansi: active == ColorChoice::AlwaysAnsi,
        width: size(stream).map(|(width, _)| width),
    }
}

fn judge(facts: Facts, env: &Env) -> Look {
    let term = env.get("TERM");
    let is_dumb = term == Some("dumb");
    let windowed = facts.is_terminal && facts.is_ansi && !is_dumb;
    Look {
        colour: facts.colour,
        unicode: windowed && (cfg!(windows) || speaks_utf8(env)),
        links: windowed && facts.colour && !term.is_some_and(|term| WITHOUT_LINKS.contains(&term)),
        width: facts.width.filter(|_| facts.is_terminal).unwrap_or(Look::PLAIN.width),
    }
}

/// What the locale says of letters beyond ASCII; the first of these variables that is set decides (POSIX, "Environment Variables").
fn speaks_utf8(env: &Env) -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| env.get(name).filter(|it| !it.is_empty()));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::{Env, Facts, Look, judge};

    const TERMINAL: Facts = Facts { is_terminal: true, colour: true, is_ansi: true, width: Some(80) };

    fn with(facts: Facts, pairs: &[(&str, &str)]) -> Look {
        judge(facts, &Env::new(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()))))
    }

    #[test]
    fn a_window_shows_what_it_can() {
        let rich = with(TERMINAL, &[("TERM", "xterm-256color"), ("LANG", "de_CH.UTF-8")]);
        assert_eq!(rich, Look { colour: true, unicode: true, links: true, width: 80 });
        let pipe = Facts { is_terminal: false, colour: false, width: None, ..TERMINAL };
        assert_eq!(with(pipe, &[("LANG", "C.UTF-8")]), Look::PLAIN);
        assert!(with(Facts { colour: true, ..pipe }, &[]).colour, "CLICOLOR_FORCE reaches a pipe too");
    }

    #[cfg(not(windows))]
    #[test]
    fn letters_beyond_ascii_need_a_locale_that_has_them() {
        for (pairs, want) in [
            (&[("TERM", "xterm"), ("LANG", "C")][..], false),
            (&[("TERM", "xterm")], false),
            (&[("TERM", "xterm"), ("LANG", "en_US.utf8")], true),
            (&[("TERM", "xterm"), ("LC_ALL", "POSIX"), ("LANG", "en_US.UTF-8")], false),
            (&[("TERM", "dumb"), ("LANG", "en_US.UTF-8")], false),
        ] {
            assert_eq!(with(TERMINAL, pairs).unicode, want, "{pairs:?}");
        }
    }

    #[test]
    fn links_are_for_terminals_that_hide_the_address() {
        for term in ["dumb", "linux", "vt100"] {
            assert!(!with(TERMINAL, &[("TERM", term)]).links, "{term}");
        }
        let legacy = Facts { is_ansi: false, ..TERMINAL };
        assert_eq!(with(legacy, &[]), Look { colour: true, unicode: false, links: false, width: 80 });
    }
}
