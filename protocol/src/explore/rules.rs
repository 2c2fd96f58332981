//! What the promise says, as checks on the world.

use super::state::{Made, Posted, Standing, Who, World};
use crate::state::{Protocol, RecordState};
use crate::types::{Action, Expected, JobState, Outcome};

fn live(job: &Made) -> bool {
    job.state == JobState::Live
}

fn any_live(post: &Posted) -> bool {
    post.jobs.iter().any(live)
}

/// Before an action of the protocol is carried out.
pub(super) fn before(world: &World, action: &Action<u8>) -> Result<(), String> {
    match action {
        Action::Post(at) => posting(world, at.start),
        Action::Follow { post, .. } => following(world, world.posted(*post)),
        Action::Close(at) if any_live(&world.posts[world.posted(*at)]) && !world.setup.late => {
            Err("a record was closed while a job of it runs".to_owned())
        }
        _ => Ok(()),
    }
}

/// Carried over is only what is ours, whole and a success, and what nothing newer contradicts.
pub(super) fn carrying(world: &World, start: usize, posted: usize) -> Result<(), String> {
    let post = &world.posts[posted];
    if post.twin {
        return Err("another job's run was carried over".to_owned());
    }
    if any_live(post) {
        return Err("a job that runs was carried over".to_owned());
    }
    if post.jobs.iter().any(|job| job.state != JobState::Ended { passed: true }) {
        return Err("a job that did not pass was carried over".to_owned());
    }
    if post.jobs.len() != usize::from(world.setup.jobs) {
        return Err(format!("{} of {} jobs were carried over as a whole", post.jobs.len(), world.setup.jobs));
    }
    let newer =
        |other: &&Posted| other.start == start && other.attempt > post.attempt && !other.jobs.is_empty();
    if world.posts.iter().any(|other| newer(&other)) {
        return Err("a job was carried over although a newer one tells of the same start".to_owned());
    }
    if world.carried.iter().any(|(other, used)| *other == start || *used == posted) {
        return Err("a job was carried over twice".to_owned());
    }
    Ok(())
}

/// Paid once: nothing is posted while what an earlier post started exists, and nothing after a refusal.
fn posting(world: &World, start: usize) -> Result<(), String> {
    if world.carried.iter().any(|(carried, _)| *carried == start) {
        return Err("a start that was carried over was posted".to_owned());
    }
    let earlier: Vec<&Posted> =
        world.posts.iter().filter(|post| post.start == start && post.decided).collect();
    let ours = || earlier.iter().filter(|post| post.attempt == world.attempt && !post.twin);
    if ours().any(|post| post.refused) {
        return Err("a refused start was posted again".to_owned());
    }
    if ours().count() >= 3 {
        return Err("a start was posted more than three times".to_owned());
    }
    if !world.setup.late && ours().any(|post| !post.jobs.is_empty()) {
        return Err("a start that took effect was posted again".to_owned());
    }
    let adoptable = |post: &&&Posted| {
        let stopped = post.jobs.iter().any(|job| job.state == JobState::Stopped);
        post.attempt < world.attempt && any_live(post) && !stopped
    };
    if !world.setup.twin && earlier.iter().filter(adoptable).count() == 1 {
        return Err("a start was paid again although an earlier attempt's runs".to_owned());
    }
    Ok(())
}

/// Adopted is only what is ours and alive, and one set of jobs for each start.
fn following(world: &World, posted: usize) -> Result<(), String> {
    let post = &world.posts[posted];
    if post.twin {
        return Err("another job's run was adopted".to_owned());
    }
    let adopts = world.who == Who::Job && !world.followed.contains(&posted);
    if post.attempt < world.attempt && adopts {
        if !world.alive.contains(&posted) {
            return Err("an earlier start without a live job was adopted".to_owned());
        }
        if post.jobs.iter().any(|job| job.state == JobState::Stopped) {
            return Err("an earlier start that somebody stopped was adopted".to_owned());
        }
    }
    let other = |index: usize, other: &Posted| {
        index != posted
            && other.start == post.start
            && !other.twin
            && any_live(other)
            && world.kernel.as_ref().is_some_and(|kernel| {
                other.jobs.iter().any(|job| kernel.jobs.get(&job.id).is_some_and(|known| known.followed))
            })
    };
    if world.posts.iter().enumerate().any(|(index, post)| other(index, post)) {
        return Err("two sets of jobs were adopted for one start".to_owned());
    }
    Ok(())
}

