//! `report.html`: one page that shows what happened. Every text in it passes the template's escaping, and its policy lets nothing be
//! loaded.

mod pictures;
mod test_view;
mod time_line;
mod view;
mod words;

use std::io::{self, Write};
use std::path::Path;

use askama::Template as _;

use crate::model::RunReport;

use super::markdown_tests::judged;
use super::page::{DetailLevel, detail_levels};
use pictures::{Pictures, of_run};
pub(crate) use pictures::{is_picture_name, media_type};
use view::View;
pub(crate) use words::log_tail;

/// Largest page, its pictures included.
pub(crate) const LARGEST: usize = 10_000_000;
/// What its texts may take of it.
const LARGEST_TEXT: usize = 4_000_000;

/// Counts what is written, and fails when that is too much.
struct Counter {
    left: usize,
}

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The fullest page whose texts fit, and their size.
fn fitting(report: &RunReport) -> Option<(DetailLevel, usize)> {
    let none = Pictures::default();
    detail_levels().find_map(|level| {
        let mut counter = Counter { left: LARGEST_TEXT };
        View::of(report, &none, level).write_into(&mut counter).ok()?;
        Some((level, LARGEST_TEXT - counter.left))
    })
}

/// Writes the page of this report with the pictures that lie in `dir`.
pub(super) fn write(report: &RunReport, dir: &Path, to: &mut dyn Write) -> io::Result<()> {
    let (level, size) = fitting(report).ok_or(io::ErrorKind::FileTooLarge)?;
    let bugs = report.verdict.iter().flat_map(|verdict| &verdict.bugs);
    let of_bugs = bugs.filter_map(|judged| judged.bug.screenshot_saved_as.as_deref());
    let runs = judged(report).into_iter().filter_map(|(job, _)| job.deciding());
    let pictures = Pictures::read(dir, of_bugs.chain(runs.flat_map(of_run)), LARGEST - size);
    View::of(report, &pictures, level).write_into(to)
}
