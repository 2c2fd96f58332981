//! Breadth first through all histories of a setup; the shortest path to a broken promise.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::state::{Setup, World};
use crate::types::Guard;

/// What a search found.
pub(super) struct Found {
    /// Different states that were seen.
    pub(super) states: usize,
    /// Steps of the longest history.
    pub(super) depth: usize,
    /// The shortest history that breaks the promise, a step a line, and what broke.
    pub(super) broken: Option<Vec<String>>,
}

/// Searches until everything is seen, the promise breaks, or `limit` states were seen.
pub(super) fn search(setup: &Setup, off: Option<Guard>, limit: usize) -> Found {
    let hasher = RandomState::new();
    let first = World::new(setup, off);
    let mut seen: HashSet<u64> = HashSet::from([hasher.hash_one(&first)]);
    // For each state: the state before it and the move that led here.
    let mut parents: Vec<(u32, u16)> = vec![(0, 0)];
    let mut level = vec![(0_u32, first.clone())];
    let mut depth = 0;
    while !level.is_empty() && seen.len() < limit {
        let mut next = Vec::new();
        for (index, world) in &level {
            for (number, movement) in world.moves().into_iter().enumerate() {
                let number = u16::try_from(number).expect("few moves");
                let mut after = world.clone();
                if let Err(what) = after.perform(movement) {
                    let mut path = retrace(&first, &parents, *index, Some(number));
                    path.push(format!("BROKEN: {what}"));
                    return Found { states: seen.len(), depth, broken: Some(path) };
                }
                if seen.insert(hasher.hash_one(&after)) {
                    parents.push((*index, number));
                    next.push((u32::try_from(parents.len() - 1).expect("fits"), after));
                }
            }
        }
        depth += usize::from(!next.is_empty());
        level = next;
    }
    Found { states: seen.len(), depth, broken: None }
}

/// The history that leads to a state, in words.
fn retrace(first: &World, parents: &[(u32, u16)], state: u32, last: Option<u16>) -> Vec<String> {
    let mut numbers: Vec<u16> = last.into_iter().collect();
    let mut at = state;
    while at != 0 {
        let (before, number) = parents[usize::try_from(at).expect("fits")];
        numbers.push(number);
        at = before;
    }
    let mut world = first.clone();
    let mut path = Vec::new();
    for number in numbers.into_iter().rev() {
        let movement = world.moves().swap_remove(usize::from(number));
        path.push(format!("{:>2}  {movement:?}", world.now()));
        let _ = world.perform(movement);
    }
    path
}
