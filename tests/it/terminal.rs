//! What a person sees who runs it in a terminal; `script` of util-linux plays the terminal, and a small screen reads what it shows.

use std::process::Command;

use nunu_sim::{DEFAULT_DEPLOYMENT_CONFIG, DEFAULT_TEST, Scenario, Sim};

use crate::stage::{Stage, tell};

/// What a terminal does with what is written to it, as far as the program uses it; anything else fails the test.
struct Screen {
    width: usize,
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Every state of the screen before something was taken away.
    frames: Vec<String>,
}

impl Screen {
    fn of(width: usize, text: &str) -> Self {
        let mut screen = Self { width, lines: vec![Vec::new()], row: 0, column: 0, frames: Vec::new() };
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            match letter {
                '\r' => screen.column = 0,
                '\n' => screen.down(),
                '\u{1b}' => rest = screen.escape(rest),
                letter => screen.put(letter),
            }
        }
        screen
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push(Vec::new());
        }
    }

    fn put(&mut self, letter: char) {
        if self.column == self.width {
            self.column = 0;
            self.down();
        }
        let line = &mut self.lines[self.row];
        line.resize(line.len().max(self.column + 1), ' ');
        line[self.column] = letter;
        self.column += 1;
    }

    /// Does what the sequence says; gives the text after it.
    fn escape<'a>(&mut self, rest: &'a str) -> &'a str {
        if let Some(link) = rest.strip_prefix("]8;;") {
            return link.split_once("\u{1b}\\").unwrap().1;
        }
        let rest = rest.strip_prefix('[').unwrap_or_else(|| panic!("unknown sequence: {rest:?}"));
        let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).unwrap();
        let number = rest[..end].parse::<usize>().unwrap_or(0);
        match &rest[end..=end] {
            "m" => {}
            "A" => {
                self.frames.push(self.text());
                self.row = self.row.checked_sub(number).unwrap();
            }
            "J" => {
                self.lines.truncate(self.row + 1);
                self.lines[self.row].truncate(self.column);
            }
            other => panic!("unknown sequence {other:?} in {rest:?}"),
        }
        &rest[end + 1..]
    }

    fn text(&self) -> String {
        let lines =
            self.lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned() + "\n");
        lines.collect()
    }
}

/// What the terminal of that size got.
fn in_a_terminal(stage: &Stage, width: usize, args: &str) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_nunu-ci");
    let command = format!("stty cols {width} rows 12; {program} {args}");
    let like = stage.command(&[]);
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).current_dir(stage.work()).env_clear();
    script.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let out = script.output().ok()?;
    Some(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn run() -> String {
    format!("run --test-id {DEFAULT_TEST} --deployment-config-id {DEFAULT_DEPLOYMENT_CONFIG}")
}

fn endless() -> Stage {
    Stage::of(Sim::builder().scenario(Scenario::endless())).off_ci().env("NUNU_TIMEOUT", "4s")
}

#[test]
fn a_person_sees_a_block_that_never_smears_and_is_gone_at_the_end() {
    for width in [120, 80, 34] {
        let stage = endless().env("TERM", "xterm").env("LANG", "C.UTF-8");
        let Some(shown) = in_a_terminal(&stage, width, &run()) else {
            return tell("skip terminal: there is no `script` here");
        };
        let screen = Screen::of(width, &shown);
        let frames: Vec<&String> = screen.frames.iter().filter(|frame| frame.contains("s elapsed")).collect();
        assert!(frames.len() >= 2, "{shown:?}");
        for frame in frames {
            let (above, block) =
                frame.trim_end().split_at(frame.find(['●', '○']).expect("a row for the test"));
            assert!(!above.contains("s elapsed"), "a block that is not gone:\n{frame}");
            assert_eq!(block.lines().count(), 2, "one row for the test, one for all:\n{frame}");
            assert!(
                width < 80
                    || block.contains("running")
                    || block.contains("starting")
                    || block.contains("queued")
                    || block.contains("running")
                    || block.contains("step 1 of "),
                "{frame}"
            );
        }
        let last = screen.text();
        assert!(!last.contains("elapsed") && !last.contains(['●', '○']), "{last}");
        let end = last.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(end.ends_with("nunu-ci: timed-out (timeout), exit code 8"), "{last}");
        assert!(end.contains("more: nunu-ci explain timeout"), "{last}");
    }
}

#[test]
fn a_terminal_that_can_do_little_gets_little() {
    let stage = endless().env("TERM", "dumb").env("LANG", "C.UTF-8");
    let Some(dumb) = in_a_terminal(&stage, 80, &run()) else {
        return tell("skip terminal: there is no `script` here");
    };
    assert!(!dumb.contains('\u{1b}') && !dumb.contains("elapsed") && dumb.is_ascii(), "{dumb:?}");
    let plain = endless().env("TERM", "xterm").env("NO_COLOR", "1");
    let plain = in_a_terminal(&plain, 80, &run()).unwrap();
    assert!(plain.contains("elapsed") && !plain.contains("\u{1b}[3") && plain.is_ascii(), "{plain:?}");
}

#[test]
fn an_error_is_wrapped_below_its_words_and_coloured() {
    let stage = Stage::new().off_ci().env("TERM", "xterm").env("LANG", "C.UTF-8");
    let Some(shown) = in_a_terminal(&stage, 60, "run --fail-on faild") else {
        return tell("skip terminal: there is no `script` here");
    };
    assert!(shown.contains("\u{1b}[1m\u{1b}[31merror: \u{1b}[0m"), "{shown:?}");
    insta::assert_snapshot!(Screen::of(60, &shown).text());
}

#[test]
fn how_each_test_ended_has_a_sign() {
    let stage = Stage::new().off_ci().env("TERM", "xterm").env("LANG", "C.UTF-8");
    let Some(shown) = in_a_terminal(&stage, 80, &run()) else {
        return tell("skip terminal: there is no `script` here");
    };
    let screen = Screen::of(80, &shown).text();
    assert!(screen.contains("✓ passed       Smoke test in "), "{screen}");
    assert!(shown.contains("\u{1b}[32m✓ \u{1b}[0m"), "{shown:?}");
}
