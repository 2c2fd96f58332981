//! One test as the page shows it. Pure.

use std::borrow::Cow;

use crate::model::RunReport;
use crate::model::baseline::{Baseline, PastResult};
use crate::model::job::{Attempt, Job, Player, Step, StepItem};
use crate::model::units::duration;
use crate::model::verdict::{Counted, Judgement};

use super::super::artifact_path::file_address;
use super::super::delta_words::{
    baseline_sentence, carried_over_words, has_failed, history_sentence, test_change_words,
};
use super::super::escape::{address, shortened};
use super::super::markdown_tests::Judged;
use super::super::rerun_commands::test_again;
use super::pictures::{Data, Pictures, is_picture_name, of_run};
use super::time_line::{TimeLine, time_line};
use super::words::{Mood, Text, clock, result_word, text};

/// Earlier results that are drawn.
const REMEMBERED: usize = 20;

/// What all parts of a page share.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) report: &'a RunReport,
    pub(super) pictures: &'a Pictures,
    /// Most characters of a remote text.
    pub(super) words: usize,
}

impl<'a> Around<'a> {
    pub(super) fn text(self, raw: &'a str) -> Text<'a> {
        text(raw, self.words)
    }

    /// A text of several lines.
    pub(super) fn lines(self, raw: &'a str) -> Vec<Text<'a>> {
        let short = shortened(raw.trim(), self.words);
        let line = |line: &str| text(line, self.words).into_owned().into();
        match short {
            Cow::Borrowed(raw) => {
                raw.lines().filter(|line| !line.is_empty()).map(|line| text(line, self.words)).collect()
            }
            Cow::Owned(raw) => raw.lines().filter(|line| !line.is_empty()).map(line).collect(),
        }
    }

    /// True for the screenshot that the list of bugs shows.
    fn is_of_bug(self, path: &str) -> bool {
        let bugs = self.report.verdict.iter().flat_map(|verdict| &verdict.bugs);
        bugs.into_iter().any(|judged| judged.bug.screenshot_saved_as.as_deref() == Some(path))
    }
}

/// Words that lead somewhere, when it is known where.
pub(super) struct Link<'a> {
    pub(super) words: Text<'a>,
    pub(super) href: Option<String>,
}

/// One test.
pub(super) struct TestView<'a> {
    /// Its place in the report, from 1.
    pub(super) number: usize,
    pub(super) mood: Mood,
    /// `failed`, `flaky`.
    pub(super) word: &'static str,
    pub(super) name: Text<'a>,
    pub(super) device: Text<'a>,
    pub(super) took: String,
    pub(super) because: Text<'a>,
    pub(super) url: Option<String>,
    /// `newly failing`, `from attempt 1`.
    pub(super) marks: Vec<String>,
    pub(super) runs: Vec<RunView<'a>>,
    /// What it is compared with, or why there is nothing.
    pub(super) baseline: Option<Link<'a>>,
    pub(super) history: Option<HistoryView<'a>>,
    pub(super) pictures: Vec<PictureView<'a>>,
    /// The command that runs it again.
    pub(super) again: Option<String>,
}

/// Earlier results of a test.
pub(super) struct HistoryView<'a> {
    pub(super) words: String,
    /// The oldest first, as on a time line.
    pub(super) results: Vec<(Mood, Link<'a>)>,
}

/// One attempt.
pub(super) struct RunView<'a> {
    pub(super) title: String,
    pub(super) mood: Mood,
    pub(super) word: Text<'a>,
    pub(super) url: Option<String>,
    pub(super) unreadable: Option<Text<'a>>,
    pub(super) line: Option<TimeLine<'a>>,
    pub(super) players: Vec<PlayerView<'a>>,
}

/// One player.
pub(super) struct PlayerView<'a> {
    pub(super) title: Option<String>,
    pub(super) steps: Vec<StepView<'a>>,
    pub(super) left_out: usize,
    pub(super) log_tail: Option<Text<'a>>,
    pub(super) files: Vec<Link<'a>>,
}

/// One step.
pub(super) struct StepView<'a> {
    pub(super) number: u64,
    pub(super) mood: Mood,
    pub(super) goal: Text<'a>,
    pub(super) word: Text<'a>,
    pub(super) took: String,
    pub(super) said: Vec<Text<'a>>,
    pub(super) items: Vec<ItemView<'a>>,
    pub(super) recording: Option<Link<'a>>,
}

