//! The one place that writes result files.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use crate::disk::{self, Fresh, Readers};
use crate::model::RunReport;

use super::artifact_path::ARTIFACTS;
use super::dotenv::dotenv;
use super::outputs::Files;
use super::{brief, ctrf, evidence, gitlab, json, junit, markdown};

/// The request log, which is written as the requests happen.
pub(crate) const DIAGNOSTICS: &str = "diagnostics.jsonl";
/// The file that the others can be made from again.
pub(crate) const RESULTS: &str = "results.json";
/// The page for people.
pub(crate) const EVIDENCE: &str = "report.html";
const JUNIT: &str = "junit.xml";
const SUMMARY: &str = "summary.md";
const DOTENV: &str = "nunu.env";
const BRIEF: &str = "brief.md";
const CTRF: &str = "ctrf.json";
const GITLAB: &str = "gl-annotations.json";
/// Largest `results.json` that is read again.
pub(crate) const LARGEST_RESULTS: u64 = 256 * 1024 * 1024;

/// Every file of ours in a results folder, but artifacts.
pub(crate) fn names(for_gitlab: bool) -> Vec<String> {
    let gitlab = for_gitlab.then_some(GITLAB);
    [RESULTS, JUNIT, SUMMARY, EVIDENCE, DOTENV, CTRF, BRIEF, DIAGNOSTICS]
        .into_iter()
        .chain(gitlab)
        .map(str::to_owned)
        .collect()
}

/// Removes what an earlier run of ours left in the folder: files that its `results.json` lists, and the folders that are empty then.
/// Whatever another tool has there stays. `keep` are names to be kept.
pub(crate) fn clear(dir: &Path, keep: &BTreeSet<String>) {
    #[derive(serde::Deserialize)]
    struct Earlier {
        #[serde(default)]
        files: Vec<String>,
    }
    let Ok(text) = disk::read(&dir.join(RESULTS), LARGEST_RESULTS) else { return };
    let Ok(earlier) = serde_json::from_slice::<Earlier>(&text) else { return };
    let ours = names(true);
    for file in earlier.files.iter().filter(|file| !keep.contains(*file)) {
        // The list may be anybody's: a repository can bring a results folder along.
        if ours.contains(file) || file.split('/').next() == Some(ARTIFACTS) {
            disk::remove_below(dir, file);
        }
    }
}

/// Writes every report of the results folder. The report holds no secrets any more.
///
/// All are written under other names before the first takes its place: a disk that fills up leaves the reports of before, which say
/// "unfinished", and never a green one.
pub(crate) fn write_all(dir: &Path, cwd: &Path, report: &RunReport, for_gitlab: bool) -> io::Result<Files> {
    disk::folder(dir, Readers::Anyone)?;
    let files = Files { results: dir.join(RESULTS), junit: dir.join(JUNIT), summary: dir.join(SUMMARY) };
    // GitLab wants attachments relative to the project, which is where the job begins.
    let folder = dir.strip_prefix(cwd).unwrap_or(dir).display().to_string().replace('\\', "/");
    let mut texts =
        vec![(files.summary.clone(), markdown(report)), (dir.join(DOTENV), dotenv(report, &files).text)];
    let folder = format!("{folder}/");
    texts.push((dir.join(CTRF), ctrf(report)));
    texts.push((dir.join(BRIEF), brief(report, &folder)));
    if for_gitlab {
        texts.push((dir.join(GITLAB), gitlab(report)));
    }
    let page = Fresh::begin(&dir.join(EVIDENCE), Readers::Anyone)?;
    let mut buffered = BufWriter::new(page.file());
    evidence::write(report, dir, &mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    // What others judge by comes last: it is there only when everything is.
    texts.push((files.results.clone(), json(report)));
    texts.push((files.junit.clone(), junit(report, &folder)));
    let mut fresh: Vec<Fresh> = texts
        .iter()
        .map(|(path, text)| disk::prepare(path, text.as_bytes(), Readers::Anyone))
        .collect::<io::Result<_>>()?;
    fresh.insert(1, page);
    for file in fresh {
        file.place()?;
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::clear;

    #[test]
    fn only_files_of_ours_that_are_listed_are_removed() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("results");
        fs::create_dir_all(dir.join("artifacts/r1/p1")).unwrap();
        fs::create_dir_all(dir.join("artifacts/r2")).unwrap();
        let listed = [
            "results.json",
            "junit.xml",
            "diagnostics.jsonl",
            "coverage.xml",
            "artifacts/r1/p1/a.mp4",
            "artifacts/../../outside",
            "artifacts/missing/x",
            "artifacts/r2",
        ];
        let others = ["summary.md", "artifacts/r2/theirs"];
        for name in
            listed.iter().filter(|name| !name.contains("..") && !name.contains("missing")).chain(&others)
        {
            let _ = fs::write(dir.join(name), "x");
        }
        fs::write(home.path().join("outside"), "x").unwrap();
        fs::write(dir.join("results.json"), serde_json::json!({"files": listed}).to_string()).unwrap();
        clear(&dir, &["diagnostics.jsonl".to_owned()].into());
        for gone in ["results.json", "junit.xml", "artifacts/r1"] {
            assert!(!dir.join(gone).exists(), "{gone}");
        }
        for kept in ["diagnostics.jsonl", "coverage.xml", "summary.md", "artifacts/r2/theirs", "../outside"] {
            assert!(dir.join(kept).exists(), "{kept}");
        }
        clear(&dir, &[].into());
        assert!(dir.join("diagnostics.jsonl").exists(), "without a list nothing is known to be ours");
    }

    #[cfg(unix)]
    #[test]
    fn no_link_is_followed_to_a_file_to_remove() {
        use std::os::unix::fs::symlink;
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("results");
        fs::create_dir_all(home.path().join("precious/r1")).unwrap();
        fs::create_dir(&dir).unwrap();
        fs::write(home.path().join("precious/r1/x"), "x").unwrap();
        symlink(home.path().join("precious"), dir.join("artifacts")).unwrap();
        symlink(home.path().join("precious/r1/x"), dir.join("junit.xml")).unwrap();
        let listed = serde_json::json!({"files": ["artifacts/r1/x", "junit.xml"]});
        fs::write(dir.join("results.json"), listed.to_string()).unwrap();
        clear(&dir, &[].into());
        assert!(home.path().join("precious/r1/x").exists());
    }
}
