//! Which build each player or slot was given, and which ones the runs name. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one deployment configuration of a start was given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Handed {
    /// Build that was named for it; `None`: the configuration picks one itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) build: Option<String>,
}

/// The builds of one start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct GivenBuilds {
    /// Of the default deployment configuration, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<Handed>,
    /// Of players (tests).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) players: BTreeMap<u8, Handed>,
    /// Of slots (plans).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) slots: BTreeMap<u8, Handed>,
}

/// A build that a run says it tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct SeenBuild {
    /// Player, as the service numbers it; `None`: said of the whole run.
    pub(crate) player: Option<u64>,
    /// Build id.
    pub(crate) id: String,
}

impl GivenBuilds {
    /// True when a build was named for each part: no configuration picks one itself.
    pub(crate) fn names_all(&self) -> bool {
        self.all().is_some()
    }

    /// Every build that was given; `None` when a configuration picks its own, so that any build may be right.
    fn all(&self) -> Option<Vec<&str>> {
        let handed = self.default.iter().chain(self.players.values()).chain(self.slots.values());
        let mut all = Vec::new();
        for one in handed {
            let build = one.build.as_deref()?;
            if !all.contains(&build) {
                all.push(build);
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// The builds that are right for a player, when that is known. A plan's slots are not told by players.
    fn right_for(&self, player: Option<u64>) -> Option<Vec<&str>> {
        let Some(player) = player.filter(|_| self.slots.is_empty()) else { return self.all() };
        let handed = u8::try_from(player).ok().and_then(|player| self.players.get(&player));
        Some(vec![handed.or(self.default.as_ref())?.build.as_deref()?])
    }

    /// The first build among `seen` that is not the one which was given, in words. Ids are compared ignoring case.
    pub(crate) fn other_build(&self, seen: &[SeenBuild]) -> Option<String> {
        // Some versions of the service count players from 0.
        let from_zero = seen.iter().any(|seen| seen.player == Some(0));
        seen.iter().find_map(|seen| {
            let right = self.right_for(seen.player.map(|player| player + u64::from(from_zero)))?;
            if right.iter().any(|id| id.eq_ignore_ascii_case(&seen.id)) {
                return None;
            }
            let whose = seen.player.map_or_else(String::new, |player| format!("player {player}: "));
            Some(format!("{whose}build {} was tested, not build {}", seen.id, right.join(" or ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{GivenBuilds, Handed, SeenBuild};

    fn handed(build: &str) -> Handed {
        Handed { build: (!build.is_empty()).then(|| build.to_owned()) }
    }

    fn seen(player: Option<u64>, id: &str) -> SeenBuild {
        SeenBuild { player, id: id.to_owned() }
    }

    #[test]
    fn another_build_is_told_from_the_one_that_was_given() {
        let one = GivenBuilds { default: Some(handed("b1")), ..GivenBuilds::default() };
        let two = GivenBuilds { players: [(2, handed("b2"))].into(), ..one.clone() };
        let picks = GivenBuilds { players: [(2, handed(""))].into(), ..one.clone() };
        let alone =
            GivenBuilds { players: [(1, handed("b1")), (2, handed("b2"))].into(), ..GivenBuilds::default() };
        let slots = GivenBuilds { slots: [(2, handed("b2"))].into(), ..one.clone() };
        for (name, given, builds, other) in [
            ("nothing said", &one, vec![], false),
            ("the same", &one, vec![seen(None, "b1")], false),
            ("the same in capitals", &one, vec![seen(None, "B1")], false),
            ("another", &one, vec![seen(None, "b9")], true),
            ("another of a player", &one, vec![seen(Some(1), "b9")], true),
            ("one of two", &two, vec![seen(None, "b2")], false),
            ("none of two", &two, vec![seen(None, "b9")], true),
            ("players as given", &two, vec![seen(Some(1), "b1"), seen(Some(2), "b2")], false),
            ("players from zero", &two, vec![seen(Some(0), "b1"), seen(Some(1), "b2")], false),
            ("players changed", &alone, vec![seen(Some(1), "b2"), seen(Some(2), "b1")], true),
            ("one picks its own", &picks, vec![seen(None, "b9"), seen(Some(2), "b9")], false),
            ("the other does not", &picks, vec![seen(Some(1), "b9")], true),
            ("slots are not players", &slots, vec![seen(Some(1), "b2")], false),
            ("neither slot", &slots, vec![seen(Some(1), "b9")], true),
            ("nothing was given", &GivenBuilds::default(), vec![seen(None, "b9")], false),
        ] {
            assert_eq!(given.other_build(&builds).is_some(), other, "{name}");
        }
        assert_eq!(
            one.other_build(&[seen(None, "b9")]).unwrap(),
            "build b9 was tested, not build b1",
            "the words name both"
        );
    }
}
