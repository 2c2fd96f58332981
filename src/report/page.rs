//! A text that grows until it is too big, and the levels of detail that make it smaller. Pure.

/// How much is told. Each tells less than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    /// Everything.
    Full,
    /// What passed is only counted.
    FailingOnly,
    /// Long words are cut.
    Shortened,
    /// A line for each failing step and bug.
    OneLine,
    /// Names.
    Names,
}

/// How much detail a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DetailLevel {
    /// How much is told of each entry.
    pub(super) depth: Depth,
    /// Entries of a list that are shown; the rest is counted.
    most: usize,
}

impl DetailLevel {
    /// Entries of a list that are shown.
    pub(super) const fn most(self) -> usize {
        self.most
    }

    /// Characters of the agent's words on one step or bug.
    pub(super) const fn words(self) -> usize {
        match self.depth {
            Depth::Full | Depth::FailingOnly => 20_000,
            Depth::Shortened => 1_000,
            Depth::OneLine => 160,
            Depth::Names => 60,
        }
    }
}

/// The levels from everything down to names and counts.
pub(super) fn detail_levels() -> impl Iterator<Item = DetailLevel> {
    let depths = [Depth::Full, Depth::FailingOnly, Depth::Shortened, Depth::OneLine, Depth::Names];
    let whole = depths.map(|depth| DetailLevel { depth, most: usize::MAX });
    let counted = std::iter::successors(Some(4096), |most| (*most > 1).then_some(most / 2));
    whole.into_iter().chain(counted.map(|most| DetailLevel { depth: Depth::Names, most }))
}

/// The text at one level; it stops growing once it is too big.
pub(super) struct Page {
    text: String,
    largest: usize,
    /// How much it tells.
    pub(super) level: DetailLevel,
}

impl Page {
    pub(super) const fn new(level: DetailLevel, largest: usize) -> Self {
        Self { text: String::new(), largest, level }
    }

    /// Adds a line, or several.
    pub(super) fn line(&mut self, line: &str) {
        if !self.is_full() {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// Leaves one line free.
    pub(super) fn gap(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
    }

    /// Adds the entries that this level shows, and how many `what` there are beyond.
    pub(super) fn list<T>(
        &mut self,
        entries: impl Iterator<Item = T>,
        what: &str,
        mut entry: impl FnMut(&mut Self, T),
    ) {
        let mut more = 0_usize;
        for (index, one) in entries.enumerate() {
            if index >= self.level.most {
                more += 1;
            } else if self.is_full() {
                return;
            } else {
                entry(self, one);
            }
        }
        if more > 0 {
            self.line(&format!("\n…and {more} more {what} in results.json.\n"));
        }
    }

    fn is_full(&self) -> bool {
        self.text.len() > self.largest
    }

    /// The text, when it fits.
    pub(super) fn finish(self) -> Option<String> {
        (!self.is_full()).then_some(self.text)
    }
}
