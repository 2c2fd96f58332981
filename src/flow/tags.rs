//! The tags that make a start findable. Pure.
//!
//! Every POST of a start carries two tags of ours. The *invocation tag* is the same for every start of one place in a CI run,
//! so that one list call sees them all, an earlier attempt's too. The *post tag* belongs to one POST and says which start it
//! was, by which attempt; it is what an unclear answer is looked up by.

use sha2::{Digest, Sha256};

/// The service takes tags of 1-50 characters.
#[cfg(test)]
pub(super) const LONGEST: usize = 50;
/// All tags of ours begin so.
pub(super) const PREFIX: &str = "nunu-ci";
/// Attempts are shown with at most this many digits or letters.
const ATTEMPT_LENGTH: usize = 12;

/// Hex digits of the SHA-256 over `parts`, which cannot run into each other.
pub(super) fn digest(parts: &[&str], digits: usize) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().flat_map(|byte| [byte >> 4, byte & 15]).take(digits).map(hex_digit).collect()
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

/// The tag of one place in a CI run: `nunu-ci.<16 hex>`.
pub(super) fn invocation_tag(place: &[&str]) -> String {
    format!("{PREFIX}.{}", digest(place, 16))
}

/// True for tags that [`invocation_tag`] makes.
pub(super) fn is_invocation_tag(tag: &str) -> bool {
    tag.strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix('.'))
        .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// A tag that only one POST carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PostTag {
    /// Which start: digest of body, build and place.
    pub(super) start: String,
    /// Which attempt of the CI run made it; empty when the host has none.
    pub(super) attempt: String,
    text: String,
}

impl PostTag {
    /// A new tag for the start with that digest; `random` makes it unique.
    pub(super) fn new(start: &str, attempt: &str, random: u32) -> Self {
        let attempt: String =
            attempt.chars().filter(char::is_ascii_alphanumeric).take(ATTEMPT_LENGTH).collect();
        let text = format!("{PREFIX}.{start}.{attempt}.{random:08x}");
        Self { start: start.to_owned(), attempt, text }
    }

    /// Reads a tag of ours back; `None` for other people's.
    pub(super) fn parse(tag: &str) -> Option<Self> {
        let mut words = tag.split('.');
        let (prefix, start, attempt, random) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let ours = prefix == PREFIX && words.next().is_none() && !start.is_empty() && random.len() == 8;
        ours.then(|| Self { start: start.to_owned(), attempt: attempt.to_owned(), text: tag.to_owned() })
    }

    /// As it is sent.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }
}

/// The digest that names a start: 12 hex digits. The label tells equal starts of one run config apart.
pub(super) fn start_digest(body: &str, build_digest: &str, label: &str, place: &[&str]) -> String {
    let mut parts = vec![body, build_digest, label];
    parts.extend_from_slice(place);
    digest(&parts, 12)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, PostTag, digest, invocation_tag, is_invocation_tag, start_digest};

    #[test]
    fn tags_fit_the_service_and_read_back() {
        let tag = PostTag::new(&start_digest("{}", "", "smoke", &[]), "123456789012", u32::MAX);
        assert!(tag.as_str().len() <= LONGEST, "{}", tag.as_str());
        assert_eq!(PostTag::parse(tag.as_str()).as_ref(), Some(&tag));
        assert!(invocation_tag(&["run", "job"]).len() <= LONGEST);
        assert!(is_invocation_tag(&invocation_tag(&["run"])));
        assert!(!is_invocation_tag(tag.as_str()));
        let local = PostTag::new("abc", "", 7);
        assert_eq!(PostTag::parse(local.as_str()), Some(local));
    }

    #[test]
    fn other_tags_are_not_ours() {
        for tag in [
            "nightly",
            "nunu-ci",
            "nunu-ci.0123456789abcdef",
            "other.a.1.00000000",
            "nunu-ci.a.1.0.0",
            "nunu-ci..1.00000000",
        ] {
            assert_eq!(PostTag::parse(tag), None, "{tag}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(digest(&["ab", "c"], 16), digest(&["a", "bc"], 16));
        assert_eq!(digest(&[], 8), "e3b0c442");
    }
}
