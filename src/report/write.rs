//! The one place that writes result files.

use std::io;
use std::path::Path;

use crate::disk::{self, Fresh, Readers};
use crate::model::{RunReport, Secrets};

use super::dotenv::dotenv;
use super::outputs::Files;
use super::{gitlab, json, junit, markdown};

/// Writes every report of the results folder. Every text goes through the redactor.
///
/// All are written under other names before the first takes its place: a disk that fills up leaves the reports of before, which say
/// "unfinished", and never a green one.
///
/// # Errors
/// When the folder or a file cannot be written.
pub fn write_all(dir: &Path, report: &RunReport, for_gitlab: bool, secrets: &Secrets) -> io::Result<Files> {
    disk::folder(dir, Readers::Anyone)?;
    let files = Files {
        results: dir.join("results.json"),
        junit: dir.join("junit.xml"),
        summary: dir.join("summary.md"),
    };
    // GitLab wants attachments relative to the project, which is where the job begins.
    let cwd = std::env::current_dir().unwrap_or_default();
    let folder = dir.strip_prefix(&cwd).unwrap_or(dir).display().to_string().replace('\\', "/");
    let mut texts = vec![
        (files.results.clone(), json(report)),
        (files.junit.clone(), junit(report, &format!("{folder}/"))),
        (files.summary.clone(), markdown(report)),
        (dir.join("nunu.env"), dotenv(report, &files).text),
    ];
    if for_gitlab {
        texts.push((dir.join("gl-annotations.json"), gitlab(report)));
    }
    let fresh: Vec<Fresh> = texts
        .iter()
        .map(|(path, text)| disk::prepare(path, secrets.redact(text).as_bytes(), Readers::Anyone))
        .collect::<io::Result<_>>()?;
    for file in fresh {
        file.place()?;
    }
    Ok(files)
}
