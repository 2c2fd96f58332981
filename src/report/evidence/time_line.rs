//! When things happened in one run, as bars on a line. Pure.

use std::time::Duration;

use crate::model::job::{Attempt, Player, Step};
use crate::model::units::{Timestamp, duration};

use super::words::{Mood, Text, clock, counted, text};

/// Width of the drawing in its own units.
const WIDTH: i64 = 10_000;
/// A shorter bar would not be seen.
const LEAST: i64 = 40;
/// Height of a lane.
const LANE: usize = 30;

/// One run over time.
pub(super) struct TimeLine<'a> {
    /// The same in words, for whoever does not see it.
    pub(super) words: String,
    /// Bars, in one lane for each player.
    pub(super) bars: Vec<Bar<'a>>,
    /// Height of the drawing.
    pub(super) height: usize,
    /// From its left to its right end, as a clock shows it.
    pub(super) whole: String,
}

/// One stretch of time.
pub(super) struct Bar<'a> {
    pub(super) x: i64,
    pub(super) y: usize,
    pub(super) width: i64,
    /// Class, which gives the colour.
    pub(super) mood: Mood,
    /// What happened, and how long it took.
    pub(super) title: Text<'a>,
}

/// The line of a run whose job was `queued_at`, where the service tells times; `words` is the most that is shown of a goal.
pub(super) fn time_line(
    attempt: &Attempt,
    queued_at: Option<Timestamp>,
    words: usize,
) -> Option<TimeLine<'_>> {
    let began = attempt.started_at?;
    let steps = || attempt.players.iter().flat_map(|player| &player.steps);
    let ended = steps().filter_map(end).chain(attempt.completed_at).max()?;
    let from = queued_at.filter(|at| *at < began).unwrap_or(began);
    let scale = Scale { from, all: (ended - from).num_milliseconds() };
    if scale.all <= 0 || !steps().any(|step| step.started_at.is_some()) {
        return None;
    }
    let lane = |(index, player)| lane(player, index * LANE + 3, began, &scale, words);
    let bars = attempt.players.iter().enumerate().flat_map(lane).collect();
    let mut told = Vec::new();
    if from < began {
        told.push(format!("queued {}", between(from, began)));
    }
    if let Some(first) = steps().filter_map(|step| step.started_at).min().filter(|first| *first > began) {
        told.push(format!("booting {}", between(began, first)));
        let last = steps().filter_map(end).max().unwrap_or(ended);
        told.push(format!("{} {}", counted(steps().count(), "step"), between(first, last)));
    }
    Some(TimeLine {
        words: told.join(", "),
        bars,
        height: attempt.players.len() * LANE,
        whole: clock((scale.all / 1000).unsigned_abs()),
    })
}

fn lane<'a>(player: &'a Player, y: usize, began: Timestamp, scale: &Scale, words: usize) -> Vec<Bar<'a>> {
    let mut bars = Vec::new();
    let mut wait = |from, to, mood, word| {
        if from < to {
            bars.push(scale.bar((from, to), y, mood, format!("{word}: {}", between(from, to)).into()));
        }
    };
    wait(scale.from, began, Mood::Queued, "queued");
    if let Some(first) = player.steps.iter().find_map(|step| step.started_at) {
        wait(began, first, Mood::Booting, "booting");
    }
    bars.extend(player.steps.iter().filter_map(|step| {
        let (from, to) = (step.started_at?, end(step)?);
        let title = format!("{}. {} ({})", step.number, text(&step.goal, words), between(from, to));
        Some(scale.bar((from, to), y, Mood::of(step.result.as_ref()), title.into()))
    }));
    bars
}

struct Scale {
    from: Timestamp,
    all: i64,
}

impl Scale {
    fn bar<'a>(&self, (from, to): (Timestamp, Timestamp), y: usize, mood: Mood, title: Text<'a>) -> Bar<'a> {
        let at = |time: Timestamp| {
            let millis = i128::from((time - self.from).num_milliseconds().clamp(0, self.all));
            i64::try_from(millis * i128::from(WIDTH) / i128::from(self.all)).unwrap_or(0)
        };
        let x = at(from).min(WIDTH - LEAST);
        // A gap, so that two bars are two.
        Bar { x, y, width: (at(to) - x - 15).clamp(LEAST, WIDTH - x), mood, title }
    }
}

fn end(step: &Step) -> Option<Timestamp> {
    let long = || chrono::Duration::from_std(step.duration?).ok();
    step.ended_at.or_else(|| step.started_at?.checked_add_signed(long()?))
}

fn between(from: Timestamp, to: Timestamp) -> String {
    duration((to - from).to_std().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::reports::{job, player, step};
    use super::{Mood, WIDTH, time_line};

    #[test]
    fn a_run_is_drawn_from_the_queue_to_its_last_step() {
        let mut play = step(2, "buy", "FAILED", "");
        play.started_at = crate::model::units::parse_time("2026-03-03T15:51:40Z");
        let one = job("Shop", "FAILED", vec![player(1, vec![step(1, "open", "SUCCESS", ""), play])]);
        let line = time_line(&one.attempts[0], one.created_at, 100).unwrap();
        assert_eq!(line.words, "queued 23 s, booting 1 min, 2 steps 29 s");
        assert_eq!(line.whole, "4:23");
        let drawn: Vec<(Mood, &str)> = line.bars.iter().map(|bar| (bar.mood, bar.title.as_ref())).collect();
        assert_eq!(
            drawn,
            [
                (Mood::Queued, "queued: 23 s"),
                (Mood::Booting, "booting: 1 min"),
                (Mood::Passed, "1. open (12 s)"),
                (Mood::Failed, "2. buy (12 s)")
            ]
        );
        assert!(line.bars.windows(2).all(|two| two[0].x + two[0].width <= two[1].x));
        assert!(line.bars.iter().all(|bar| bar.x >= 0 && bar.x + bar.width <= WIDTH));
        let mut without = one.attempts[0].clone();
        without.started_at = None;
        assert!(time_line(&without, None, 100).is_none(), "no times, no line");
    }
}
