//! What of a list is wanted, and when further pages of it are pointless: for services that ignore filters. Pure.

use chrono::TimeDelta;

use crate::model::units::Timestamp;

/// What is looked up by its tag was made today: no job runs for longer than some hours.
const OLD: TimeDelta = TimeDelta::days(1);

/// Sorts the objects of a list.
pub(super) struct ListFilter<'a, T> {
    /// What is wanted.
    pub(super) keep: &'a (dyn Fn(&T) -> bool + Sync),
    /// When an object was made, where that is known.
    pub(super) made: fn(&T) -> Option<Timestamp>,
}

impl<T> ListFilter<'_, T> {
    /// Wants everything.
    pub(super) const ALL: Self = ListFilter { keep: &|_| true, made: |_| None };

    /// Whether pages after this one are pointless: the service ignores filters, its list begins with the newest, and this page
    /// is a day old, or holds nothing more after earlier ones held something.
    pub(super) fn is_over(&self, page: &[T], found_before: bool, now: Timestamp) -> bool {
        let kept = page.iter().filter(|item| (self.keep)(item)).count();
        if kept == page.len() {
            return false;
        }
        let Some(times) = page.iter().map(self.made).collect::<Option<Vec<Timestamp>>>() else {
            return false;
        };
        let newest_first = times.is_sorted_by(|a, b| a >= b) && times.first() > times.last();
        newest_first && (times.last().is_some_and(|last| *last < now - OLD) || (found_before && kept == 0))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{ListFilter, Timestamp};

    type Item = (bool, Option<Timestamp>);

    #[test]
    fn stops_where_nothing_more_can_be_expected() {
        let now = Utc::now();
        let filter = ListFilter { keep: &|item: &Item| item.0, made: |item| item.1 };
        let ago = |hours: i64| Some(now - TimeDelta::hours(hours));
        for (page, found_before, want) in [
            (vec![], false, false),
            (vec![(true, ago(30)), (true, ago(40))], false, false),
            (vec![(false, ago(1)), (false, ago(2))], false, false),
            (vec![(false, ago(1)), (false, ago(2))], true, true),
            (vec![(false, ago(1)), (true, ago(2))], true, false),
            (vec![(false, ago(1)), (false, ago(25))], false, true),
            (vec![(false, ago(25)), (false, ago(1))], false, false),
            (vec![(false, ago(25)), (false, ago(1))], true, false),
            (vec![(false, ago(1)), (false, None)], true, false),
        ] {
            assert_eq!(filter.is_over(&page, found_before, now), want, "{page:?} {found_before}");
        }
        assert!(!ListFilter::ALL.is_over(&[(false, ago(25)), (false, ago(26))], true, now));
    }
}
