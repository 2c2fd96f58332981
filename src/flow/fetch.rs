//! One file of a run comes to the disk, within limits: of each, of all together, of time, of pace, and of what the disk has left.

use std::fmt::Display;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::fs::File;
use tokio::io::{AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::disk::{self, Fresh, Readers};
use crate::http::Backoff;
use crate::model::units::{bytes, duration};

/// Tries of one file; each goes on where the one before was cut.
const TRIES: u32 = 5;
/// Waits between two tries.
const BETWEEN_TRIES: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(10) };
/// Bytes between two looks at the free space.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;

/// What downloads may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of one file.
    pub(super) file: u64,
    /// Bytes of all files together.
    pub(super) all: u64,
    /// All files together: the job ends at most that long after its last result.
    pub(super) time: Duration,
    /// Bytes of the disk that stay free.
    pub(super) kept_free: u64,
    /// A file brings at least so many bytes...
    pub(super) least: u64,
    /// ... in so much time.
    pub(super) within: Duration,
}

/// Recordings have some hundred megabytes; a network that brings less than this has none to spare.
pub(super) const LIMITS: Limits = Limits {
    file: 2 * 1024 * 1024 * 1024,
    all: 8 * 1024 * 1024 * 1024,
    time: Duration::from_secs(15 * 60),
    kept_free: 256 * 1024 * 1024,
    least: 64 * 1024,
    within: Duration::from_secs(30),
};

/// What all downloads share.
pub(super) struct Fetcher<'a> {
    api: &'a Api,
    root: &'a Path,
    limits: Limits,
    /// Bytes on the disk by now.
    taken: AtomicU64,
}

enum Trouble {
    Passing(String),
    Final(String),
}

impl<'a> Fetcher<'a> {
    /// Fetches into the folder `root`.
    pub(super) const fn new(api: &'a Api, root: &'a Path, limits: Limits) -> Self {
        Self { api, root, limits, taken: AtomicU64::new(0) }
    }

    /// Streams the file at `url` to `relative` (with `/`) below the root, going on by range after a cut; its size. `announced` is the size
    /// that it should have.
    pub(super) async fn fetch(
        &self,
        url: &str,
        announced: Option<u64>,
        relative: &str,
    ) -> Result<u64, String> {
        let text = |error: std::io::Error| error.to_string();
        self.room(announced.unwrap_or(0))?;
        let (folder, name) = relative.rsplit_once('/').unwrap_or(("", relative));
        let path = disk::folders_below(self.root, folder).map_err(text)?.join(name);
        let fresh = Fresh::begin(&path, Readers::Anyone).map_err(text)?;
        let mut file = File::from_std(fresh.file().try_clone().map_err(text)?);
        let mut got = 0;
        let mut last = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(BETWEEN_TRIES.ceiling(attempt)).await;
            }
            match self.append(url, announced, &mut file, &mut got).await {
                Ok(()) => {
                    drop(file);
                    fresh.place().map_err(text)?;
                    return Ok(got);
                }
                Err(Trouble::Final(why)) => {
                    last = why;
                    break;
                }
                Err(Trouble::Passing(why)) => last = why,
            }
        }
        self.taken.fetch_sub(got, Ordering::Relaxed);
        Err(last)
    }

    async fn append(
        &self,
        url: &str,
        announced: Option<u64>,
        file: &mut File,
        got: &mut u64,
    ) -> Result<(), Trouble> {
        let opened = self.api.once().artifact(url, *got).await;
        let mut stream = opened.map_err(|error| {
            if error.is_transient() {
                Trouble::Passing(error.to_string())
            } else {
                Trouble::Final(error.to_string())
            }
        })?;
        if stream.offset != *got {
            // A server without ranges starts again from the beginning.
            if stream.offset != 0 {
                return Err(passing("another part came than the one that was asked for"));
            }
            self.taken.fetch_sub(*got, Ordering::Relaxed);
            *got = 0;
            file.set_len(0).await.map_err(last)?;
            file.rewind().await.map_err(last)?;
        }
        let size = announced.or(stream.size_bytes);
        self.room(size.unwrap_or(0).saturating_sub(*got)).map_err(Trouble::Final)?;
        let mut pace = Pace::new(self.limits, Instant::now());
        let mut unseen = 0;
        while let Some(chunk) = stream.chunk().await.map_err(passing)? {
            let len = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            if size.is_some_and(|size| *got + len > size) {
                return Err(last(format!("it is larger than the {} announced", bytes(size.unwrap_or(0)))));
            }
            self.count(*got, len)?;
            file.write_all(&chunk).await.map_err(last)?;
            *got += len;
            unseen += len;
            if unseen >= LOOK_EVERY {
                unseen = 0;
                self.room(0).map_err(Trouble::Final)?;
            }
            pace.saw(len, Instant::now()).map_err(Trouble::Final)?;
        }
        file.flush().await.map_err(last)?;
        match size {
            Some(size) if size != *got => {
                Err(passing(format!("only {} of {} arrived", bytes(*got), bytes(size))))
            }
            _ => Ok(()),
        }
    }

    /// Takes `len` more bytes of a file that has `got`.
    fn count(&self, got: u64, len: u64) -> Result<(), Trouble> {
        if got + len > self.limits.file {
            return Err(last(too_large(self.limits.file)));
        }
        if self.taken.fetch_add(len, Ordering::Relaxed) + len > self.limits.all {
            self.taken.fetch_sub(len, Ordering::Relaxed);
            return Err(last(format!("all files together may have {}", bytes(self.limits.all))));
        }
        Ok(())
    }

    /// Whether there is room for `more` bytes.
    fn room(&self, more: u64) -> Result<(), String> {
        if more > self.limits.file {
            return Err(too_large(self.limits.file));
        }
        // Where the system does not tell (some say 0 then), writing will.
        let Some(free) = fs4::available_space(self.root).ok().filter(|free| *free > 0) else { return Ok(()) };
        if free < self.limits.kept_free.saturating_add(more) {
            return Err(format!(
                "the disk has {} free, of which {} are left for others",
                bytes(free),
                bytes(self.limits.kept_free)
            ));
        }
        Ok(())
    }
}