/// One check of a step.
pub(super) struct ItemView<'a> {
    pub(super) mood: Mood,
    pub(super) status: Text<'a>,
    pub(super) expected: Text<'a>,
    pub(super) comment: Text<'a>,
}

/// One screenshot.
pub(super) struct PictureView<'a> {
    pub(super) name: Text<'a>,
    pub(super) href: Option<String>,
    /// Itself, where the page holds it.
    pub(super) data: Option<Data<'a>>,
}

impl<'a> TestView<'a> {
    /// The test at this place of the report.
    pub(super) fn of(around: Around<'a>, number: usize, (job, judgement): Judged<'a>) -> Self {
        let run = job.deciding();
        let counted = judgement.map(|judged| judged.counted);
        Self {
            number,
            mood: Mood::of_judged(judgement),
            word: match judgement {
                Some(judged) if judged.flaky => "flaky",
                Some(judged) => judged.counted.words(),
                None => "started",
            },
            name: text(&job.label(), around.words.min(300)).into_owned().into(),
            device: device(job).into(),
            took: run.and_then(|run| run.duration).map_or_else(String::new, duration),
            because: judgement
                .filter(|judged| judged.counted != Counted::Passed && judged.because != "FAILED")
                .map_or_else(Text::default, |judged| around.text(&judged.because)),
            url: run.and_then(|run| run.url.as_deref()).and_then(address),
            marks: marks(job, judgement),
            runs: runs(around, job),
            baseline: job.baseline.as_ref().map(|baseline| baseline_link(around, baseline)),
            history: history(job),
            pictures: run.map_or_else(Vec::new, |run| pictures(around, run)),
            again: test_again(around.report, job).filter(|_| counted != Some(Counted::Passed)),
        }
    }
}

fn marks(job: &Job, judgement: Option<&Judgement>) -> Vec<String> {
    let change = judgement
        .filter(|_| job.baseline.is_some())
        .and_then(|judged| judged.change)
        .map(|change| test_change_words(change).to_owned());
    let carried = job.carried_over.map(carried_over_words);
    let optional = (!job.required).then(|| "not required".to_owned());
    change.into_iter().chain(carried).chain(optional).collect()
}

fn baseline_link<'a>(around: Around<'a>, baseline: &'a Baseline) -> Link<'a> {
    let words = baseline_sentence(baseline, around.report.finished_at);
    let href = baseline.run().and_then(|run| run.url.as_deref()).and_then(address);
    Link { words: text(&words, around.words).into_owned().into(), href }
}

/// Devices of a test, as the service calls them.
pub(super) fn device(job: &Job) -> String {
    let of_players = job.deciding().into_iter().flat_map(|run| &run.players);
    let mut devices: Vec<&str> = match &job.device {
        Some(device) => vec![device],
        None => of_players.filter_map(|player| player.device.as_deref()).collect(),
    };
    devices.dedup();
    text(&devices.join(", "), 200).into_owned()
}

/// The deciding run first, then the attempts before it, the newest first.
fn runs<'a>(around: Around<'a>, job: &'a Job) -> Vec<RunView<'a>> {
    let count = job.attempts.len();
    let title = |index| if count > 1 { format!("Attempt {} of {count}", index + 1) } else { String::new() };
    let runs = job.attempts.iter().enumerate().rev();
    runs.map(|(index, run)| {
        let queued = job.created_at.filter(|_| index == 0);
        RunView {
            title: title(index),
            mood: Mood::of(run.result.as_ref()),
            word: result_word(run.result.as_ref(), "no result", around.words),
            url: run.url.as_deref().and_then(address),
            unreadable: run.unreadable.as_deref().map(|why| around.text(why)),
            line: time_line(run, queued, around.words.min(200)),
            players: run.players.iter().map(|player| player_view(around, run, player)).collect(),
        }
    })
    .collect()
}

