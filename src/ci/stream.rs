//! The process's own output, through one thread of its own: a pipe that nobody reads holds that thread and nothing else.
//!
//! Lines keep their order. A reader that is slow is waited for; one that takes nothing for a while is not, and then lines are left out,
//! since a run that costs money must be followed and stopped whether or not somebody reads of it.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anstream::AutoStream;

/// Text of the log that waits for its reader, in bytes.
const MOST_WAITING: usize = 1024 * 1024;
/// A reader that takes nothing for this long is not waited for any more; after a signal the end waits this long in all.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Writes text of the log, in whole lines.
pub(crate) fn log(stream: Stream, text: String) {
    writer().log(stream, text);
}

/// Writes data that was asked for to standard output. None of it is left out, and the end waits for its reader until a signal comes.
pub(crate) fn data(text: String) {
    writer().push(Piece { stream: Stream::Out, text, is_data: true });
}

/// From now on nothing waits long for a reader: a signal came.
pub(crate) fn hurry() {
    writer().lock().hurried = true;
    writer().changed.notify_all();
}

/// Waits until all is written, as long as somebody reads.
pub(crate) fn drain() {
    writer().drain();
}

fn writer() -> &'static Writer {
    static WRITER: OnceLock<Arc<Writer>> = OnceLock::new();
    WRITER.get_or_init(|| Writer::start(write))
}

/// A closed pipe is no reason to end. Old consoles get their colours in another way than by what is written.
fn write(stream: Stream, text: &str) {
    let _ = match stream {
        Stream::Out => {
            let mut out = AutoStream::always(std::io::stdout().lock());
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
        Stream::Err => AutoStream::always(std::io::stderr().lock()).write_all(text.as_bytes()),
    };
}

struct Piece {
    stream: Stream,
    text: String,
    is_data: bool,
}

struct Writer {
    queue: Mutex<Queue>,
    /// Something came or went.
    changed: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Piece>,
    /// Bytes of the log that wait or are being written.
    bytes: usize,
    /// Pieces of data that wait or are being written.
    data: usize,
    /// Pieces that were written.
    written: u64,
    /// Since when a piece is being written.
    writing_since: Option<Instant>,
    /// True while nobody reads.
    is_stuck: bool,
    /// Pieces of the log that were left out, and where they belonged.
    lost: Option<(Stream, usize)>,
    hurried: bool,
}

impl Queue {
    fn add(&mut self, piece: Piece) {
        if piece.is_data {
            self.data += 1;
        } else {
            self.bytes += piece.text.len();
        }
        self.waiting.push_back(piece);
    }

    fn has_room(&self, text: &str) -> bool {
        self.bytes == 0 || self.bytes + text.len() <= MOST_WAITING
    }

    /// Says how much was left out, where it was left out.
    fn confess(&mut self) {
        if let Some((stream, lost)) = self.lost.take() {
            let text = format!(
                "warning: {lost} {} left out of the log, since nobody read it in time\n",
                if lost == 1 { "line was" } else { "lines were" }
            );
            self.add(Piece { stream, text, is_data: false });
        }
    }

    fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.writing_since.is_none()
    }
}

