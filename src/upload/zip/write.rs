//! The zip itself: headers, data and directory into one file, hashed on the way.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::format::{self, Method, Record};
use super::pipeline::{self, Item, Packed};
use crate::upload::error::UploadError;
use crate::upload::hash::hex;
use crate::upload::temp_file;
use crate::upload::tree::Tree;

/// Small writes are gathered up to this size.
const GATHER: usize = 256 * 1024;

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Bytes of the zip.
    pub(crate) size: u64,
    /// Their SHA-256 in hex.
    pub(crate) sha256: String,
}

/// Writes the tree into the empty `file`. Blocks; the same tree gives the same bytes on every machine.
pub(crate) fn write(tree: &Tree, file: &File, cancel: &CancellationToken) -> Result<Written, UploadError> {
    let mut zip = Zip {
        out: Out { file, hash: Sha256::new(), pending: Vec::new(), position: 0 },
        open: None,
        records: Vec::new(),
        crc: flate2::Crc::new(),
    };
    pipeline::run(tree, cancel, |item, give_back| zip.item(item, give_back))?;
    zip.end()
}

struct Zip<'a> {
    out: Out<'a>,
    /// The entry whose data are being written.
    open: Option<Record>,
    /// Checksum of its data so far.
    crc: flate2::Crc,
    records: Vec<Record>,
}

impl Zip<'_> {
    fn item(&mut self, item: Item, give_back: &mut dyn FnMut(Packed)) -> Result<(), UploadError> {
        // A packer ends without an answer only when it panics, which the thread scope carries on.
        let packed = item.packed.recv().map_err(|_| UploadError::Cancelled)?;
        if let Some(mut record) = item.begins {
            record.offset = self.out.position;
            self.crc = flate2::Crc::new();
            if item.ends {
                record.method = packed.method;
                (record.size, record.packed, record.crc) =
                    (packed.size, packed.bytes.len() as u64, packed.crc.sum());
                record.described_later = false;
            }
            let mut header = Vec::new();
            record.local_header(&mut header);
            if record.described_later {
                (record.size, record.packed) = (0, 0);
            }
            self.out.write(&header)?;
            self.open = Some(record);
        }
        self.out.write(&packed.bytes)?;
        self.crc.combine(&packed.crc);
        let Some(record) = self.open.as_mut() else { return Ok(()) };
        if record.described_later {
            record.size += packed.size;
            record.packed += packed.bytes.len() as u64;
        }
        give_back(packed);
        if item.ends
            && let Some(mut record) = self.open.take()
        {
            if record.described_later {
                record.crc = self.crc.sum();
                let mut descriptor = Vec::new();
                record.descriptor(&mut descriptor);
                self.out.write(&descriptor)?;
            } else if record.method == Method::Stored && record.crc != self.crc.sum() {
                return Err(UploadError::Changed {
                    what: record.name,
                    detail: "it had other bytes when it was read again".to_owned(),
                });
            }
            self.records.push(record);
        }
        Ok(())
    }

    fn end(mut self) -> Result<Written, UploadError> {
        let offset = self.out.position;
        let mut buffer = Vec::new();
        for record in &self.records {
            record.directory_entry(&mut buffer);
            self.out.write(&buffer)?;
            buffer.clear();
        }
        format::end(self.records.len() as u64, self.out.position - offset, offset, &mut buffer);
        self.out.write(&buffer)?;
        self.out.flush()?;
        Ok(Written { size: self.out.position, sha256: hex(&self.out.hash.finalize()) })
    }
}

struct Out<'a> {
    file: &'a File,
    hash: Sha256,
    pending: Vec<u8>,
    position: u64,
}

impl Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        self.position += bytes.len() as u64;
        if self.pending.len() + bytes.len() > GATHER {
            self.flush()?;
        }
        if bytes.len() >= GATHER {
            return self.put(bytes);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), UploadError> {
        let mut pending = std::mem::take(&mut self.pending);
        self.put(&pending)?;
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        self.hash.update(bytes);
        let mut file = self.file;
        file.write_all(bytes)
            .map_err(|source| temp_file::full(Path::new("the folder for temporary files"), source))
    }
}
