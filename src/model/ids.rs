//! Ids of the service, wherever they come from: a setting, the run config, an output of another job, or a reply. Pure.

/// Longer ids than this are none.
const LONGEST: usize = 128;
/// Tags of this program begin so.
pub(crate) const OUR_TAGS: &str = "nunu-ci.";

/// True for what may be an id of a build, job, run, plan or project: letters, digits, `.`, `_` and `-`, at most 128 of them, and
/// neither `.` nor `..`. Such an id is harmless in a path, an address, a shell and a report; anything else is refused where it enters.
pub(crate) fn may_be_id(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && text != "."
        && text != ".."
}

/// True for tags that only this program gives: its starts are looked up by them, so a user's tag must not look like one.
pub(crate) fn is_ours(tag: &str) -> bool {
    tag.get(..OUR_TAGS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OUR_TAGS))
}

#[cfg(test)]
mod tests {
    use super::{is_ours, may_be_id};

    #[test]
    fn tags_of_ours_are_known_whatever_the_case() {
        for (tag, ours) in [
            ("nunu-ci.a", true),
            ("Nunu-CI.", true),
            ("nunu-ci", false),
            ("my nunu-ci.a", false),
            ("é", false),
        ] {
            assert_eq!(is_ours(tag), ours, "{tag}");
        }
    }

    #[test]
    fn only_harmless_words_are_ids() {
        let longest = "x".repeat(128);
        for good in ["1", "a.b_c-D9", "...", "789e0123-e89b-12d3-a456-426614174000", &longest] {
            assert!(may_be_id(good), "{good}");
        }
        let longer = "x".repeat(129);
        for bad in ["", ".", "..", "a/b", "a b", "$(id)", "`id`", "a\nb", "a;b", "é", "a%2fb", "a?b", &longer]
        {
            assert!(!may_be_id(bad), "{bad}");
        }
    }
}
