//! Single values: durations, booleans, lists, addresses. Pure.

use std::time::Duration;

/// A duration of a second or more.
pub(super) fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let span = duration(text)?;
    if span < Duration::from_secs(1) { Err("has to be at least 1s".to_owned()) } else { Ok(span) }
}

/// Reads `90s`, `45m`, `2h`, `3h30m`, `1d`; a bare integer means minutes.
pub(super) fn duration(raw: &str) -> Result<Duration, String> {
    let text = raw.trim();
    let wrong =
        || format!("\"{text}\" is not a duration: write 90s, 45m or 2h (a bare number means minutes)");
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let minutes: u64 = text.parse().map_err(|_| wrong())?;
        return minutes.checked_mul(60).map(Duration::from_secs).filter(sane).ok_or_else(wrong);
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest
            .get(..digits)
            .filter(|digits| !digits.is_empty())
            .ok_or_else(wrong)?
            .parse()
            .map_err(|_| wrong())?;
        rest = rest.get(digits..).unwrap_or_default().trim_start();
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let seconds = match rest.get(..letters).unwrap_or_default() {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        total = number
            .checked_mul(seconds)
            .and_then(|seconds| total.checked_add(Duration::from_secs(seconds)))
            .filter(sane)
            .ok_or_else(wrong)?;
        rest = rest.get(letters..).unwrap_or_default().trim_start();
        parts += 1;
    }
    if parts == 0 { Err(wrong()) } else { Ok(total) }
}

/// Nothing here lasts a year.
fn sane(span: &Duration) -> bool {
    span.as_secs() <= 366 * 86_400
}

/// A whole number within bounds.
pub(super) fn number(text: &str, least: usize, most: usize) -> Result<usize, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("\"{}\" is not a whole number from {least} to {most}", text.trim()))
}

/// A duration of whole minutes, at most a day.
pub(super) fn whole_minutes(text: &str) -> Result<u16, String> {
    let span = duration(text)?;
    let wrong = || format!("\"{}\" is not a number of whole minutes from 1 to 1440", text.trim());
    if span.as_secs() % 60 != 0 {
        return Err(wrong());
    }
    u16::try_from(span.as_secs() / 60).ok().filter(|minutes| (1..=1440).contains(minutes)).ok_or_else(wrong)
}

/// One of a few words.
pub(super) fn one_of<T: Copy>(words: &[(&str, T)]) -> impl Fn(&str) -> Result<T, String> {
    |text| {
        let text = text.trim();
        words.iter().find(|(word, _)| *word == text).map(|&(_, value)| value).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let near = nearest(text, known.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            format!("\"{text}\" is none of {}{near}", known.join(", "))
        })
    }
}

/// Reads `true` or `false` in one of the three usual capitalisations.
pub(super) fn boolean(raw: &str) -> Result<bool, String> {
    match raw.trim() {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        other => Err(format!("\"{other}\" is neither true nor false")),
    }
}

