//! A build that the service already has is not sent again. Any doubt or error means that it is sent.

use super::hash;
use crate::api::{Api, BuildFilter, BuildReadiness, StoredBuild};
use crate::model::build::Platform;
use crate::model::log::Log;

/// Whom the build is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// This job's own runs, which name it.
    Runs,
    /// The command `upload`: a trigger or "newest build" may depend on it, so only the newest build of its platform will do.
    Storage,
}

/// What a stored build must be.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) sha256: &'a str,
    pub(crate) size_bytes: u64,
    pub(crate) platform: Platform,
    pub(crate) tags: &'a [String],
    pub(crate) purpose: Purpose,
}

/// As many builds as one look-up reads; when there are more, the newest cannot be told.
const MOST_BUILDS: usize = 2_000;

/// The stored build to use instead of sending.
pub(crate) async fn find(api: &Api, wanted: &Wanted<'_>, log: &Log) -> Option<StoredBuild> {
    let filter = BuildFilter {
        platform: Some(wanted.platform),
        tags: vec![hash::tag(wanted.sha256)],
        ..BuildFilter::default()
    };
    let same = match api.list_builds(&filter).await {
        Ok(builds) => choose(builds, wanted)?,
        Err(error) => {
            log.info(format!("cannot tell whether the build is stored already, so it is sent: {error}"));
            return None;
        }
    };
    if wanted.purpose == Purpose::Runs {
        return Some(same);
    }
    let filter =
        BuildFilter { platform: Some(wanted.platform), limit: Some(MOST_BUILDS), ..BuildFilter::default() };
    match api.list_builds(&filter).await {
        Ok(builds) if builds.len() < MOST_BUILDS && is_newest(&same, &builds) => Some(same),
        Ok(_) => {
            log.info(format!(
                "build {} has the same content, but is not the newest for {}, so it is sent again",
                same.id,
                wanted.platform.as_str()
            ));
            None
        }
        Err(error) => {
            log.info(format!(
                "cannot tell whether build {} is the newest, so it is sent again: {error}",
                same.id
            ));
            None
        }
    }
}

/// The newest of the builds that are the same in every respect. The service's filters are not relied upon.
fn choose(builds: Vec<StoredBuild>, wanted: &Wanted<'_>) -> Option<StoredBuild> {
    let tag = hash::tag(wanted.sha256);
    let fits = |build: &StoredBuild| {
        !build.id.is_empty()
            && build.readiness() == BuildReadiness::Ready
            && build.size_bytes == Some(wanted.size_bytes)
            && build
                .platform
                .as_deref()
                .is_some_and(|word| word.eq_ignore_ascii_case(wanted.platform.as_str()))
            && build.tags.contains(&tag)
            && wanted.tags.iter().all(|tag| build.tags.contains(tag))
    };
    builds.into_iter().filter(fits).max_by_key(|build| build.created_at)
}

/// Whether no other build of the platform is as new; a build without a time could be.
fn is_newest(same: &StoredBuild, builds: &[StoredBuild]) -> bool {
    same.created_at.is_some_and(|created| {
        builds
            .iter()
            .filter(|build| build.id != same.id)
            .all(|build| build.created_at.is_some_and(|other| other < created))
    })
}

#[cfg(test)]
mod tests {
    use super::{Platform, Purpose, StoredBuild, Wanted, choose, is_newest};
    use crate::model::units::parse_time;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const TAG: &str = "sha256:0123456789abcdef0123456789abcdef01234567";

    fn stored(id: &str, time: &str) -> StoredBuild {
        StoredBuild {
            id: id.to_owned(),
            size_bytes: Some(10),
            platform: Some("android".to_owned()),
            status: Some("OK".to_owned()),
            tags: vec!["ci".to_owned(), TAG.to_owned(), "nightly".to_owned()],
            created_at: parse_time(time),
            ..StoredBuild::default()
        }
    }

    #[test]
    fn takes_only_a_build_that_is_the_same_in_every_respect() {
        let tags = ["nightly".to_owned()];
        let wanted = Wanted {
            sha256: DIGEST,
            size_bytes: 10,
            platform: Platform::Android,
            tags: &tags,
            purpose: Purpose::Runs,
        };
        let chosen = |change: fn(&mut StoredBuild)| {
            let mut build = stored("a", "2026-01-01T00:00:00Z");
            change(&mut build);
            choose(vec![build], &wanted).is_some()
        };
        assert!(chosen(|_| {}));
        assert!(chosen(|build| build.status = Some("ready".to_owned())));
        assert!(!chosen(|build| build.status = Some("uploading".to_owned())));
        assert!(!chosen(|build| build.status = Some("UNHEALTHY".to_owned())));
        assert!(!chosen(|build| build.status = Some("new word".to_owned())));
        assert!(!chosen(|build| build.status = None));
        assert!(!chosen(|build| build.size_bytes = Some(11)));
        assert!(!chosen(|build| build.size_bytes = None));
        assert!(!chosen(|build| build.platform = Some("windows".to_owned())));
        assert!(!chosen(|build| build.platform = None));
        assert!(!chosen(|build| build.tags.retain(|tag| tag != TAG)));
        assert!(!chosen(|build| build.tags.retain(|tag| tag != "nightly")));
        assert!(!chosen(|build| build.id.clear()));
        let both = vec![
            stored("old", "2026-01-01T00:00:00Z"),
            stored("new", "2026-01-02T00:00:00Z"),
            stored("older", "2025-01-02T00:00:00Z"),
        ];
        assert_eq!(choose(both, &wanted).map(|build| build.id).as_deref(), Some("new"));
    }

    #[test]
    fn knows_the_newest() {
        let same = stored("a", "2026-01-02T00:00:00Z");
        let other = |time| StoredBuild { created_at: parse_time(time), ..stored("b", "") };
        assert!(is_newest(&same, std::slice::from_ref(&same)));
        assert!(is_newest(&same, &[other("2026-01-01T00:00:00Z"), same.clone()]));
        assert!(!is_newest(&same, &[same.clone(), other("2026-01-03T00:00:00Z")]));
        assert!(!is_newest(&same, &[same.clone(), other("2026-01-02T00:00:00Z")]));
        assert!(!is_newest(&same, &[same.clone(), other("never")]));
        assert!(!is_newest(&other("never"), &[]));
    }
}
