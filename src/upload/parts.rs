//! How a build is cut: pure arithmetic on sizes.

use crate::model::build::Multipart;
use crate::model::units::MIB;

/// Above this size a build is sent in parts. The service's parts have 100 MiB, so only then there are two of them to send at the same time,
/// and a broken connection costs one part rather than the whole build.
const PARTS_FROM: u64 = 100 * MIB;
/// The reservation's least minutes.
const LEAST_MINUTES: u64 = 60;
/// The service's most minutes.
const MOST_MINUTES: u64 = 1440;
/// The slowest link the reservation is made for.
const SLOWEST_BYTES_PER_MINUTE: u64 = 500_000 * 60;

/// Whether to ask the service for parts.
pub(crate) fn wants_parts(size: u64, multipart: Multipart) -> bool {
    match multipart {
        Multipart::Always => true,
        Multipart::Never => false,
        Multipart::Auto => size > PARTS_FROM,
    }
}

/// The reservation on the server in minutes, 1-1440.
pub(crate) fn reservation(size: u64, asked: Option<u16>) -> u16 {
    let minutes = asked.map_or_else(|| size.div_ceil(SLOWEST_BYTES_PER_MINUTE).max(LEAST_MINUTES), u64::from);
    u16::try_from(minutes.clamp(1, MOST_MINUTES)).unwrap_or(1440)
}

/// One part of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// From 1.
    pub(crate) number: u32,
    /// First byte.
    pub(crate) offset: u64,
    /// Bytes, at least 1.
    pub(crate) len: u64,
}

/// All parts of a build, without a list of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    size: u64,
    part_size: u64,
    count: u32,
}

impl Parts {
    /// Cuts `size` bytes into parts of the service's size, which wins over the number of parts it announced; without a size, the number
    /// decides. `None` when neither makes sense.
    pub(crate) fn cut(size: u64, part_size: u64, announced: u32) -> Option<Self> {
        let part_size = if part_size == 0 {
            size.checked_add(u64::from(announced).checked_sub(1)?)? / u64::from(announced)
        } else {
            part_size
        };
        let count =
            u32::try_from(size.checked_add(part_size.checked_sub(1)?).map_or(1, |sum| sum / part_size))
                .ok()?;
        (count > 0).then_some(Self { size, part_size, count })
    }

    /// How many.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of every part but the last.
    pub(crate) fn part_size(&self) -> u64 {
        self.part_size
    }

    /// The part at `index`, from 0.
    pub(crate) fn get(&self, index: u32) -> Option<Part> {
        let offset = u64::from(index).checked_mul(self.part_size)?;
        let len = self.size.checked_sub(offset)?.min(self.part_size);
        (index < self.count).then_some(Part { number: index + 1, offset, len })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy as _, prop_assert_eq, proptest};

    use super::{Multipart, PARTS_FROM, Parts, reservation, wants_parts};

    #[test]
    fn sends_parts_where_there_are_two() {
        for (size, multipart, want) in [
            (1, Multipart::Auto, false),
            (PARTS_FROM, Multipart::Auto, false),
            (PARTS_FROM + 1, Multipart::Auto, true),
            (200_000_000, Multipart::Auto, true),
            (1, Multipart::Always, true),
            (u64::MAX, Multipart::Never, false),
        ] {
            assert_eq!(wants_parts(size, multipart), want, "{size} {multipart:?}");
        }
    }

    #[test]
    fn reserves_time_for_half_a_megabyte_a_second() {
        for (size, asked, want) in [
            (1, None, 60),
            (1_800_000_000, None, 60),
            (1_800_000_001, None, 61),
            (10_000_000_000, None, 334),
            (5_000_000_000_000, None, 1440),
            (u64::MAX, None, 1440),
            (5_000_000_000_000, Some(1), 1),
            (1, Some(1440), 1440),
        ] {
            assert_eq!(reservation(size, asked), want, "{size} {asked:?}");
        }
    }

    #[test]
    fn the_size_of_a_part_wins_over_their_number() {
        for (size, part_size, announced, want) in [
            (10, 5, 3, Some((2, 5))),
            (10, 3, 0, Some((4, 3))),
            (10, 0, 3, Some((3, 4))),
            (10, 0, 1, Some((1, 10))),
            (10, 0, 0, None),
            (0, 10, 0, None),
            (u64::MAX, 1, 5, None),
            (u64::MAX, u64::MAX, 1, Some((1, u64::MAX))),
        ] {
            let cut = Parts::cut(size, part_size, announced).map(|parts| (parts.count(), parts.part_size()));
            assert_eq!(cut, want, "{size} / {part_size}");
        }
    }

    proptest! {
        /// Every byte is in exactly one part, whatever stands around the boundaries.
        #[test]
        fn parts_cover_every_byte_once(part_size in 1_u64..1_000_000_000_000, full in 0_u32..10_000, over in (-2_i64..=2).prop_map(i128::from)) {
            let size = i128::from(part_size) * i128::from(full) + over;
            let size = u64::try_from(size.max(1)).unwrap();
            let count = u32::try_from(size.div_ceil(part_size)).unwrap();
            let parts = Parts::cut(size, part_size, count).unwrap();
            let mut next = 0;
            for index in 0..count {
                let part = parts.get(index).unwrap();
                prop_assert_eq!((part.number, part.offset), (index + 1, next));
                prop_assert_eq!(part.len, if index + 1 < count { part_size } else { size - next });
                next += part.len;
            }
            prop_assert_eq!(next, size);
            prop_assert_eq!(parts.get(count), None);
        }
    }
}
