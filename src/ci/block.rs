//! The block of rows at the end of a terminal that shows how things stand: never more lines than the window has, never a line that
//! wraps. Pure.

use anstyle::Style;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::model::live::{Row, TestRow, TransferRow};
use crate::model::look::{DIM, GREEN, Look, Mark};
use crate::model::units::duration;

/// A bar shorter than this shows nothing.
const SHORTEST_BAR: usize = 10;
const LONGEST_BAR: usize = 40;
/// A name or a step cut to less than this tells nothing.
const SHORTEST_TEXT: usize = 12;

/// What the window shows now.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) rows: Vec<Row>,
    /// Columns of each line that was drawn.
    drawn: Vec<usize>,
}

impl Shown {
    /// Takes the block away: up to its first line, and nothing stays below. A window that became narrower has wrapped its lines.
    pub(super) fn clear(&mut self, width: usize) -> String {
        let lines: usize = self.drawn.drain(..).map(|columns| columns.div_ceil(width.max(1)).max(1)).sum();
        if lines == 0 { String::new() } else { format!("\r\u{1b}[{lines}A\u{1b}[J") }
    }

    /// Draws the rows; the cursor stays below them, where whatever is typed lands.
    pub(super) fn draw(&mut self, (width, height): (usize, usize), look: Look) -> String {
        // A line that fills the last column already wraps on some terminals.
        let lines = block(&self.rows, width.saturating_sub(1), height.saturating_sub(1), look);
        self.drawn = lines.iter().map(Line::width).collect();
        lines.iter().map(|line| line.painted(look) + "\n").collect()
    }
}

/// Pieces of one line, each in its style.
#[derive(Default)]
struct Line {
    pieces: Vec<(Style, String)>,
    /// Where a piece leads to, and which.
    link: Option<(usize, String)>,
}

impl Line {
    fn push(&mut self, style: Style, text: impl Into<String>) {
        self.pieces.push((style, text.into()));
    }

    /// A text, cut or filled to that many columns.
    fn padded(&mut self, style: Style, text: &str, width: usize, look: Look) {
        let text = fit(text, width, look);
        let blanks = width.saturating_sub(text.width());
        self.push(style, text);
        self.push(Style::new(), " ".repeat(blanks));
    }

    fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.width()).sum()
    }

    fn painted(&self, look: Look) -> String {
        let piece = |(index, (style, text)): (usize, &(Style, String))| {
            let painted = look.paint(*style, text);
            match &self.link {
                Some((linked, address)) if *linked == index => look.link(&painted, address),
                _ => painted,
            }
        };
        self.pieces.iter().enumerate().map(piece).collect()
    }
}

/// The rows as lines of at most `width` columns; what `height` has no room for is counted.
fn block(rows: &[Row], width: usize, height: usize, look: Look) -> Vec<Line> {
    let kept = most_important(rows, height);
    let tests = kept.iter().filter_map(|row| match row {
        Row::Test(row) => Some(row),
        _ => None,
    });
    let columns = Columns::of(&tests.collect::<Vec<_>>(), width);
    let mut lines: Vec<Line> = kept
        .iter()
        .map(|row| match row {
            Row::Text(text) => {
                let mut line = Line::default();
                line.push(DIM, fit(text, width, look));
                line
            }
            Row::Test(row) => test(row, &columns, look),
            Row::Transfer(row) => transfer(row, width, look),
        })
        .collect();
    if kept.len() < rows.len() && height > 0 {
        let mut line = Line::default();
        line.push(DIM, fit(&format!("  and {} more", rows.len() - kept.len()), width, look));
        lines.push(line);
    }
    lines
}

/// The rows that there is room for, in their order: what runs before what waits, and that before what has ended.
fn most_important(rows: &[Row], height: usize) -> Vec<&Row> {
    if rows.len() <= height {
        return rows.iter().collect();
    }
    let rank = |row: &Row| match row {
        Row::Text(_) | Row::Transfer(_) => 0,
        Row::Test(row) => match row.mark {
            Mark::Running => 1,
            Mark::Waiting => 2,
            _ => 3,
        },
    };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&index| rank(&rows[index]));
    // One line says how many are missing.
    order.truncate(height.saturating_sub(1));
    order.sort_unstable();
    order.into_iter().map(|index| &rows[index]).collect()
}

