//! The records of a zip file (APPNOTE.TXT of PKWARE 6.3.10, section 4.3), with everything that could differ between two machines fixed.

/// 1980-01-01 00:00:00, the first moment that MS-DOS knows.
const DATE: u16 = 0x0021;
const TIME: u16 = 0;
/// Names are UTF-8 (section 4.4.4, bit 11).
const UTF8: u16 = 1 << 11;
/// Sizes and checksum follow the data (bit 3).
const DESCRIPTOR: u16 = 1 << 3;
/// "Made by" Unix, so that the attributes are read as a mode (section 4.4.2).
const UNIX: u16 = 3 << 8;
/// The zip64 extra field (section 4.5.3).
const ZIP64: u16 = 1;
/// The version of the format that a reader must know: folders and deflate, or zip64 (section 4.4.3).
const VERSION: u16 = 20;
const LARGE_VERSION: u16 = 45;
const LIMIT: u64 = u32::MAX as u64;

/// How the data of an entry are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// As they are.
    Stored,
    /// Deflate.
    Deflated,
}

/// What a reader needs to know of an entry before and after its data.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// UTF-8 with `/`, at most 65,535 bytes.
    pub(crate) name: String,
    /// How its data are kept.
    pub(crate) method: Method,
    /// Unix mode with the file type.
    pub(crate) mode: u32,
    /// CRC-32 of the data as they were.
    pub(crate) crc: u32,
    /// Bytes as they were.
    pub(crate) size: u64,
    /// Bytes as they are kept.
    pub(crate) packed: u64,
    /// Where its local header stands.
    pub(crate) offset: u64,
    /// Sizes and checksum follow the data, because they were not known before.
    pub(crate) described_later: bool,
    /// Sizes may need 8 bytes; decided from the size before packing, so that header and descriptor agree.
    pub(crate) large: bool,
}

impl Record {
    /// Whether an entry of that size may need 8-byte sizes, packing overhead included.
    pub(crate) fn needs_large(size: u64) -> bool {
        size > LIMIT - LIMIT / 64
    }

    fn flags(&self) -> u16 {
        if self.described_later { UTF8 | DESCRIPTOR } else { UTF8 }
    }

    fn version(&self) -> u16 {
        if self.large || self.offset >= LIMIT { LARGE_VERSION } else { VERSION }
    }

    fn method(&self) -> u16 {
        match self.method {
            Method::Stored => 0,
            Method::Deflated => 8,
        }
    }

    fn name_size(&self) -> u16 {
        u16::try_from(self.name.len()).unwrap_or(u16::MAX)
    }

    /// The header before the data.
    pub(crate) fn local_header(&self, out: &mut Vec<u8>) {
        let (crc, packed, size) =
            if self.described_later { (0, 0, 0) } else { (self.crc, self.packed, self.size) };
        out.extend_from_slice(b"PK\x03\x04");
        push16(
            out,
            [if self.large { LARGE_VERSION } else { VERSION }, self.flags(), self.method(), TIME, DATE],
        );
        push32(out, [crc, small(packed, self.large), small(size, self.large)]);
        push16(out, [self.name_size(), if self.large { 20 } else { 0 }]);
        out.extend_from_slice(self.name.as_bytes());
        if self.large {
            push16(out, [ZIP64, 16]);
            push64(out, [size, packed]);
        }
    }

    /// The descriptor behind the data.
    pub(crate) fn descriptor(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"PK\x07\x08");
        push32(out, [self.crc]);
        if self.large {
            push64(out, [self.packed, self.size]);
        } else {
            push32(out, [small(self.packed, false), small(self.size, false)]);
        }
    }

    /// The entry in the directory.
    pub(crate) fn directory_entry(&self, out: &mut Vec<u8>) {
        let far = self.offset >= LIMIT;
        let mut extra = Vec::new();
        if self.large {
            push64(&mut extra, [self.size, self.packed]);
        }
        if far {
            push64(&mut extra, [self.offset]);
        }
        let extra_size = u16::try_from(extra.len()).unwrap_or(0);
        out.extend_from_slice(b"PK\x01\x02");
        push16(out, [UNIX | self.version(), self.version(), self.flags(), self.method(), TIME, DATE]);
        push32(out, [self.crc, small(self.packed, self.large), small(self.size, self.large)]);
        push16(out, [self.name_size(), if extra_size == 0 { 0 } else { extra_size + 4 }, 0, 0, 0]);
        // The low byte holds MS-DOS attributes; 0x10 marks a folder for readers that know nothing else.
        let folder = if self.name.ends_with('/') { 0x10 } else { 0 };
        push32(out, [self.mode << 16 | folder, small(self.offset, far)]);
        out.extend_from_slice(self.name.as_bytes());
        if extra_size != 0 {
            push16(out, [ZIP64, extra_size]);
            out.extend_from_slice(&extra);
        }
    }
}

/// The end of the file: a directory of `entries` entries and `size` bytes stands at `offset`.
pub(crate) fn end(entries: u64, size: u64, offset: u64, out: &mut Vec<u8>) {
    if entries >= u64::from(u16::MAX) || size >= LIMIT || offset >= LIMIT {
        let at = offset + size;
        out.extend_from_slice(b"PK\x06\x06");
        push64(out, [44]);
        push16(out, [UNIX | LARGE_VERSION, LARGE_VERSION]);
        push32(out, [0, 0]);
        push64(out, [entries, entries, size, offset]);
        out.extend_from_slice(b"PK\x06\x07");
        push32(out, [0]);
        push64(out, [at]);
        push32(out, [1]);
    }
    let count = u16::try_from(entries).unwrap_or(u16::MAX);
    out.extend_from_slice(b"PK\x05\x06");
    push16(out, [0, 0, count, count]);
    push32(out, [small(size, false), small(offset, false)]);
    push16(out, [0]);
}

/// A number in 4 bytes, or the mark that says to look into the extra field.
fn small(number: u64, elsewhere: bool) -> u32 {
    if elsewhere { u32::MAX } else { u32::try_from(number).unwrap_or(u32::MAX) }
}

fn push16<const N: usize>(out: &mut Vec<u8>, numbers: [u16; N]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn push32<const N: usize>(out: &mut Vec<u8>, numbers: [u32; N]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn push64<const N: usize>(out: &mut Vec<u8>, numbers: [u64; N]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}
