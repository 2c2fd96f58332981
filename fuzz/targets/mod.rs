//! Fuzz targets: one body for each escaping function and each parser, from bytes to assertions. Compiled for tests and for `cargo fuzz`
//! alone, so nothing of it ships. `fuzz/` runs the bodies under libFuzzer; the test below runs them over the seeds and their neighbours.

use std::borrow::Cow;

use crate::{api, ci, config, flow, http, model, report, upload};

/// What a target does with its input: it panics when something that must hold does not.
pub type Body = fn(&[u8]);

/// Every target by its name, which is also the name of its folder of seeds.
pub const TARGETS: [(&str, Body); 28] = [
    ("workflow_command", ci::fuzz::workflow_command),
    ("service_message", ci::fuzz::service_message),
    ("terminal", ci::fuzz::terminal),
    ("github_output", ci::fuzz::github_output),
    ("markdown", report::fuzz::markdown),
    ("summary", report::fuzz::summary),
    ("junit", report::fuzz::junit_file),
    ("results_json", report::fuzz::results_json),
    ("results_read", report::fuzz::results_read),
    ("ctrf", report::fuzz::ctrf_file),
    ("brief", report::fuzz::brief_file),
    ("page", report::fuzz::page),
    ("dotenv", report::fuzz::dotenv_file),
    ("artifact_path", report::fuzz::artifact_path),
    ("redactor", model::fuzz::redactor),
    ("api_jobs", api::fuzz::jobs),
    ("api_runs", api::fuzz::runs),
    ("api_starts", api::fuzz::starts),
    ("api_uploads", api::fuzz::uploads),
    ("api_errors", api::fuzz::errors),
    ("headers", http::fuzz::headers),
    ("run_config", config::fuzz::run_config),
    ("settings", config::fuzz::settings),
    ("api_url", config::fuzz::api_url),
    ("api_key", config::fuzz::api_key),
    ("zip_precheck", upload::fuzz::zip_precheck),
    ("nunuignore", upload::fuzz::nunuignore),
    ("state_file", flow::fuzz::state_file),
];

/// Runs one target.
///
/// # Panics
/// When the target does not exist, or finds something.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let Some((_, body)) = target else { panic!("there is no target {name}") };
    body(data);
}

/// Input cut into texts at bytes 0xff, which no UTF-8 text holds. When they are used up, the rest is empty.
#[derive(Debug)]
pub(crate) struct Pieces<'a>(std::slice::Split<'a, u8, fn(&u8) -> bool>);

impl<'a> Pieces<'a> {
    pub(crate) fn of(data: &'a [u8]) -> Self {
        Self(data.split(|byte| *byte == 0xff))
    }

    /// The next bytes.
    pub(crate) fn bytes(&mut self) -> &'a [u8] {
        self.0.next().unwrap_or_default()
    }

    /// The next text; what is not UTF-8 is replaced.
    pub(crate) fn text(&mut self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::path::Path;

    use super::{TARGETS, run};

    /// Executions of each target.
    const EXECUTIONS: usize = 1500;
    /// Longest mutated input.
    const LONGEST: usize = 8 * 1024;
    /// What formats are made of.
    const WORDS: [&[u8]; 20] = [
        b"\n",
        b"\r\n",
        b"::",
        b"##[",
        b"##vso[",
        b"%0A",
        b"<",
        b"]]>",
        b"&",
        b"`",
        b"|",
        b"](",
        b"../",
        b"\\",
        b"${",
        b"\xff",
        b"\0",
        "\u{202e}".as_bytes(),
        b"PK\x05\x06",
        b"\x1b[2J",
    ];

    /// The same numbers on every machine (Marsaglia, "Xorshift RNGs").
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % limit.max(1) as u64).unwrap()
        }

        /// One to four small changes.
        fn change(&mut self, data: &mut Vec<u8>, other: &[u8]) {
            for _ in 0..=self.below(4) {
                let at = self.below(data.len() + 1);
                let end = (at + self.below(16)).min(data.len());
                match self.below(6) {
                    0 => drop(data.drain(at..end)),
                    1 => drop(data.splice(at..at, data[at..end].to_vec())),
                    2 => drop(data.splice(at..at, WORDS[self.below(WORDS.len())].to_vec())),
                    3 => data.truncate(at),
                    4 => {
                        let from = self.below(other.len() + 1);
                        drop(data.splice(at..end, other[from..].to_vec()));
                    }
                    _ => {
                        if let Some(byte) = data.get_mut(at) {
                            *byte = u8::try_from(self.below(256)).unwrap();
                        }
                    }
                }
            }
            data.truncate(LONGEST);
        }
    }

    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    }

    /// Runs one target over its seeds and their neighbours; gives back how often.
    ///
    /// # Errors
    /// The first input that it fails for.
    fn explore(name: &str, seeds: &[Vec<u8>]) -> Result<usize, String> {
        let hold = |data: &[u8]| {
            catch_unwind(AssertUnwindSafe(|| run(name, data)))
                .map_err(|_| format!("{name} fails for b\"{}\"", data.escape_ascii()))
        };
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        hold(b"")?;
        seeds.iter().try_for_each(|seed| hold(seed))?;
        let began = seeds.len() + 1;
        for round in began..EXECUTIONS {
            let mut data = seeds[round % seeds.len()].clone();
            let other = &seeds[random.below(seeds.len())];
            random.change(&mut data, other);
            hold(&data)?;
        }
        Ok(EXECUTIONS.max(began))
    }

    #[test]
    fn seeds_and_their_neighbours_hold() {
        let (mut executions, mut seeded, mut found) = (0, 0, Vec::new());
        for (name, _) in TARGETS {
            let seeds = seeds(name);
            assert!(seeds.len() >= 2, "{name} has too few seeds in fuzz/seeds");
            seeded += seeds.len();
            match explore(name, &seeds) {
                Ok(count) => executions += count,
                Err(input) => found.push(input),
            }
        }
        println!("fuzz executions: {executions} over {} targets, {seeded} seeds", TARGETS.len());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn cargo_fuzz_knows_every_target() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
        let manifest = fs::read_to_string(manifest).unwrap();
        let known: Vec<&str> = manifest
            .split("[[bin]]\nname = \"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        assert_eq!(known, TARGETS.map(|(name, _)| name));
    }
}
