//! How values of a report are written into `results.json`, and read from one again. Pure.

use std::time::Duration;

use chrono::SecondsFormat;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::given::SeenBuild;
use super::units::{Timestamp, parse_time, shortened};

/// Characters of one text.
const LONGEST: usize = 20_000;

/// A text that may be long.
pub(super) fn text<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shortened(text, LONGEST))
}

/// The same where there may be none.
#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
pub(super) fn some_text<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    text.as_deref().map(|text| shortened(text, LONGEST)).serialize(serializer)
}

/// Points in time, as exact as they are known.
pub(super) mod time {
    use super::{Deserialize as _, Deserializer, SecondsFormat, Serializer, Timestamp, parse_time};
    use serde::de::Error as _;

    pub(in crate::model) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_time(&text).ok_or_else(|| D::Error::custom("a time is no ISO-8601 time stamp"))
    }
}

/// The same where there may be none.
pub(super) mod some_time {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp, time};

    #[derive(Serialize, Deserialize)]
    struct Time(#[serde(with = "time")] Timestamp);

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(in crate::model) fn serialize<S: Serializer>(
        time: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Time).serialize(serializer)
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Time>::deserialize(deserializer)?.map(|time| time.0))
    }
}

/// Durations, in seconds.
pub(super) mod seconds {
    use super::{Deserialize as _, Deserializer, Duration, Serializer};
    use serde::de::Error as _;

    pub(in crate::model) fn serialize<S: Serializer>(
        took: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(took.as_secs_f64())
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The same where there may be none.
pub(super) mod some_seconds {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer, seconds};

    #[derive(Serialize, Deserialize)]
    struct Seconds(#[serde(with = "seconds")] Duration);

    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(in crate::model) fn serialize<S: Serializer>(
        took: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        took.map(Seconds).serialize(serializer)
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Seconds>::deserialize(deserializer)?.map(|took| took.0))
    }
}

/// Days, such as `2027-01-31`.
pub(super) mod day {
    use super::{Deserialize as _, Deserializer, Serializer};
    use chrono::NaiveDate;
    use serde::de::Error as _;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference to the field")]
    pub(in crate::model) fn serialize<S: Serializer>(
        day: &NaiveDate,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(day)
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<NaiveDate, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Which of how many instances a test is.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Instance {
    instance: Option<usize>,
    instances: Option<usize>,
}

impl Instance {
    #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
    pub(super) fn serialize<S: Serializer>(
        which: &Option<(usize, usize)>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let both = Self { instance: which.map(|(number, _)| number), instances: which.map(|(_, of)| of) };
        both.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<(usize, usize)>, D::Error> {
        let both = <Self as Deserialize>::deserialize(deserializer)?;
        Ok(both.instance.zip(both.instances))
    }
}

/// Builds that a run names: whose they are, and each once.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Builds {
    #[serde(skip_deserializing)]
    build_ids: Vec<String>,
    builds: Vec<SeenBuild>,
}

impl Builds {
    pub(super) fn serialize<S: Serializer>(builds: &[SeenBuild], serializer: S) -> Result<S::Ok, S::Error> {
        let mut build_ids: Vec<String> = Vec::new();
        for seen in builds {
            if !build_ids.iter().any(|id| id.eq_ignore_ascii_case(&seen.id)) {
                build_ids.push(seen.id.clone());
            }
        }
        Serialize::serialize(&Self { build_ids, builds: builds.to_vec() }, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SeenBuild>, D::Error> {
        <Self as Deserialize>::deserialize(deserializer).map(|both| both.builds)
    }
}

/// Commands that leave a report.
const COMMANDS: [&str; 8] = ["run", "upload", "start", "wait", "stop", "check", "report", "init"];

/// The name of a command.
pub(super) fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static str, D::Error> {
    let name = String::deserialize(deserializer)?;
    let known = COMMANDS.into_iter().find(|known| *known == name);
    known.ok_or_else(|| D::Error::custom("command is none that leaves a report"))
}
