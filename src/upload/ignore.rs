//! `.nunuignore`: which files of a folder stay at home, in the syntax of gitignore.
//!
//! The rules are those of <https://git-scm.com/docs/gitignore>; a test compares them with `git check-ignore`. The crates that offer them
//! bring a regular expression engine of a megabyte or a dozen crates of a whole git; these few functions need neither, and their cost is
//! bounded by pattern length times path length.

/// The name of the file.
pub(crate) const FILE_NAME: &str = ".nunuignore";

/// The rules of one `.nunuignore`, for paths relative to its folder.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    negated: bool,
    folders_only: bool,
    /// Without a slash inside, the pattern is matched against the last part of the path alone.
    anchored: bool,
    parts: Vec<Part>,
}

/// One part of a pattern, between slashes.
#[derive(Debug)]
enum Part {
    /// `**`: any number of folders.
    Folders,
    Glob(Vec<Token>),
}

#[derive(Debug)]
enum Token {
    Char(char),
    Any,
    Star,
    Class { negated: bool, items: Vec<ClassItem> },
}

#[derive(Debug)]
enum ClassItem {
    Range(char, char),
    Named(String),
}

impl Rules {
    /// Reads the rules; a line that is no valid pattern matches nothing, as in git.
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.trim_start_matches('\u{feff}').lines().filter_map(Rule::parse).collect())
    }

    /// Whether the path (relative to the folder of the rules, with `/`) is ignored: the last rule that matches decides, `None` when none does.
    pub(crate) fn decide(&self, path: &str, is_folder: bool) -> Option<bool> {
        self.0.iter().rev().find(|rule| rule.matches(path, is_folder)).map(|rule| !rule.negated)
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        if line.starts_with('#') {
            return None;
        }
        let line = trim_end(line.trim_end_matches('\r'));
        let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (folders_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        let anchored = line.contains('/');
        let line = line.strip_prefix('/').unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        let mut parts = Vec::new();
        for part in line.split('/') {
            parts.push(if part == "**" && anchored { Part::Folders } else { Part::Glob(tokens(part)?) });
        }
        Some(Self { negated, folders_only, anchored, parts })
    }

    fn matches(&self, path: &str, is_folder: bool) -> bool {
        if self.folders_only && !is_folder {
            return false;
        }
        if self.anchored {
            let names: Vec<&str> = path.split('/').collect();
            return matches_parts(&self.parts, &names);
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        matches!(self.parts.as_slice(), [Part::Glob(glob)] if matches_name(glob, name))
    }
}

/// Drops trailing spaces that no backslash protects.
fn trim_end(line: &str) -> &str {
    let trimmed = line.trim_end_matches(' ');
    let backslashes = trimmed.len() - trimmed.trim_end_matches('\\').len();
    if backslashes % 2 == 1 && trimmed.len() < line.len() { &line[..=trimmed.len()] } else { trimmed }
}

/// The tokens of one part; `None` for a pattern that can match nothing (an open class, a lone backslash at the end).
fn tokens(part: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = part.chars().peekable();
    while let Some(char) = chars.next() {
        tokens.push(match char {
            '\\' => Token::Char(chars.next()?),
            '?' => Token::Any,
            '*' => {
                while chars.next_if_eq(&'*').is_some() {}
                Token::Star
            }
            '[' => class(&mut chars)?,
            other => Token::Char(other),
        });
    }
    Some(tokens)
}

/// The class behind `[`.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if(|char| matches!(char, '!' | '^')).is_some();
    let mut items = Vec::new();
    loop {
        let mut char = chars.next()?;
        // A closing bracket that comes first is a member.
        if char == ']' && !items.is_empty() {
            return Some(Token::Class { negated, items });
        }
        if char == '[' && chars.peek() == Some(&':') {
            let rest: String = chars.clone().collect();
            // The colon that opens the name does not also close it.
            let (name, _) = rest[1..].split_once(":]")?;
            items.push(ClassItem::Named(name.to_owned()));
            for _ in 0..name.chars().count() + 3 {
                chars.next();
            }
            continue;
        }
        if char == '\\' {
            char = chars.next()?;
        }
        let mut after = chars.clone();
        if after.next() == Some('-') && after.peek().is_some_and(|next| *next != ']') {
            chars.next();
            let mut end = chars.next()?;
            if end == '\\' {
                end = chars.next()?;
            }
            items.push(ClassItem::Range(char, end));
        } else {
            items.push(ClassItem::Range(char, char));
        }
    }
}

/// Matches parts against names; `**` may stand for any number of names, but for at least one at the end.
fn matches_parts(parts: &[Part], names: &[&str]) -> bool {
    // The set of positions in `names` that the parts so far can have consumed.
    let mut reachable = vec![false; names.len() + 1];
    reachable[0] = true;
    for (index, part) in parts.iter().enumerate() {
        let mut next = vec![false; names.len() + 1];
        match part {
            Part::Folders => {
                let least = usize::from(index + 1 == parts.len());
                if let Some(first) = reachable.iter().position(|reached| *reached) {
                    next.iter_mut().skip(first + least).for_each(|reached| *reached = true);
                }
            }
            Part::Glob(glob) => {
                for (at, name) in names.iter().enumerate() {
                    next[at + 1] = reachable[at] && matches_name(glob, name);
                }
            }
        }
        reachable = next;
    }
    reachable[names.len()]
}