fn player_view<'a>(around: Around<'a>, run: &'a Attempt, player: &'a Player) -> PlayerView<'a> {
    let several = run.players.len() > 1;
    let title = || {
        let device =
            player.device.as_deref().map_or_else(String::new, |device| format!(", {}", text(device, 100)));
        format!("Player {}{device}", player.number)
    };
    let saved = player.artifacts.iter().filter(|artifact| !is_picture_name(&artifact.file_name));
    let files = saved.filter_map(|artifact| {
        let href = file_address(artifact.saved_as.as_deref()?)?;
        Some(Link { words: around.text(&artifact.file_name), href: Some(href) })
    });
    PlayerView {
        title: several.then(title),
        steps: player.steps.iter().map(|step| step_view(around, run, player, step)).collect(),
        left_out: player.steps_left_out,
        log_tail: player.log_tail.as_deref().map(|tail| around.text(tail)),
        files: files.collect(),
    }
}

fn step_view<'a>(around: Around<'a>, run: &Attempt, player: &'a Player, step: &'a Step) -> StepView<'a> {
    let mood = Mood::of(step.result.as_ref());
    let bad = matches!(mood, Mood::Failed | Mood::Broken);
    StepView {
        number: step.number,
        mood,
        goal: around.text(&step.goal),
        word: result_word(step.result.as_ref(), "not reached", around.words),
        took: step.duration.map_or_else(String::new, duration),
        said: around.lines(step.report.as_deref().unwrap_or_default()),
        items: step.items.iter().take(50).map(|item| item_view(around, item)).collect(),
        recording: step.started_at.filter(|_| bad).and_then(|at| recording(player, run.second_of(at)?)),
    }
}

fn item_view<'a>(around: Around<'a>, item: &'a StepItem) -> ItemView<'a> {
    let mood = match item.status.as_str() {
        "passed" | "success" => Mood::Passed,
        "failed" => Mood::Failed,
        _ => Mood::None,
    };
    let comment = item.comment.as_deref().unwrap_or_default();
    ItemView {
        mood,
        status: around.text(&item.status),
        expected: around.text(&item.expected),
        comment: around.text(comment),
    }
}

/// The recording at this second: the downloaded file, else the player's page on the dashboard.
pub(super) fn recording(player: &Player, second: u64) -> Option<Link<'static>> {
    let video = player.artifacts.iter().find(|artifact| {
        let name = artifact.file_name.to_ascii_lowercase();
        [".mp4", ".webm", ".mov"].iter().any(|extension| name.ends_with(extension))
    });
    let saved = video.and_then(|video| file_address(video.saved_as.as_deref()?));
    let href = saved.map(|path| format!("{path}#t={second}"));
    let href = href.or_else(|| player.url.as_deref().and_then(address));
    Some(Link { words: format!("recording at {}", clock(second)).into(), href: Some(href?) })
}

/// Screenshots of a run.
fn pictures<'a>(around: Around<'a>, run: &'a Attempt) -> Vec<PictureView<'a>> {
    of_run(run).filter(|path| !around.is_of_bug(path)).map(|path| picture(around, path)).collect()
}

/// A downloaded screenshot.
pub(super) fn picture<'a>(around: Around<'a>, path: &'a str) -> PictureView<'a> {
    let name = path.splitn(4, '/').last().unwrap_or(path);
    PictureView { name: around.text(name), href: file_address(path), data: around.pictures.get(path) }
}

fn history(job: &Job) -> Option<HistoryView<'_>> {
    let history = job.history.as_ref()?;
    let words = history_sentence(history, has_failed(job))?;
    let words = format!("On {}: {words}", text(&history.branch, 100));
    Some(HistoryView { words, results: history.results.iter().take(REMEMBERED).rev().map(past).collect() })
}

fn past(past: &PastResult) -> (Mood, Link<'_>) {
    let mood = Mood::of(past.result.as_ref());
    let mut words = past.result.as_ref().map_or("no result", |result| result.as_str()).to_owned();
    let commit: String = past.commit.as_deref().unwrap_or_default().chars().take(7).collect();
    let day = past.finished_at.map(|at| at.format("%Y-%m-%d").to_string()).unwrap_or_default();
    for more in [&commit, &day].into_iter().filter(|more| !more.is_empty()) {
        words = format!("{words}, {more}");
    }
    if let Some(step) = &past.failing_step {
        words = format!("{words}, at {step}");
    }
    let href = past.url.as_deref().and_then(address);
    (mood, Link { words: text(&words, 300).into_owned().into(), href })
}
