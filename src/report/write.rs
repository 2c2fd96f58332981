//! The one place that writes result files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::model::{RunReport, Secrets};

use super::dotenv::dotenv;
use super::outputs::Files;
use super::{gitlab, json, junit, markdown};

/// Writes every report of the results folder; `JUnit` and `results.json` first. Every text goes through the redactor.
///
/// # Errors
/// When the folder or a file cannot be written.
pub fn write_all(dir: &Path, report: &RunReport, for_gitlab: bool, secrets: &Secrets) -> io::Result<Files> {
    fs::create_dir_all(dir)?;
    let files = Files {
        results: dir.join("results.json"),
        junit: dir.join("junit.xml"),
        summary: dir.join("summary.md"),
    };
    let write = |path: &Path, text: &str| replace(path, secrets.redact(text).as_bytes());
    // GitLab wants attachments relative to the project, which is where the job begins.
    let cwd = std::env::current_dir().unwrap_or_default();
    let folder = dir.strip_prefix(&cwd).unwrap_or(dir).display().to_string().replace('\\', "/");
    write(&files.junit, &junit(report, &format!("{folder}/")))?;
    write(&files.results, &json(report))?;
    write(&files.summary, &markdown(report))?;
    write(&dir.join("nunu.env"), &dotenv(report, &files).text)?;
    if for_gitlab {
        write(&dir.join("gl-annotations.json"), &gitlab(report))?;
    }
    Ok(files)
}

/// A new file takes the place of the old one in one step, so that nobody reads half of it; a link in its place is replaced, never
/// followed.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("report");
    let fresh = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(&fresh)
        .and_then(|mut file| file.write_all(bytes));
    written.and_then(|()| fs::rename(&fresh, path)).inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })
}
