//! Ids as the service makes them.

/// A random UUID (version 4).
pub(crate) fn uuid() -> String {
    let high = fastrand::u64(..) & 0xffff_ffff_ffff_0fff | 0x4000;
    let low = fastrand::u64(..) & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// A run id as the service prints it: 11 lower-case letters and digits.
pub(crate) fn run_id() -> String {
    (0..11)
        .map(|_| char::from(fastrand::choice(b"abcdefghijklmnopqrstuvwxyz0123456789").map_or(b'a', |b| *b)))
        .collect()
}