/// Before a job is stopped.
pub(super) fn stopping(world: &World, id: u8) -> Result<(), String> {
    let carried = |posted: &usize| world.carried.iter().any(|(_, used)| used == posted);
    let owner = world.posts.iter().position(|post| post.jobs.iter().any(|job| job.id == id));
    if owner.as_ref().is_some_and(carried) {
        return Err("a job that was carried over was stopped".to_owned());
    }
    let left =
        world.file.iter().any(|record| Some(record.posted) == owner && record.standing == Standing::Left);
    if world.who == Who::Net && left {
        return Err("the safety net stopped what was left running on purpose".to_owned());
    }
    Ok(())
}

/// When a program ends.
pub(super) fn at_end(world: &World, outcome: Outcome) -> Result<(), String> {
    let Some(kernel) = &world.kernel else { return Ok(()) };
    let named: Vec<usize> = kernel.left().iter().map(|left| world.posted(left.post)).collect();
    for (at, posted) in &world.posted_as {
        let post = &world.posts[*posted];
        let record = kernel.starts[at.start].posts[at.post].record;
        for job in post.jobs.iter().filter(|job| live(job)) {
            let seen = kernel.jobs.contains_key(&job.id);
            if world.setup.late && !seen {
                continue;
            }
            if record != RecordState::Left && !named.contains(posted) {
                return Err(format!("job {} runs on and nobody was told", job.id));
            }
        }
    }
    match outcome {
        Outcome::Passed => passed(world, kernel),
        Outcome::Stopped(_) => stopped(world, kernel),
        Outcome::NotPassed | Outcome::Incomplete | Outcome::Left => Ok(()),
    }
}

/// Success needs a success of everything that was asked for, and nothing that runs.
fn passed(world: &World, kernel: &Protocol<u8>) -> Result<(), String> {
    for start in 0..world.setup.starts {
        let ours = |job: &&Made| kernel.jobs.get(&job.id).is_some_and(|known| known.followed);
        let of_start = world.posts.iter().filter(|post| post.start == start).flat_map(|post| &post.jobs);
        let carried = world.carried.iter().filter(|(carried, _)| *carried == start);
        let carried = carried.flat_map(|(_, posted)| &world.posts[*posted].jobs);
        let followed: Vec<&Made> = of_start.filter(ours).chain(carried).collect();
        // One job with all runs in it, or a job for each run.
        let in_one = matches!(world.setup.expected, Expected::OneOr(_)) && followed.len() == 1;
        let all = followed.len() == usize::from(world.setup.jobs) || in_one;
        if !all || followed.iter().any(|job| job.state != JobState::Ended { passed: true }) {
            return Err(format!("success with {} of {} jobs passed", followed.len(), world.setup.jobs));
        }
    }
    // Jobs that appear after the window are not assumed, and only those that were seen count then.
    let counts = |job: &&Made| live(job) && (!world.setup.late || kernel.jobs.contains_key(&job.id));
    // What cannot be told from another job's is left alone.
    let told_apart = |post: &&Posted| !world.setup.twin || (!post.twin && post.attempt == world.attempt);
    let ours = world.posts.iter().filter(told_apart).flat_map(|post| &post.jobs);
    if let Some(job) = ours.into_iter().find(counts) {
        return Err(format!("success, and job {} runs on", job.id));
    }
    Ok(())
}

/// After a stop that the service answered, nothing runs that could be seen.
fn stopped(world: &World, kernel: &Protocol<u8>) -> Result<(), String> {
    let in_time = world.deadline.is_some_and(|deadline| world.now < deadline);
    let could = |job: &Made| {
        live(job) && !job.glitch && kernel.jobs.get(&job.id).is_some_and(|known| kernel.is_ours(known))
    };
    if in_time && let Some(job) = world.posts.iter().flat_map(|post| &post.jobs).find(|job| could(job)) {
        return Err(format!("job {} runs on although there was time to stop it", job.id));
    }
    if world.failed() {
        return Ok(());
    }
    for (at, posted) in &world.posted_as {
        let post = &kernel.starts[at.start].posts[at.post];
        if post.record == RecordState::Left {
            continue;
        }
        for job in world.posts[*posted].jobs.iter().filter(|job| live(job)) {
            if job.visible && !job.glitch && world.visible_since_stop(job.id) {
                return Err(format!("job {} could be seen and runs on after the stop", job.id));
            }
        }
    }
    Ok(())
}

/// When nothing more happens: what runs is named, or left on purpose, or on record for the safety net.
pub(super) fn at_rest(world: &World) -> Result<(), String> {
    for (posted, post) in world.posts.iter().enumerate() {
        if post.twin || !any_live(post) || world.setup.late {
            continue;
        }
        let lost_earlier = post.attempt < world.attempt;
        let left =
            world.file.iter().any(|record| record.posted == posted && record.standing == Standing::Left);
        if !lost_earlier && !left && !world.named.contains(&posted) {
            return Err("a job runs on, and neither a report nor the state file knows".to_owned());
        }
    }
    Ok(())
}