/// How the columns of a window are shared by name, step and time of the tests, so that they stand below each other.
struct Columns {
    /// For the sign before the name, and the blank after it.
    sign: usize,
    name: usize,
    /// For the step, 0 where it could not be read.
    detail: usize,
    time: usize,
    with_usual: bool,
}

impl Columns {
    fn of(tests: &[&TestRow], width: usize) -> Self {
        let sign = width.min(2);
        let room = width - sign;
        let widest = |with_usual| tests.iter().map(|row| time(row, with_usual).width()).max().unwrap_or(0);
        let with_usual = room >= widest(true) + 2 + 4 * SHORTEST_TEXT;
        let mut time = widest(with_usual);
        if time == 0 || room < time + 2 + SHORTEST_TEXT {
            time = 0;
        }
        let room = room - if time > 0 { time + 2 } else { 0 };
        let longest = tests.iter().map(|row| row.name.width()).max().unwrap_or(0);
        let name = longest.min((room / 2).max(SHORTEST_TEXT)).min(room);
        let detail = room.saturating_sub(name + 2);
        if detail < SHORTEST_TEXT {
            return Self { sign, name: room, detail: 0, time, with_usual };
        }
        Self { sign, name, detail, time, with_usual }
    }
}

/// How long it runs by now, and how long it does as a rule.
fn time(row: &TestRow, with_usual: bool) -> String {
    match (row.elapsed, row.usual.filter(|_| with_usual && row.mark == Mark::Running)) {
        (Some(elapsed), Some(usual)) => format!("{} of about {}", duration(elapsed), duration(usual)),
        (Some(elapsed), None) => duration(elapsed),
        (None, _) => String::new(),
    }
}

fn test(row: &TestRow, columns: &Columns, look: Look) -> Line {
    let mut line = Line::default();
    let (sign, style) = look.sign(row.mark);
    line.push(style, fit(sign, columns.sign, look));
    if columns.sign < 2 {
        return line;
    }
    line.push(Style::new(), " ");
    if let Some(url) = &row.url {
        line.link = Some((line.pieces.len(), url.clone()));
    }
    line.padded(Style::new(), &row.name, columns.name, look);
    if columns.detail > 0 {
        line.push(Style::new(), "  ");
        line.padded(DIM, &row.detail, columns.detail, look);
    }
    if columns.time > 0 {
        let time = time(row, columns.with_usual);
        line.push(Style::new(), " ".repeat(2 + columns.time.saturating_sub(time.width())));
        line.push(DIM, time);
    }
    line
}

fn transfer(row: &TransferRow, width: usize, look: Look) -> Line {
    let mut line = Line::default();
    let head = format!("{} {} %", row.verb, row.percent);
    let mut room = width.saturating_sub(head.width());
    let mut tail = String::new();
    for detail in &row.details {
        let more = if tail.is_empty() { format!("  {detail}") } else { format!(", {detail}") };
        if room < more.width() + SHORTEST_BAR + 2 {
            break;
        }
        room -= more.width();
        tail.push_str(&more);
    }
    let bar = if room >= SHORTEST_BAR + 2 { (room - 2).min(LONGEST_BAR) } else { 0 };
    line.push(Style::new(), fit(&head, width, look));
    if bar > 0 {
        let (full, empty) = if look.unicode { ("█", "░") } else { ("#", ".") };
        let done = bar * usize::from(row.percent.min(100)) / 100;
        line.push(Style::new(), "  ");
        line.push(GREEN, full.repeat(done));
        line.push(DIM, empty.repeat(bar - done));
    }
    line.push(DIM, tail);
    line
}

