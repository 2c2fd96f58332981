//! Which invocation this is, so that a repeated attempt of the same CI run recognises its own jobs. Pure.

use crate::model::Env;

use super::detect::Kind;
use super::facts::Facts;

/// What makes two invocations the same place in a pipeline. Empty where the host has no such thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// CI run.
    pub(crate) run: String,
    /// Attempt of the run.
    pub(crate) attempt: String,
    /// Job.
    pub(crate) job: String,
    /// Leg of a matrix.
    pub(crate) matrix: String,
    /// Step.
    pub(crate) step: String,
}

impl Identity {
    /// Reads it from the host's variables.
    pub(super) fn of(kind: Kind, env: &Env, facts: &Facts) -> Self {
        let own = |names: &[&str]| names.iter().find_map(|name| env.get(name)).unwrap_or_default().to_owned();
        let matrix = own(&["NUNU_MATRIX_INDEX"]);
        match kind {
            Kind::GitHub => Self {
                run: [own(&["GITHUB_REPOSITORY"]), own(&["GITHUB_RUN_ID"])].join("/"),
                attempt: own(&["GITHUB_RUN_ATTEMPT"]),
                job: own(&["GITHUB_JOB"]),
                matrix,
                step: own(&["GITHUB_ACTION"]),
            },
            // A retried GitLab job has a new CI_JOB_ID in the same pipeline; ids only grow, so they serve as attempts.
            Kind::GitLab => Self {
                run: [own(&["CI_PROJECT_ID", "CI_PROJECT_PATH"]), own(&["CI_PIPELINE_ID"])].join("/"),
                attempt: own(&["CI_JOB_ID"]),
                job: own(&["CI_JOB_NAME"]),
                matrix: own(&["CI_NODE_INDEX"]),
                step: String::new(),
            },
            Kind::Azure => Self {
                run: own(&["BUILD_BUILDID"]),
                attempt: own(&["SYSTEM_JOBATTEMPT"]),
                job: own(&["SYSTEM_JOBID", "AGENT_JOBNAME"]),
                matrix: own(&["SYSTEM_JOBPOSITIONINPHASE"]),
                step: own(&["SYSTEM_TASKINSTANCEID"]),
            },
            Kind::Buildkite => Self {
                run: own(&["BUILDKITE_BUILD_ID"]),
                attempt: env
                    .get("BUILDKITE_RETRY_COUNT")
                    .and_then(|count| count.parse::<u64>().ok())
                    .unwrap_or(0)
                    .saturating_add(1)
                    .to_string(),
                job: own(&["BUILDKITE_STEP_ID", "BUILDKITE_STEP_KEY", "BUILDKITE_LABEL"]),
                matrix: own(&["BUILDKITE_PARALLEL_JOB"]),
                step: String::new(),
            },
            Kind::None => Self::default(),
            _ => Self {
                run: facts.run_id.clone().or_else(|| facts.build_number.clone()).unwrap_or_default(),
                attempt: String::new(),
                job: facts.job_name.clone().unwrap_or_default(),
                matrix: if matrix.is_empty() {
                    own(&["CIRCLE_NODE_INDEX", "BITBUCKET_PARALLEL_STEP"])
                } else {
                    matrix
                },
                step: own(&["STAGE_NAME"]),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Env, Facts, Identity, Kind};

    #[test]
    fn steps_legs_and_attempts_are_told_apart() {
        let base = [
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_JOB", "test"),
        ];
        let of = |more: &[(&str, &str)]| {
            let pairs = base.iter().chain(more).map(|&(name, value)| (name.to_owned(), value.to_owned()));
            Identity::of(Kind::GitHub, &Env::new(pairs), &Facts::default())
        };
        let one = of(&[("GITHUB_ACTION", "nunu"), ("NUNU_MATRIX_INDEX", "0")]);
        assert_ne!(one, of(&[("GITHUB_ACTION", "nunu"), ("NUNU_MATRIX_INDEX", "1")]));
        assert_ne!(one, of(&[("GITHUB_ACTION", "nunu_2"), ("NUNU_MATRIX_INDEX", "0")]));
        let again = of(&[("GITHUB_ACTION", "nunu"), ("NUNU_MATRIX_INDEX", "0"), ("GITHUB_RUN_ATTEMPT", "2")]);
        assert_eq!(
            (&one.run, &one.job, &one.matrix, &one.step),
            (&again.run, &again.job, &again.matrix, &again.step)
        );
        assert_ne!(one.attempt, again.attempt);
    }

    #[test]
    fn a_silly_retry_count_is_no_panic() {
        for (count, attempt) in [("18446744073709551615", "18446744073709551615"), ("2", "3"), ("-1", "1")] {
            let env = Env::from([("BUILDKITE_RETRY_COUNT", count)]);
            assert_eq!(Identity::of(Kind::Buildkite, &env, &Facts::default()).attempt, attempt);
        }
    }
}