/// Matches one name without slashes, with one point to go back to: quadratic at worst.
fn matches_name(glob: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut token, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        match glob.get(token) {
            Some(Token::Star) => {
                token += 1;
                retry = Some((token, at));
                continue;
            }
            Some(one) if matches_char(one, name[at]) => {
                token += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        let Some((after_star, consumed)) = retry else { return false };
        token = after_star;
        at = consumed + 1;
        retry = Some((after_star, at));
    }
    glob[token..].iter().all(|token| matches!(token, Token::Star))
}

fn matches_char(token: &Token, char: char) -> bool {
    match token {
        Token::Char(wanted) => *wanted == char,
        Token::Any => true,
        Token::Star => false,
        Token::Class { negated, items } => {
            let inside = items.iter().any(|item| match item {
                ClassItem::Range(from, to) => (*from..=*to).contains(&char),
                ClassItem::Named(name) => in_named_class(name, char),
            });
            inside != *negated
        }
    }
}

/// The POSIX classes, for ASCII as git has them.
fn in_named_class(name: &str, char: char) -> bool {
    match name {
        "alnum" => char.is_ascii_alphanumeric(),
        "alpha" => char.is_ascii_alphabetic(),
        "blank" => char == ' ' || char == '\t',
        "cntrl" => char.is_ascii_control(),
        "digit" => char.is_ascii_digit(),
        "graph" => char.is_ascii_graphic(),
        "lower" => char.is_ascii_lowercase(),
        "print" => char.is_ascii_graphic() || char == ' ',
        "punct" => char.is_ascii_punctuation(),
        "space" => char.is_ascii_whitespace() || char == '\x0b',
        "upper" => char.is_ascii_uppercase(),
        "xdigit" => char.is_ascii_hexdigit(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::Rules;

    /// Whether a file would be left out, parents included, as the walk decides it.
    fn ignored(rules: &Rules, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        folders.into_iter().any(|folder| rules.decide(folder, true) == Some(true))
            || rules.decide(path, false) == Some(true)
    }

    #[test]
    fn follows_the_rules_of_gitignore() {
        for (rules, path, want) in [
            ("*.pdb", "a/b/game.pdb", true),
            ("*.pdb\n!keep.pdb", "a/keep.pdb", false),
            ("/logs", "logs/x", true),
            ("/logs", "a/logs", false),
            ("logs/", "a/logs/x", true),
            ("logs/", "logs", false),
            ("a/**/z", "a/z", true),
            ("a/**/z", "a/b/c/z", true),
            ("a/**", "a/b", true),
            ("a/**", "a", false),
            ("**/tmp", "x/tmp/y", true),
            ("# comment\n\\#file", "#file", true),
            ("\\!bang", "!bang", true),
            ("space\\ ", "space ", true),
            ("space  ", "space", true),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            ("[a-c].txt", "b.txt", true),
            ("[!a-c].txt", "b.txt", false),
            ("[[:digit:]]x", "7x", true),
            ("[abc", "a", false),
            ("build\n!build/keep", "build/keep", true),
            ("\u{feff}*.log", "x.log", true),
            ("*.log\r\n*.tmp\r\n", "x.log", true),
        ] {
            assert_eq!(ignored(&Rules::parse(rules), path), want, "{rules:?} on {path}");
        }
    }

    #[test]
    fn a_hostile_pattern_costs_little() {
        let rules = Rules::parse(&format!("{}b\n{}/x", "a*".repeat(2000), ["**"; 500].join("/")));
        assert!(!ignored(&rules, &"a".repeat(4000)));
        assert!(!ignored(&rules, &["d"; 500].join("/")));
    }

    /// Compares with git itself on many small patterns and paths; says so where there is no git.
    #[test]
    fn agrees_with_git() {
        let dir = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(args).current_dir(dir.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", dir.path());
            git
        };
        if !git(&["init", "-q", "."]).status().is_ok_and(|status| status.success()) {
            eprintln!("skipped: there is no git to compare with");
            return;
        }
        let mut random = fastrand::Rng::with_seed(7);
        // Whole parts, because git reads `b**/` in a way of its own that its documentation does not mention.
        let pieces = ["a", "b", "ab", "*", "?", "[ab]", "[!a]", "x", "\\a", "a*", "*b"];
        let names = ["a", "b", "ab", "x", "ba", "abx"];
        for round in 0..150 {
            let lines: Vec<String> = (0..random.usize(1..4))
                .map(|_| {
                    let part = |random: &mut fastrand::Rng| match random.u8(..4) {
                        0 => "**".to_owned(),
                        _ => (0..random.usize(1..3)).map(|_| pieces[random.usize(..pieces.len())]).collect(),
                    };
                    let body =
                        (0..random.usize(1..4)).map(|_| part(&mut random)).collect::<Vec<_>>().join("/");
                    let root = if random.u8(..4) == 0 { "/" } else { "" };
                    let bang = if random.u8(..4) == 0 { "!" } else { "" };
                    let slash = if random.u8(..4) == 0 { "/" } else { "" };
                    format!("{bang}{root}{body}{slash}")
                })
                .collect();
            let rules = lines.join("\n");
            std::fs::write(dir.path().join(".gitignore"), &rules).unwrap();
            let paths: Vec<String> = (0..40)
                .map(|_| {
                    (0..random.usize(1..4))
                        .map(|_| names[random.usize(..names.len())])
                        .collect::<Vec<_>>()
                        .join("/")
                })
                .collect();
            let mut child = git(&["check-ignore", "--no-index", "--stdin"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all((paths.join("\n") + "\n").as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let theirs: std::collections::HashSet<&str> =
                std::str::from_utf8(&output.stdout).unwrap().lines().collect();
            let ours = Rules::parse(&rules);
            for path in &paths {
                assert_eq!(
                    ignored(&ours, path),
                    theirs.contains(path.as_str()),
                    "round {round}: {rules:?} on {path}"
                );
            }
        }
    }
}
