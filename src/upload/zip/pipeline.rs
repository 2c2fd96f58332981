//! Files in, packed blocks out: one thread reads, several pack, and the order is kept. Memory is bounded by the number of blocks on the way.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use super::deflate::{self, BLOCK, Packer};
use super::format::{Method, Record};
use crate::upload::error::UploadError;
use crate::upload::fingerprint::FileFingerprint;
use crate::upload::tree::{Entry, EntryKind, Links, Tree};

/// More packers than this wait for the reader or the disk.
const MOST_PACKERS: usize = 16;
/// Unix modes with the file type (`S_IFREG`, `S_IFLNK`, `S_IFDIR`).
const PLAIN: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
const FOLDER: u32 = 0o040_755;

/// One block on its way to the zip.
pub(crate) struct Packed {
    /// Bytes to write.
    pub(crate) bytes: Vec<u8>,
    /// Bytes before packing.
    pub(crate) size: u64,
    /// Checksum of the bytes before packing.
    pub(crate) crc: flate2::Crc,
    /// Overrides the method of an entry of one block that did not get smaller.
    pub(crate) method: Method,
    /// The buffer that is free again.
    raw: Vec<u8>,
}

/// What the writer gets, in order.
pub(crate) struct Item {
    /// The entry that begins with this block; sizes and checksum are known only if it was read before.
    pub(crate) begins: Option<Record>,
    /// The entry ends with this block.
    pub(crate) ends: bool,
    /// The block, when it is ready.
    pub(crate) packed: Receiver<Packed>,
}

struct Job {
    raw: Vec<u8>,
    how: How,
    done: SyncSender<Packed>,
}

#[derive(Clone, Copy)]
enum How {
    /// Copy.
    Store,
    /// The only block of its entry: store it when packing does not pay.
    Alone,
    /// One of several blocks of a deflate stream.
    Block { last: bool },
}

/// Reads the whole tree and hands the packed blocks to `write` in the order of the tree.
pub(crate) fn run(
    tree: &Tree,
    cancel: &CancellationToken,
    mut write: impl FnMut(Item, &mut dyn FnMut(Packed)) -> Result<(), UploadError>,
) -> Result<(), UploadError> {
    let packers =
        std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(1, MOST_PACKERS);
    let (jobs, queue) = sync_channel::<Job>(packers);
    let (items, order) = sync_channel::<Item>(2 * packers);
    let (spare_in, spare) = sync_channel::<Vec<u8>>(4 * packers);
    let (queue, spare) = (Mutex::new(queue), Mutex::new(spare));
    std::thread::scope(|scope| {
        for _ in 0..packers {
            scope.spawn(|| pack_all(&queue, &spare));
        }
        let reader = scope.spawn(|| {
            let mut reader = Reader { jobs, items, spare: &spare, cancel };
            tree.entries.iter().try_for_each(|entry| reader.entry(entry, tree.links))
        });
        let mut give_back = |packed: Packed| {
            // A full channel means that there are buffers enough.
            for buffer in [packed.raw, packed.bytes] {
                if buffer.capacity() > 0 {
                    let _ = spare_in.try_send(buffer);
                }
            }
        };
        let mut written = Ok(());
        for item in order {
            written = write(item, &mut give_back);
            if written.is_err() {
                // Dropping the receiver ends the reader, and the reader's end ends the packers.
                break;
            }
        }
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // A reader that found nobody to read for only says what the writer already knows.
        written.and(read)
    })
}

fn pack_all(queue: &Mutex<Receiver<Job>>, spare: &Mutex<Receiver<Vec<u8>>>) {
    let mut packer = Packer::new();
    let mut scratch = Vec::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { raw, how, done }) = job else { return };
        let mut crc = flate2::Crc::new();
        crc.update(&raw);
        let size = raw.len() as u64;
        let method = match how {
            How::Store => Method::Stored,
            How::Block { last } => {
                packer.pack(&raw, last, &mut scratch);
                Method::Deflated
            }
            How::Alone => {
                packer.pack(&raw, true, &mut scratch);
                if scratch.len() < raw.len() { Method::Deflated } else { Method::Stored }
            }
        };
        let (bytes, raw) = match method {
            Method::Stored => (raw, Vec::new()),
            Method::Deflated => {
                let next =
                    spare.lock().unwrap_or_else(PoisonError::into_inner).try_recv().unwrap_or_default();
                (std::mem::replace(&mut scratch, next), raw)
            }
        };
        let _ = done.send(Packed { bytes, size, crc, method, raw });
    }
}

struct Reader<'a> {
    jobs: SyncSender<Job>,
    items: SyncSender<Item>,
    spare: &'a Mutex<Receiver<Vec<u8>>>,
    cancel: &'a CancellationToken,
}

