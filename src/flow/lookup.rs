//! What became of a start whose answer is unclear: the rules of the look-up by tag. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

/// Between two look-ups.
pub(super) const EVERY: Duration = Duration::from_secs(3);
/// How long an unclear start is looked for before it is posted again.
const LOOK_FOR: Duration = Duration::from_secs(20);
/// All posts of one start happen within this time; also the longest that an answer-less service is asked.
const ALL_POSTS: Duration = Duration::from_secs(90);
/// Posts of one start at most.
const MOST_POSTS: u32 = 3;

/// What to do after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again after [`EVERY`].
    Look,
    /// These jobs are the start's; `complete` is false when fewer came than expected.
    Adopt { ids: BTreeSet<String>, complete: bool },
    /// Nothing was started: post again.
    Post,
    /// Nothing was found, and nothing may be posted any more.
    GiveUp,
}

/// The look-up after one unclear post.
#[derive(Debug)]
pub(super) struct Lookup {
    expected: usize,
    posts: u32,
    found: BTreeSet<String>,
    unchanged: u32,
    answered: bool,
}

impl Lookup {
    /// After the `posts`-th post of a start that should give `expected` jobs (0: not known).
    #[must_use]
    pub(super) fn new(expected: usize, posts: u32) -> Self {
        Self { expected, posts, found: BTreeSet::new(), unchanged: 0, answered: false }
    }

    /// Takes the jobs with the start's tag (`None`: the look itself failed), `since_post` after the unclear post and
    /// `since_first` after the first post of this start.
    pub(super) fn observe(
        &mut self,
        seen: Option<BTreeSet<String>>,
        since_post: Duration,
        since_first: Duration,
    ) -> Next {
        if let Some(seen) = seen {
            self.answered = true;
            if seen == self.found {
                self.unchanged += 1;
            } else {
                self.unchanged = 0;
                self.found = seen;
            }
        }
        let overdue = since_post + EVERY > LOOK_FOR;
        if !self.found.is_empty() {
            // The set may still be growing; it is adopted once two further looks changed nothing.
            let complete = self.found.len() >= self.expected;
            let settled = self.unchanged >= 2 && (complete || overdue);
            if settled || since_first >= ALL_POSTS {
                return Next::Adopt { ids: self.found.clone(), complete };
            }
            return Next::Look;
        }
        if since_first >= ALL_POSTS {
            return Next::GiveUp;
        }
        // Without one good answer nobody knows whether there is something to adopt, so nothing may be posted.
        if !overdue || !self.answered {
            return Next::Look;
        }
        if self.posts < MOST_POSTS { Next::Post } else { Next::GiveUp }
    }
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, Duration, EVERY, Lookup, Next};

    fn set(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    /// Looks every 3 s with these answers until something else than `Look` comes; the answer and the number of looks.
    fn drive(mut lookup: Lookup, since_first: u64, answers: &[Option<&[&str]>]) -> (Next, u64) {
        for look in 1..100 {
            let at = EVERY * u32::try_from(look).unwrap();
            let index = usize::try_from(look).unwrap().min(answers.len()) - 1;
            let next = lookup.observe(answers[index].map(set), at, at + Duration::from_secs(since_first));
            if next != Next::Look {
                return (next, look);
            }
        }
        panic!("never decided");
    }

    #[test]
    fn adopts_a_set_that_two_further_looks_did_not_change() {
        let (next, looks) = drive(Lookup::new(1, 1), 0, &[Some(&["a"])]);
        assert_eq!((next, looks), (Next::Adopt { ids: set(&["a"]), complete: true }, 3));
    }

    #[test]
    fn waits_for_a_growing_set() {
        let answers: [Option<&[&str]>; 4] = [Some(&[]), Some(&["a"]), Some(&["a"]), Some(&["a", "b"])];
        let (next, looks) = drive(Lookup::new(2, 1), 0, &answers);
        assert_eq!((next, looks), (Next::Adopt { ids: set(&["a", "b"]), complete: true }, 6));
    }

    #[test]
    fn adopts_less_than_expected_only_after_the_whole_time() {
        let (next, looks) = drive(Lookup::new(3, 1), 0, &[Some(&["a"])]);
        assert_eq!((next, looks), (Next::Adopt { ids: set(&["a"]), complete: false }, 6));
    }

    #[test]
    fn posts_again_only_when_nothing_is_there() {
        assert_eq!(drive(Lookup::new(1, 1), 0, &[Some(&[])]), (Next::Post, 6));
        assert_eq!(drive(Lookup::new(1, 2), 20, &[Some(&[])]), (Next::Post, 6));
        assert_eq!(drive(Lookup::new(1, 3), 40, &[Some(&[])]), (Next::GiveUp, 6));
    }

    #[test]
    fn never_posts_without_one_good_answer() {
        assert_eq!(drive(Lookup::new(1, 1), 0, &[None]), (Next::GiveUp, 30));
    }

    #[test]
    fn posts_all_within_ninety_seconds() {
        let (next, looks) = drive(Lookup::new(1, 2), 80, &[Some(&[])]);
        assert_eq!((next, looks), (Next::GiveUp, 4));
    }
}