/// The text, cut to that many columns.
fn fit(text: &str, width: usize, look: Look) -> String {
    if text.width() <= width && sum_of_letters(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut out = String::new();
    let mut used = 0;
    for letter in text.chars() {
        used += letter.width().unwrap_or(0);
        out.push(letter);
        // Letters that stand for one sign together are as wide as that sign on some terminals, and as each of them on others.
        if used > room || out.width() > room {
            out.pop();
            break;
        }
    }
    out.push(if look.unicode { '…' } else { '~' });
    out
}

fn sum_of_letters(text: &str) -> usize {
    text.chars().map(|letter| letter.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use anstream::adapter::strip_str;
    use proptest::prelude::{any, proptest};

    use super::{Line, Look, Mark, Row, Shown, TestRow, TransferRow, block};
    use unicode_width::UnicodeWidthStr as _;

    const RICH: Look = Look { colour: true, unicode: true, links: true, width: 80 };

    fn row(name: &str, mark: Mark, detail: &str, seconds: u64) -> Row {
        Row::Test(TestRow {
            mark,
            name: name.to_owned(),
            detail: detail.to_owned(),
            elapsed: (seconds > 0).then(|| Duration::from_secs(seconds)),
            usual: (seconds > 0).then(|| Duration::from_secs(130)),
            url: Some("https://nunu.ai/nexus/p/runs/m/r/details".to_owned()),
        })
    }

    fn rows() -> Vec<Row> {
        vec![
            row("smoke / Buy the starter pack", Mark::Running, "step 3 of 7: Buy the starter pack", 83),
            row(
                "smoke / 日本語のテスト名はとても長いものです",
                Mark::Running,
                "step 1 of 2: \u{1f468}\u{1f469} e\u{301}",
                5,
            ),
            row("nightly", Mark::Waiting, "queued", 0),
            row("login", Mark::Good, "passed", 61),
            Row::Text("1 min 23 s elapsed, 3 h 28 min left: 1 completed, 1 queued, 2 running".to_owned()),
            Row::Transfer(TransferRow {
                verb: "uploading".to_owned(),
                percent: 47,
                details: ["475.0 MB of 1.0 GB", "47.5 MB/s", "12 s left", "3 of 10 parts"]
                    .map(str::to_owned)
                    .to_vec(),
            }),
        ]
    }

    fn shown(rows: &[Row], width: usize, height: usize, look: Look) -> String {
        let lines = block(rows, width, height, look);
        lines.iter().map(|line| strip_str(&line.painted(look)).to_string() + "\n").collect()
    }

    #[test]
    fn a_row_shows_what_there_is_room_for() {
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}\n{}",
            shown(&rows(), 119, 30, RICH),
            shown(&rows(), 79, 30, RICH),
            shown(&rows(), 33, 30, RICH),
            shown(&rows(), 79, 4, Look::PLAIN),
        ));
    }

    #[test]
    fn the_block_is_taken_away_as_it_was_drawn_however_the_window_changed() {
        let mut shown = Shown::default();
        assert_eq!(shown.clear(80), "");
        shown.rows = vec![Row::Text("x".repeat(30)), Row::Text("y".to_owned())];
        let drawn = shown.draw((80, 24), Look::PLAIN);
        assert_eq!(drawn, format!("{}\ny\n", "x".repeat(30)));
        assert_eq!(shown.clear(80), "\r\u{1b}[2A\u{1b}[J");
        assert_eq!(shown.clear(80), "", "once");
        shown.draw((80, 24), Look::PLAIN);
        assert_eq!(shown.clear(16), "\r\u{1b}[3A\u{1b}[J", "it wrapped in the narrower window");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_window_and_no_block_is_higher(
            texts in proptest::collection::vec(any::<String>(), 0..12),
            wide in "[a\u{65e5}\u{1f468}\u{200d}\u{fe0f}\u{301}\u{ff21} ]{0,60}",
            width in 0_usize..130,
            height in 0_usize..14,
        ) {
            let marks = [Mark::Running, Mark::Waiting, Mark::Good, Mark::Bad];
            let mut rows = rows();
            for (index, text) in texts.iter().chain([&wide]).enumerate() {
                let clean: String = text.chars().filter(|letter| !letter.is_control()).collect();
                rows.push(row(&clean, marks[index % 4], &clean, u64::try_from(index).unwrap() * 77));
                rows.push(Row::Text(clean));
            }
            for look in [RICH, Look::PLAIN] {
                let lines = block(&rows, width, height, look);
                assert!(lines.len() <= height);
                for line in &lines {
                    assert!(line.width() <= width, "{} > {width}", line.width());
                    let painted = strip_str(&line.painted(look)).to_string();
                    assert!(painted.width() <= width.max(Line::width(line)));
                }
            }
        }
    }
}