impl Reader<'_> {
    fn entry(&mut self, entry: &Entry, links: Links) -> Result<(), UploadError> {
        let mut record = Record {
            name: entry.name.clone(),
            method: Method::Stored,
            mode: PLAIN,
            crc: 0,
            size: 0,
            packed: 0,
            offset: 0,
            described_later: false,
            large: false,
        };
        match &entry.kind {
            EntryKind::Folder => {
                record.mode = FOLDER;
                self.send(Some(record), true, Vec::new(), How::Store)
            }
            EntryKind::Link { target } => {
                record.mode = LINK;
                self.send(Some(record), true, target.clone().into_bytes(), How::Store)
            }
            EntryKind::File { path, fingerprint, executable } => {
                let file = InputFile::open(path, &entry.name, *fingerprint)?;
                record.size = fingerprint.size;
                if links == Links::Keep && *executable {
                    record.mode = EXECUTABLE;
                }
                if fingerprint.size <= BLOCK as u64 {
                    self.small(file, record, links)
                } else {
                    self.large(file, record, links)
                }
            }
        }
    }

    fn small(
        &mut self,
        mut file: InputFile<'_>,
        mut record: Record,
        links: Links,
    ) -> Result<(), UploadError> {
        let raw = self.read(&mut file)?;
        file.end()?;
        if links == Links::Keep && is_program(&raw) {
            record.mode = EXECUTABLE;
        }
        let how = if deflate::is_compressed(&record.name) { How::Store } else { How::Alone };
        self.send(Some(record), true, raw, how)
    }

    fn large(
        &mut self,
        mut file: InputFile<'_>,
        mut record: Record,
        links: Links,
    ) -> Result<(), UploadError> {
        let stored = deflate::is_compressed(&record.name);
        record.large = Record::needs_large(record.size);
        if stored {
            // Readers that stream cannot find the end of a stored entry whose size follows it, so its checksum is made in a pass of its own.
            record.crc = self.checksum(&mut file)?;
            record.packed = record.size;
        } else {
            record.method = Method::Deflated;
            record.described_later = true;
        }
        let mut begins = Some(record);
        loop {
            let raw = self.read(&mut file)?;
            let last = file.left == 0;
            if let Some(record) = begins.as_mut()
                && links == Links::Keep
                && is_program(&raw)
            {
                record.mode = EXECUTABLE;
            }
            self.send(begins.take(), last, raw, if stored { How::Store } else { How::Block { last } })?;
            if last {
                return file.end();
            }
        }
    }

    fn checksum(&mut self, file: &mut InputFile<'_>) -> Result<u32, UploadError> {
        let mut crc = flate2::Crc::new();
        let mut raw = Vec::new();
        while file.left > 0 {
            self.check()?;
            file.read(&mut raw)?;
            crc.update(&raw);
        }
        file.rewind()?;
        Ok(crc.sum())
    }

    fn read(&mut self, file: &mut InputFile<'_>) -> Result<Vec<u8>, UploadError> {
        self.check()?;
        let mut raw =
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).try_recv().unwrap_or_default();
        file.read(&mut raw)?;
        Ok(raw)
    }

    fn check(&self) -> Result<(), UploadError> {
        if self.cancel.is_cancelled() { Err(UploadError::Cancelled) } else { Ok(()) }
    }

    fn send(
        &mut self,
        begins: Option<Record>,
        ends: bool,
        raw: Vec<u8>,
        how: How,
    ) -> Result<(), UploadError> {
        let (done, packed) = sync_channel(1);
        // A closed channel means that the writer has failed; its error is the one that counts.
        self.items.send(Item { begins, ends, packed }).map_err(|_| UploadError::Cancelled)?;
        self.jobs.send(Job { raw, how, done }).map_err(|_| UploadError::Cancelled)
    }
}

/// Windows loses execute bits and so do many artifact stores, but a program can be told by its first bytes.
fn is_program(start: &[u8]) -> bool {
    const MAGIC: [&[u8]; 8] = [
        b"\x7fELF",
        b"#!",
        b"\xfe\xed\xfa\xce",
        b"\xfe\xed\xfa\xcf",
        b"\xce\xfa\xed\xfe",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbf",
        // Universal binaries share their magic with Java classes, whose next number is a version above 40.
        b"\xca\xfe\xba\xbe\x00\x00\x00",
    ];
    MAGIC.iter().any(|magic| start.starts_with(magic))
        && !(start.starts_with(b"\xca\xfe\xba\xbe") && start.get(7).is_none_or(|count| *count > 40))
}

/// A file that must not change while it is read.
struct InputFile<'a> {
    file: File,
    path: &'a Path,
    name: &'a str,
    fingerprint: FileFingerprint,
    left: u64,
}

impl<'a> InputFile<'a> {
    fn open(path: &'a Path, name: &'a str, fingerprint: FileFingerprint) -> Result<Self, UploadError> {
        let file = File::open(path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => changed(name, "it vanished".to_owned()),
            _ => UploadError::in_folder("cannot read", path, source),
        })?;
        let source = Self { file, path, name, fingerprint, left: fingerprint.size };
        source.verify()?;
        Ok(source)
    }

    /// Fills `raw` with the next block.
    fn read(&mut self, raw: &mut Vec<u8>) -> Result<(), UploadError> {
        let want = usize::try_from(self.left.min(BLOCK as u64)).unwrap_or(BLOCK);
        raw.resize(want, 0);
        self.file.read_exact(raw).map_err(|source| match source.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                changed(self.name, format!("it is shorter than its {} bytes", self.fingerprint.size))
            }
            _ => UploadError::in_folder("cannot read", self.path, source),
        })?;
        self.left -= want as u64;
        Ok(())
    }

    fn rewind(&mut self) -> Result<(), UploadError> {
        std::io::Seek::rewind(&mut self.file)
            .map_err(|source| UploadError::in_folder("cannot read", self.path, source))?;
        self.left = self.fingerprint.size;
        Ok(())
    }

    fn end(&self) -> Result<(), UploadError> {
        self.verify()
    }

    fn verify(&self) -> Result<(), UploadError> {
        let now = self
            .file
            .metadata()
            .map_err(|source| UploadError::in_folder("cannot read", self.path, source))?;
        self.fingerprint
            .difference(&FileFingerprint::of(&now))
            .map_or(Ok(()), |detail| Err(changed(self.name, detail)))
    }
}

fn changed(name: &str, detail: String) -> UploadError {
    UploadError::Changed { what: name.to_owned(), detail }
}