impl Writer {
    fn start(write: impl FnMut(Stream, &str) + Send + 'static) -> Arc<Self> {
        let writer = Arc::new(Self { queue: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&writer);
        std::thread::spawn(move || own.work(write));
        writer
    }

    fn work(&self, mut write: impl FnMut(Stream, &str)) {
        let mut queue = self.lock();
        loop {
            let Some(next) = queue.waiting.pop_front() else {
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.writing_since = Some(Instant::now());
            drop(queue);
            write(next.stream, &next.text);
            queue = self.lock();
            queue.writing_since = None;
            queue.is_stuck = false;
            queue.written += 1;
            if next.is_data {
                queue.data -= 1;
            } else {
                queue.bytes -= next.text.len();
            }
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, piece: Piece) {
        self.lock().add(piece);
        self.changed.notify_all();
    }

    fn log(&self, stream: Stream, text: String) {
        let mut queue = self.lock();
        let (mut seen, mut since) = (queue.written, Instant::now());
        while !queue.has_room(&text) && !queue.is_stuck && !queue.hurried {
            queue = self.wait(queue);
            if queue.written != seen {
                (seen, since) = (queue.written, Instant::now());
            }
            queue.is_stuck = since.elapsed() >= PATIENCE;
        }
        if queue.has_room(&text) {
            queue.confess();
            queue.add(Piece { stream, text, is_data: false });
        } else {
            let before = queue.lost.map_or(0, |(_, lost)| lost);
            queue.lost = Some((stream, before + 1));
        }
        drop(queue);
        self.changed.notify_all();
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed.wait_timeout(queue, PATIENCE / 20).unwrap_or_else(PoisonError::into_inner).0
    }

    fn drain(&self) {
        let mut queue = self.lock();
        queue.confess();
        self.changed.notify_all();
        let (mut seen, mut since) = (queue.written, Instant::now());
        let mut hurried_since = None;
        while !queue.is_done() {
            if queue.written != seen {
                (seen, since) = (queue.written, Instant::now());
            }
            let waited = match queue.hurried {
                // Whoever has taken nothing for so long will not now.
                true => {
                    let since: &mut Instant = hurried_since.get_or_insert_with(Instant::now);
                    since.elapsed().max(queue.writing_since.map_or(Duration::ZERO, |since| since.elapsed()))
                }
                false if queue.data > 0 => Duration::ZERO,
                false => since.elapsed(),
            };
            if waited >= PATIENCE {
                return;
            }
            queue = self.wait(queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc};
    use std::thread;

    use super::{MOST_WAITING, Piece, Stream, Writer};

    /// A writer whose reader takes one piece for each message, or all once the sender is gone, and what was read.
    fn read_on_demand() -> (Arc<Writer>, mpsc::Sender<()>, Arc<Mutex<Vec<String>>>) {
        let (demand, demands) = mpsc::channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&read);
        let writer = Writer::start(move |_, text| {
            let _ = demands.recv();
            shown.lock().unwrap().push(text.to_owned());
        });
        (writer, demand, read)
    }

    #[test]
    fn everything_comes_in_order() {
        let (writer, demand, read) = read_on_demand();
        drop(demand);
        for number in 0..10_000 {
            writer.log(if number % 3 == 0 { Stream::Err } else { Stream::Out }, number.to_string());
        }
        writer.push(Piece { stream: Stream::Out, text: "data".to_owned(), is_data: true });
        writer.drain();
        let read = read.lock().unwrap();
        assert_eq!(read.len(), 10_001);
        assert!(read.iter().zip(0..10_000).all(|(text, number)| *text == number.to_string()));
    }

    #[test]
    fn a_slow_reader_loses_nothing_whatever_is_waiting() {
        let (writer, demand, read) = read_on_demand();
        let lines = 12;
        let line = "x".repeat(MOST_WAITING / 4);
        thread::scope(|scope| {
            let (writer, line) = (&writer, &line);
            let logging = scope.spawn(move || (0..lines).for_each(|_| writer.log(Stream::Out, line.clone())));
            while !logging.is_finished() {
                assert!(writer.lock().bytes <= MOST_WAITING);
                demand.send(()).unwrap();
                thread::yield_now();
            }
        });
        drop(demand);
        writer.drain();
        assert_eq!(read.lock().unwrap().len(), lines);
    }

    #[test]
    fn a_reader_that_is_gone_for_a_while_holds_nobody_and_is_told_what_is_missing() {
        let (writer, demand, read) = read_on_demand();
        let line = "x".repeat(MOST_WAITING / 2);
        for _ in 0..1000 {
            writer.log(Stream::Out, line.clone());
        }
        // Nobody reads at the end either: it comes all the same.
        writer.drain();
        assert!(writer.lock().bytes <= MOST_WAITING + 100);
        drop(demand);
        writer.drain();
        writer.log(Stream::Out, "later".to_owned());
        writer.drain();
        let read = read.lock().unwrap();
        assert_eq!(read.iter().filter(|text| **text == line).count(), 2);
        assert!(
            read.iter().any(|text| text.starts_with("warning: 998 lines were left out of the log")),
            "{:?}",
            read.last()
        );
        assert_eq!(read.last().map(String::as_str), Some("later"));
    }

    #[test]
    fn after_a_signal_nobody_waits_for_room_and_data_holds_nobody() {
        let (writer, demand, _) = read_on_demand();
        writer.push(Piece { stream: Stream::Out, text: "data".to_owned(), is_data: true });
        writer.lock().hurried = true;
        for _ in 0..100 {
            writer.log(Stream::Err, "x".repeat(MOST_WAITING));
        }
        writer.drain();
        assert!(!writer.lock().is_done());
        drop(demand);
    }
}