fn too_large(most: u64) -> String {
    format!("a file may have {}", bytes(most))
}

fn last(why: impl Display) -> Trouble {
    Trouble::Final(why.to_string())
}

fn passing(why: impl Display) -> Trouble {
    Trouble::Passing(why.to_string())
}

/// How fast a file comes. A pause alone is ended by the network's own patience.
struct Pace {
    limits: Limits,
    since: Instant,
    brought: u64,
}

impl Pace {
    const fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, since: now, brought: 0 }
    }

    fn saw(&mut self, len: u64, now: Instant) -> Result<(), String> {
        self.brought += len;
        if now.duration_since(self.since) < self.limits.within {
            return Ok(());
        }
        if self.brought < self.limits.least {
            return Err(format!(
                "only {} came in {}",
                bytes(self.brought),
                duration(now.duration_since(self.since))
            ));
        }
        *self = Self::new(self.limits, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Duration, Fetcher, Instant, LIMITS, Limits, Pace};
    use crate::api::Api;
    use crate::http::testing::{Act, Lines, Server, answer, net};
    use crate::model::ApiKey;

    /// What comes of one file that is served like that; the folder is empty after a failure.
    async fn fetched(act: Act, announced: Option<u64>, limits: Limits) -> Result<u64, String> {
        let server = Server::play([act]).await;
        let lines = Lines::default();
        let api = Api::new(net(&lines), &server.origin, None, &ApiKey::from("nunu_0123456789abcdef"));
        let home = tempfile::tempdir().unwrap();
        let fetcher = Fetcher::new(&api, home.path(), limits);
        let url = format!("{}/file", server.origin);
        let outcome = fetcher.fetch(&url, announced, "artifacts/r/p/a.log").await;
        let folder = home.path().join("artifacts/r/p");
        let there = fs::read_dir(folder).map_or(0, Iterator::count);
        assert_eq!(there, usize::from(outcome.is_ok()), "nothing unfinished is left");
        outcome
    }

    #[tokio::test]
    async fn a_file_has_limits() {
        let ten = || answer(200, "", "0123456789");
        // No length is announced: the connection's end is the file's.
        let endless = || Act::Say([b"HTTP/1.1 200 X\r\n\r\n".as_slice(), &vec![b'x'; 50_000]].concat());
        let small = Limits { file: 1000, all: 2000, ..LIMITS };
        assert_eq!(fetched(ten(), None, LIMITS).await, Ok(10));
        assert_eq!(fetched(ten(), Some(10), small).await, Ok(10));
        for (act, announced, limits, why) in [
            (endless(), None, small, "a file may have"),
            (ten(), Some(5000), small, "a file may have"),
            (ten(), Some(4), small, "larger than the"),
            (endless(), None, Limits { file: 1 << 40, ..small }, "all files together"),
            (ten(), None, Limits { kept_free: u64::MAX, ..LIMITS }, "the disk has"),
        ] {
            let failed = fetched(act, announced, limits).await.unwrap_err();
            assert!(failed.contains(why), "{failed}");
        }
    }

    #[test]
    fn a_drip_is_too_slow_and_a_slow_line_is_not() {
        let began = Instant::now();
        let within = LIMITS.within;
        let mut drip = Pace::new(LIMITS, began);
        for second in 1..within.as_secs() {
            drip.saw(1, began + Duration::from_secs(second)).unwrap();
        }
        assert!(drip.saw(1, began + within).is_err());
        let mut line = Pace::new(LIMITS, began);
        for second in 1..10 * within.as_secs() {
            line.saw(LIMITS.least / 10, began + Duration::from_secs(second)).unwrap();
        }
    }
}