/// A comma or newline list without empty items and `#` comments.
pub(super) fn list(raw: &str) -> Vec<String> {
    raw.lines()
        .map(|line| {
            // Only a `#` at the beginning or after white space starts a comment, as in YAML.
            let begins = |at: usize| at == 0 || line.as_bytes()[at - 1].is_ascii_whitespace();
            line.match_indices('#').find(|(at, _)| begins(*at)).map_or(line, |(at, _)| &line[..at])
        })
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty() && !item.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Brings `https://nunu.ai`, `.../api` and `.../api/v1` to the same origin.
pub(super) fn origin(raw: &str) -> Result<String, String> {
    let text = raw.trim();
    // What may hold a password or a token is not repeated in a message.
    if text.contains('@') {
        return Err("the address must not hold a user name or password".to_owned());
    }
    if text.contains(['?', '#']) {
        return Err("the address must not hold a query or a fragment".to_owned());
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or_else(|| format!("\"{text}\" is not an address: write https://nunu.ai"))?;
    let scheme = scheme.to_ascii_lowercase();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.to_ascii_lowercase();
    // What no client can use, such as 1.2.3.4.5, is no host either.
    if !is_host(&host) || reqwest::Url::parse(&format!("https://{host}")).is_err() {
        return Err(format!("\"{text}\" has no host, or not a valid one: write https://nunu.ai"));
    }
    let path = path.trim_matches('/');
    if !["", "api", "api/v1"].contains(&path) {
        return Err(format!("\"{text}\" has a path: write https://{host}"));
    }
    match scheme.as_str() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => return Err(format!("plain HTTP would send the API key unencrypted: write https://{host}")),
        _ => return Err(format!("\"{scheme}\" is not a scheme this program speaks: write https://{host}")),
    }
    Ok(format!("{scheme}://{host}"))
}

/// A name, an IPv4 or a bracketed IPv6 address, with or without a port.
fn is_host(host: &str) -> bool {
    let (name_is_good, port) = if let Some(inside) = host.strip_prefix('[') {
        let Some((address, port)) = inside.split_once(']') else { return false };
        (address.parse::<std::net::Ipv6Addr>().is_ok(), port)
    } else {
        let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
        // Names beyond ASCII have to be written as the network writes them (`xn--...`): the client carries no tables for them.
        let good = |letter: char| letter.is_ascii_alphanumeric() || ['-', '.', '_'].contains(&letter);
        (name.starts_with(|letter: char| letter.is_ascii_alphanumeric()) && name.chars().all(good), port)
    };
    let port_is_good = match port.strip_prefix(':') {
        Some(number) => {
            number.bytes().all(|byte| byte.is_ascii_digit()) && number.parse().is_ok_and(|port: u16| port > 0)
        }
        None => port.is_empty(),
    };
    name_is_good && port_is_good
}

/// True for `localhost`, `127.0.0.0/8` and `[::1]`, with or without a port.
fn is_loopback(host: &str) -> bool {
    let name = if let Some(rest) = host.strip_prefix('[') {
        rest.split(']').next().unwrap_or_default()
    } else {
        host.split(':').next().unwrap_or_default()
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// True for a UUID, which in a config is always an id.
pub(crate) fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The candidate that a misspelt word most likely means.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase().replace('-', "_")), candidate))
        .filter(|&(distance, candidate)| distance <= (candidate.len().max(word.len()) / 3).clamp(1, 3))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other, for short words.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().take(64).collect(), to.chars().take(64).collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for (i, &a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let mut best = (rows[i][j] + usize::from(a != b)).min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && from[i - 1] == b {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

/// The id of the candidate (id, name) that is meant: by its exact name, else by its only match whatever the case.
pub(crate) fn resolve_name(
    kind: &str,
    wanted: &str,
    candidates: &[(String, String)],
) -> Result<String, String> {
    let lower = wanted.to_lowercase();
    let exact: Vec<_> = candidates.iter().filter(|(_, name)| name == wanted).collect();
    let matches = if exact.is_empty() {
        candidates.iter().filter(|(_, name)| name.to_lowercase() == lower).collect()
    } else {
        exact
    };
    match matches.as_slice() {
        [(id, _)] => Ok(id.clone()),
        [] => {
            let near: Vec<&str> = candidates
                .iter()
                .map(|(_, name)| name.as_str())
                .filter(|name| name.to_lowercase().contains(&lower) || nearest(wanted, [*name]).is_some())
                .take(5)
                .collect();
            let known = |names: &[&str]| {
                names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
            };
            Err(if !near.is_empty() {
                format!("there is no {kind} \"{wanted}\"; did you mean {}?", known(&near))
            } else if candidates.is_empty() {
                format!("there is no {kind} \"{wanted}\": the project has none that this key can see")
            } else {
                let some: Vec<&str> = candidates.iter().map(|(_, name)| name.as_str()).take(10).collect();
                let more = candidates.len().saturating_sub(some.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("there is no {kind} \"{wanted}\"; there are {}{more}", known(&some))
            })
        }
        several => {
            let ids: Vec<&str> = several.iter().map(|(id, _)| id.as_str()).collect();
            Err(format!(
                "{} {kind}s are called \"{wanted}\"; use one of the ids {}",
                ids.len(),
                ids.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};

    use super::{Duration, boolean, duration, is_id, list, nearest, origin, resolve_name};

    #[test]
    fn durations_carry_a_unit_or_mean_minutes() {
        for (raw, seconds) in [
            ("90s", 90),
            ("45m", 2700),
            ("2h", 7200),
            ("3h30m", 12600),
            ("1d", 86_400),
            ("5", 300),
            (" 2 h 5 min ", 7500),
        ] {
            assert_eq!(duration(raw), Ok(Duration::from_secs(seconds)), "{raw}");
        }
        for raw in ["", "5 parsecs", "h", "-3m", "1.5h", "99999999999999999999", "9999999999", "10m5", "٣m"]
        {
            assert!(duration(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn booleans_are_strict() {
        assert_eq!(boolean("TRUE"), Ok(true));
        assert_eq!(boolean("False"), Ok(false));
        for raw in ["yes", "1", "tRue", ""] {
            assert!(boolean(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn lists_drop_empty_items_and_comments() {
        assert_eq!(list("a, b,,\n# all\nc # last\n d#1\n"), ["a", "b", "c", "d#1"]);
        assert_eq!(list("a#1, b # last"), ["a#1", "b"]);
    }

    #[test]
    fn addresses_mean_the_same_with_and_without_a_path() {
        for raw in ["https://nunu.ai", "https://nunu.ai/", "https://NUNU.ai/api", "https://nunu.ai/api/v1/"] {
            assert_eq!(origin(raw).as_deref(), Ok("https://nunu.ai"), "{raw}");
        }
        assert_eq!(origin("http://127.0.0.1:7777").as_deref(), Ok("http://127.0.0.1:7777"));
        assert_eq!(origin("http://[::1]:7777/api").as_deref(), Ok("http://[::1]:7777"));
        for raw in [
            "nunu.ai",
            "http://nunu.ai",
            "https://a:b@nunu.ai",
            "https://nunu.ai?x=1",
            "https://nunu.ai/other",
            "ftp://nunu.ai",
            "https://",
            "http://127.evil.example",
            "http://localhost.evil.example",
            "http://[::1].evil.example",
            "http://[::1",
            "http://[::2]",
            "https://nunu.ai:0",
            "https://nunu.ai:99999",
            "https://nunu.ai:",
            "https://nunu.ai:+1",
            "https://nunu.ai\\evil.example",
            "https://nunu .ai",
            "https://nunu%2eai",
            "https:///api",
            "https://n\u{fc}nu.ai",
            "https://1.2.3.4.5",
            "https://xn--\u{fc}.example",
        ] {
            assert!(origin(raw).is_err(), "{raw}");
        }
        for raw in ["me:hunter2@nunu.ai", "https://nunu.ai?t=hunter2", "https://me:hunter2@nunu.ai/api"] {
            assert!(!origin(raw).unwrap_err().contains("hunter2"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn durations_mean_what_their_parts_mean(days in 0_u64..300, hours in 0_u64..99, minutes in 0_u64..999, seconds in 1_u64..9999) {
            let want = Duration::from_secs(days * 86_400 + hours * 3600 + minutes * 60 + seconds);
            prop_assert_eq!(duration(&format!("{days}d{hours}h{minutes}m{seconds}s")), Ok(want));
            prop_assert_eq!(duration(&format!(" {days} d {hours} h {minutes} min {seconds} sec ")), Ok(want));
            prop_assert_eq!(duration(&minutes.to_string()), Ok(Duration::from_secs(minutes * 60)));
        }

        #[test]
        fn lists_come_back_from_commas_and_lines(items in proptest::collection::vec("[^,#\\s\u{0}-\u{1f}\u{85}\u{2028}\u{2029}]{1,20}", 0..8)) {
            prop_assert_eq!(&list(&items.join(",")), &items);
            prop_assert_eq!(&list(&format!("\n# all\r\n{} # last\n,\n", items.join(" ,\n "))), &items);
        }

        #[test]
        fn nothing_panics(raw in any::<String>(), near in "[a-z:/@\\[\\]0-9.hms# ,-]{0,40}") {
            for text in [&raw, &near] {
                let _ = (duration(text), boolean(text), list(text), origin(text), is_id(text));
                let _ = (nearest(text, ["test", ""]), resolve_name("test", text, &[(raw.clone(), near.clone())]));
            }
            // Whatever is taken for an address is one that a client can use.
            if let Ok(origin) = origin(&near) {
                prop_assert!(origin.starts_with("https://") || origin.starts_with("http://"), "{}", origin);
                prop_assert!(!origin.ends_with('/') && !origin.contains(['@', '?', '#', ' ']), "{}", origin);
            }
        }
    }

    #[test]
    fn near_misses_are_found_and_strangers_are_not() {
        assert_eq!(nearest("tst", ["test", "tags", "name"]), Some("test"));
        assert_eq!(nearest("fail-on", ["fail_on", "x"]), Some("fail_on"));
        assert_eq!(nearest("banana", ["test", "tags"]), None);
    }

    #[test]
    fn names_resolve_exactly_then_by_case() {
        let known = [
            ("1".to_owned(), "Smoke".to_owned()),
            ("2".to_owned(), "smoke".to_owned()),
            ("3".to_owned(), "Login".to_owned()),
        ];
        assert_eq!(resolve_name("test", "smoke", &known).as_deref(), Ok("2"));
        assert_eq!(resolve_name("test", "login", &known).as_deref(), Ok("3"));
        assert!(resolve_name("test", "SMOKE", &known).unwrap_err().contains("1, 2"));
        assert!(resolve_name("test", "Logn", &known).unwrap_err().contains("did you mean \"Login\""));
        assert!(is_id("789e0123-e89b-12d3-a456-426614174000"));
        assert!(!is_id("ac_default"));
    }
}
