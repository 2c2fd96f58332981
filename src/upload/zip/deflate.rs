//! Packing blocks of a file one by one, so that cores can share the work: the packed blocks in order are one deflate stream (RFC 1951).

use flate2::{Compress, Compression, FlushCompress, Status};

/// Bytes of a file that are packed at a time.
pub(crate) const BLOCK: usize = 256 * 1024;
/// Twice as fast as the default for some percent more bytes: what counts is time until the build is stored.
const LEVEL: u32 = 2;
/// How much of a block is looked at to tell whether packing can pay.
const SAMPLE: usize = 16 * 1024;
/// Stored blocks of a deflate stream carry at most this many bytes (RFC 1951, section 3.2.4).
const STORED: usize = 65_535;

/// Whether files of that name are packed already, so that packing them again only costs time.
pub(crate) fn is_compressed(name: &str) -> bool {
    const KINDS: [&str; 52] = [
        "7z", "aab", "aac", "apk", "appx", "avi", "avif", "br", "bz2", "cab", "crx", "deb", "dmg", "flac",
        "gif", "gz", "heic", "ipa", "jar", "jpeg", "jpg", "jxl", "lz4", "lzma", "m4a", "m4v", "mkv", "mov",
        "mp3", "mp4", "mpeg", "mpg", "msix", "obb", "ogg", "ogv", "opus", "png", "rar", "rpm", "tgz", "txz",
        "usdz", "webm", "webp", "whl", "wma", "wmv", "woff2", "xz", "zip", "zst",
    ];
    let extension = name
        .rsplit('/')
        .next()
        .and_then(|file| file.rsplit_once('.'))
        .map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| KINDS.binary_search(&extension.as_str()).is_ok())
}

/// A compressor that is used again and again.
pub(crate) struct Packer(Compress);

impl Packer {
    pub(crate) fn new() -> Self {
        Self(Compress::new(Compression::new(LEVEL), false))
    }

    /// Packs one block so that more can follow, or, if `last`, so that the stream ends. Blocks that would grow are stored.
    pub(crate) fn pack(&mut self, block: &[u8], last: bool, out: &mut Vec<u8>) {
        out.clear();
        if looks_random(block) || !self.deflate(block, last, out) {
            store(block, last, out);
        }
    }

    /// False when the block does not get smaller.
    fn deflate(&mut self, block: &[u8], last: bool, out: &mut Vec<u8>) -> bool {
        self.0.reset();
        // One byte less than storing would take: no room means no gain.
        let room = stored_size(block.len()).saturating_sub(1);
        out.reserve_exact(room.max(64));
        let flush = if last { FlushCompress::Finish } else { FlushCompress::Sync };
        let Ok(status) = self.0.compress_vec(block, out, flush) else { return false };
        let took_all = self.0.total_in() == block.len() as u64;
        // A full buffer may hide bytes that still wait inside the compressor.
        let complete =
            if last { status == Status::StreamEnd } else { took_all && out.len() < out.capacity() };
        complete && took_all && out.len() <= room
    }
}

/// Bytes of a block in stored form.
fn stored_size(bytes: usize) -> usize {
    bytes + 5 * bytes.div_ceil(STORED).max(1)
}

/// The block as stored blocks of a deflate stream; begins and ends at a byte.
fn store(block: &[u8], last: bool, out: &mut Vec<u8>) {
    out.clear();
    out.reserve(stored_size(block.len()));
    let count = block.len().div_ceil(STORED).max(1);
    let mut pieces = block.chunks(STORED);
    for index in 0..count {
        let piece = pieces.next().unwrap_or_default();
        let size = u16::try_from(piece.len()).unwrap_or(u16::MAX);
        out.push(u8::from(last && index + 1 == count));
        out.extend_from_slice(&size.to_le_bytes());
        out.extend_from_slice(&(!size).to_le_bytes());
        out.extend_from_slice(piece);
    }
}

/// Whether the bytes are spread so evenly that packing cannot pay: compressed or encrypted data. In integers, so that every machine agrees.
pub(crate) fn looks_random(block: &[u8]) -> bool {
    if block.len() < SAMPLE {
        return false;
    }
    // From the middle, because headers at the start look like anything.
    let start = (block.len() - SAMPLE) / 2;
    let mut counts = [0_u64; 256];
    block[start..start + SAMPLE].iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let squares: u64 = counts.iter().map(|count| count * count).sum();
    // Even bytes give n * n / 256 plus n on average; 4 % above the former is out of reach for anything that packs well.
    let even = (SAMPLE * SAMPLE / 256) as u64;
    squares < even + even / 25
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::{BLOCK, Packer, is_compressed, looks_random};

    fn round_trip(blocks: &[Vec<u8>]) {
        let mut packer = Packer::new();
        let (mut stream, mut out) = (Vec::new(), Vec::new());
        for (index, block) in blocks.iter().enumerate() {
            packer.pack(block, index + 1 == blocks.len(), &mut out);
            assert!(out.len() <= block.len() + 5 * (block.len() / 65_535 + 1));
            stream.extend_from_slice(&out);
        }
        let mut back = Vec::new();
        let read = flate2::read::DeflateDecoder::new(stream.as_slice()).read_to_end(&mut back);
        assert!(read.is_ok(), "{read:?}");
        assert!(back == blocks.concat(), "other bytes came back");
    }

    fn noise(seed: u64, size: usize) -> Vec<u8> {
        let mut random = fastrand::Rng::with_seed(seed);
        std::iter::repeat_with(|| random.u8(..)).take(size).collect()
    }

    #[test]
    fn blocks_of_every_kind_make_one_stream() {
        for size in [0, 1, 2, 63, 64, 4096, 65_534, 65_535, 65_536, BLOCK - 1, BLOCK] {
            for last in [noise(1, size), vec![7; size], b"level".iter().copied().cycle().take(size).collect()]
            {
                round_trip(std::slice::from_ref(&last));
                round_trip(&[vec![1; BLOCK], noise(2, BLOCK), noise(3, 3000), last]);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn anything_comes_back(blocks in proptest::collection::vec(proptest::collection::vec(0_u8..9, 0..3000), 1..5)) {
            round_trip(&blocks);
        }
    }

    #[test]
    fn tells_noise_from_text() {
        assert!((0..200).all(|seed| looks_random(&noise(seed, BLOCK))));
        assert!(!looks_random(&b"the quick brown fox ".repeat(2000)));
        // Two thirds of the byte values are not noise.
        assert!(!looks_random(&noise(1, BLOCK).iter().map(|byte| byte % 170).collect::<Vec<_>>()));
    }

    #[test]
    fn knows_compressed_kinds() {
        assert!(is_compressed("Data/intro.MP4") && is_compressed("a.7z") && is_compressed("b.zst"));
        assert!(!is_compressed("Data/level") && !is_compressed("game.exe") && !is_compressed("png"));
    }
}
