//! Every history of a small world is played through the protocol: a service that loses answers and shows jobs late, and a runner
//! that is cancelled, killed and repeated. What the promise says is checked on the way and at every rest.

mod look_back;
mod moves;
mod rules;
mod search;
mod state;
mod world;

use crate::types::{Expected, Guard};
use search::{Found, search};
use state::{Assumption, Setup};

/// Worlds that between them hold every part of the protocol.
fn setups() -> Vec<Setup> {
    let one = Setup::default();
    let two = Setup { expected: Expected::Exactly(2), jobs: 2, red: false, ..one };
    let three = Setup { expected: Expected::Exactly(3), jobs: 3, red: false, ..one };
    vec![
        Setup { name: "one test, every answer lost", lost: 3, failures: 1, ..one },
        Setup { name: "one test, a bug of ours", panics: true, failures: 1, ..one },
        Setup { name: "jobs that are not found", glitches: 1, failures: 1, ..one },
        Setup {
            name: "named before it is shown",
            hidden: true,
            lost: 0,
            failures: 1,
            kill: true,
            attempts: 2,
            red: false,
            ..one
        },
        Setup { name: "jobs later than the window", lost: 2, late: true, ..one },
        Setup { name: "left running on purpose", leave: true, failures: 1, ..two },
        Setup { name: "instances", expected: Expected::OneOr(2), ..two },
        Setup { name: "a plan of unknown size", expected: Expected::Unknown, ..two },
        Setup { name: "a plan of three", lost: 2, ..three },
        Setup { name: "a plan of two, failing looks", failures: 2, red: true, ..two },
        Setup { name: "two starts", starts: 2, lost: 2, ..one },
        Setup { name: "a stranger who stops", lost: 0, kill: true, attempts: 2, strangers: 1, ..two },
        Setup { name: "an equal start beside it", lost: 0, kill: true, attempts: 2, twin: true, ..one },
        Setup {
            name: "one test, killed and repeated",
            lost: 1,
            failures: 1,
            kill: true,
            attempts: 2,
            red: false,
            ..one
        },
        Setup { name: "a plan of two, killed and repeated", kill: true, attempts: 2, ..two },
        Setup { name: "a plan of three, killed and repeated", lost: 0, kill: true, attempts: 2, ..three },
        Setup { name: "passed and failed later", lost: 0, carry: true, attempts: 3, ..one },
        Setup { name: "one test, carried over", lost: 0, kill: true, carry: true, attempts: 2, ..one },
        Setup { name: "a plan of two, carried over", carry: true, attempts: 2, red: true, ..two },
        Setup { name: "two starts, carried over", starts: 2, lost: 0, carry: true, attempts: 2, ..one },
        Setup { name: "an equal job, carried over", carry: true, twin: true, attempts: 2, ..one },
    ]
}

/// Explores all setups on two threads, in order; the results.
fn explore() -> Vec<(Setup, Found)> {
    let setups = setups();
    let half = |odd: usize| {
        let ours = setups.iter().enumerate().filter(move |(index, _)| index % 2 == odd);
        ours.map(|(_, setup)| (*setup, search(setup, None, usize::MAX))).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        let mut all = half(0);
        all.extend(other.join().expect("the explorer does not panic"));
        all
    })
}

/// The shortest counterexample that any of the setups gives, small ones first.
fn counterexample(setups: &[Setup], off: Option<Guard>) -> Option<(Setup, Vec<String>)> {
    [3_000, 30_000, 300_000].into_iter().find_map(|limit| {
        setups.iter().find_map(|setup| search(setup, off, limit).broken.map(|path| (*setup, path)))
    })
}

fn print(what: &str, setup: &Setup, path: &[String]) {
    println!("{what} ({}):\n  {}", setup.name, path.join("\n  "));
}

#[test]
fn the_promise_holds_in_every_history_and_every_guard_carries_weight() {
    let mut states = 0;
    let mut depth = 0;
    for (setup, found) in explore() {
        if let Some(path) = found.broken {
            panic!("{}: the promise breaks:\n  {}", setup.name, path.join("\n  "));
        }
        println!("{}: {} states, depth {}", setup.name, found.states, found.depth);
        states += found.states;
        depth = depth.max(found.depth);
    }
    let mut idle = Vec::new();
    for guard in Guard::ALL {
        match counterexample(&setups(), Some(guard)) {
            Some((setup, path)) => print(&format!("without {guard:?}"), &setup, &path),
            None => idle.push(guard),
        }
    }
    println!(
        "protocol: {states} states, depth {depth}, {} mutants with a counterexample",
        Guard::ALL.len() - idle.len()
    );
    assert!(idle.is_empty(), "guards without weight: {idle:?}");
    assert!(states > 1_000_000, "{states} states are too few");
}

#[test]
fn every_assumption_is_needed() {
    for assumption in Assumption::ALL {
        let one = Setup { dropped: Some(assumption), ..Setup::default() };
        let repeated = Setup { name: "killed and repeated", lost: 0, kill: true, attempts: 2, ..one };
        let dropped = [one, repeated, Setup { name: "an equal start beside it", twin: true, ..repeated }];
        let (setup, path) = counterexample(&dropped, None).expect("an assumption that nothing rests on");
        print(&format!("if not {assumption:?}"), &setup, &path);
    }
}
