//! The lock that several processes share, which none of them waits for without end.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::disk;
use crate::model::Log;

use super::cancel::Cancel;

/// Others hold the lock for the moment of a write; who holds it for longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same once a signal came.
const PATIENCE_ON_THE_WAY_OUT: Duration = Duration::from_millis(500);
/// Between two looks at the lock.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A file that processes lock while they change what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Lock {
    path: PathBuf,
    cancel: Cancel,
    log: Log,
    /// True once the lock was not to be had: it is not waited for again.
    held: Arc<AtomicBool>,
}

impl Lock {
    /// The lock with that file, which is made when it is taken.
    pub(super) fn new(path: PathBuf, cancel: Cancel, log: Log) -> Self {
        Self { path, cancel, log, held: Arc::default() }
    }

    /// Its file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the lock, which ends with the file, and waits for it for a while. `None` when somebody else keeps it: what costs money is
    /// recorded all the same, and nobody waits before what was started is stopped.
    pub(super) fn take(&self) -> io::Result<Option<File>> {
        let file = disk::lock_file(&self.path)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => {
                    self.held.store(false, Ordering::Relaxed);
                    return Ok(Some(file));
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            if began.elapsed() >= self.patience() {
                self.tell_once();
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn patience(&self) -> Duration {
        match self.held.load(Ordering::Relaxed) {
            true => Duration::ZERO,
            false if self.cancel.token().is_cancelled() => PATIENCE_ON_THE_WAY_OUT,
            false => PATIENCE,
        }
    }

    fn tell_once(&self) {
        if !self.held.swap(true, Ordering::Relaxed) {
            self.log.warn(format!(
                "another process holds {} and does not let go of it: the state is written without it, and what that process writes at the same moment may be lost",
                self.path.display()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cancel, Lock, Log, disk};

    #[test]
    fn a_lock_that_is_never_released_holds_nobody() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state.lock");
        let theirs = disk::lock_file(&path).unwrap();
        theirs.lock().unwrap();
        let cancel = Cancel::default();
        cancel.token().cancel();
        let lock = Lock::new(path, cancel, Log::silent());
        for _ in 0..2 {
            assert!(lock.take().unwrap().is_none());
        }
        drop(theirs);
        let taken = lock.take().unwrap();
        assert!(taken.is_some());
        assert!(disk::lock_file(lock.path()).unwrap().try_lock().is_err());
    }
}
