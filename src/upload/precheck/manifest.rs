//! Whether the manifest of an Android package says `android:debuggable`. The manifest is binary XML (AOSP, `ResourceTypes.h`): chunks
//! with a header of type, header size and size; attributes name their resource by an index into a table. Pure, over bounded bytes.

/// The resource id of `android:debuggable`.
const DEBUGGABLE: u64 = 0x0101_000f;
const TABLE_OF_RESOURCES: u64 = 0x0180;
const START_OF_ELEMENT: u64 = 0x0102;
/// An attribute: namespace, name, raw value, and a typed value.
const ATTRIBUTE: usize = 20;

/// True when an element says so; anything that is not understood says nothing.
pub(super) fn is_debuggable(manifest: &[u8]) -> bool {
    let mut names_it = None;
    let mut rest = manifest.get(8..).unwrap_or_default();
    while let (Some(kind), Some(size)) = (number(rest, 0, 2), size_at(rest, 4)) {
        let Some(chunk) = rest.get(..size).filter(|_| size >= 8) else { return false };
        match kind {
            TABLE_OF_RESOURCES => {
                names_it = chunk[8..].chunks_exact(4).position(|id| number(id, 0, 4) == Some(DEBUGGABLE));
            }
            START_OF_ELEMENT if names_it.is_some_and(|index| says_yes(chunk, index as u64)) => return true,
            _ => {}
        }
        rest = &rest[size..];
    }
    false
}

/// Whether an attribute with that name is not false.
fn says_yes(element: &[u8], name: u64) -> bool {
    // Behind the header of 16 bytes: namespace, name, where attributes begin (from there), their size and number.
    let (Some(start), Some(count)) = (number(element, 24, 2), number(element, 28, 2)) else { return false };
    let start = 16 + usize::try_from(start).unwrap_or(0);
    let attributes = element.get(start..).unwrap_or_default().chunks_exact(ATTRIBUTE);
    let mut named = attributes.take(usize::try_from(count).unwrap_or(0));
    named.any(|attribute| number(attribute, 4, 4) == Some(name) && number(attribute, 16, 4) != Some(0))
}

fn size_at(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number(bytes, at, 4)?).ok()
}

/// A little-endian number.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let digits = bytes.get(at..at.checked_add(size)?)?;
    Some(digits.iter().rev().fold(0, |sum, &byte| (sum << 8) | u64::from(byte)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::is_debuggable;

    fn chunk(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut chunk = kind.to_le_bytes().to_vec();
        chunk.extend(8_u16.to_le_bytes());
        chunk.extend(u32::try_from(body.len() + 8).unwrap().to_le_bytes());
        chunk.extend(body);
        chunk
    }

    /// A manifest with one element whose second attribute is `android:debuggable`.
    pub(crate) fn manifest(value: u32) -> Vec<u8> {
        let table = [0x0101_0003_u32, 0x0101_000f].map(u32::to_le_bytes).concat();
        let mut element = vec![0; 16];
        element.extend([20_u16, 20, 2, 0, 0, 0].map(u16::to_le_bytes).concat());
        for (name, value) in [(0_u32, 7_u32), (1, value)] {
            element.extend([0, name, 0, 0x1200_0008, value].map(u32::to_le_bytes).concat());
        }
        let all = [chunk(0x0001, b"strings."), chunk(0x0180, &table), chunk(0x0102, &element)].concat();
        chunk(0x0003, &all)
    }

    #[test]
    fn reads_the_attribute_by_its_resource() {
        assert!(is_debuggable(&manifest(u32::MAX)));
        assert!(!is_debuggable(&manifest(0)));
        assert!(!is_debuggable(b"manifest") && !is_debuggable(b""));
    }

    proptest::proptest! {
        /// Whatever the numbers in it say, it ends and does not panic.
        #[test]
        fn survives_any_change(places in proptest::collection::vec((0_usize..128, 0_u8..=255), 1..12)) {
            let mut bytes = manifest(1);
            for (at, byte) in places {
                let at = at % bytes.len();
                bytes[at] = byte;
            }
            is_debuggable(&bytes);
        }
    }
}
