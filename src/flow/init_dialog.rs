//! The questions of `init`. Asked only where a person types; what flags said is not asked again.

use std::io::{self, BufRead as _};

use crate::ci::stream::{self, Stream};
use crate::config::answers::{self, Answers};
use crate::config::choice::chosen;
use crate::config::starter::{Facts, Host, Known, SOME_BUILD};
use crate::config::{resolve_name, tells_platform};
use crate::model::{Log, Platform};

use super::cancel::Cancel;
use super::context::Surroundings;

/// Entries of a list that are shown; the rest is chosen by name.
const SHOWN: usize = 20;

/// The person went away: end of input, or a signal.
#[derive(Debug)]
pub(super) struct Gone;

/// Asks.
pub(super) struct Dialog<'a> {
    said: &'a Answers,
    log: &'a Log,
    cancel: &'a Cancel,
}

impl<'a> Dialog<'a> {
    pub(super) const fn new(around: &'a Surroundings, said: &'a Answers) -> Self {
        Self { said, log: &around.log, cancel: &around.cancel }
    }

    /// Asks for all that is not said yet.
    pub(super) async fn complete(&self, facts: &mut Facts) -> Result<(), Gone> {
        if self.said.host.is_none() {
            facts.host = self.host(facts.host).await?;
        }
        if self.said.build.is_none() {
            self.build(facts).await?;
        }
        if facts.platform.is_none() && facts.build.as_deref().is_some_and(|build| !tells_platform(build)) {
            facts.platform = Some(self.platform().await?);
        }
        if facts.tests.is_empty() && facts.plans.is_empty() {
            // Plans stand behind the tests in one list, since a run is one or the other.
            let all: Known = [facts.known_tests.as_slice(), &facts.known_plans].concat();
            let ids = self.choose("test", &all).await?;
            let is_plan = |id: &String| facts.known_plans.iter().any(|(plan, _)| plan == id);
            (facts.plans, facts.tests) = ids.into_iter().partition(is_plan);
        }
        if facts.deployment_config.is_none() {
            let ids = self.choose("deployment configuration", &facts.known_configs).await?;
            facts.deployment_config = ids.into_iter().next();
        }
        Ok(())
    }

    /// A question that is answered with yes or no; yes without an answer.
    pub(super) async fn agrees(&self, question: &str) -> Result<bool, Gone> {
        self.until(question, "Y/n", |answer| match answer.to_ascii_lowercase().as_str() {
            "" | "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("answer y or n".to_owned()),
        })
        .await
    }

    async fn host(&self, now: Host) -> Result<Host, Gone> {
        let known: Known = Host::ALL.map(|host| (host.as_str().to_owned(), host.as_str().to_owned())).into();
        self.numbered(&known);
        self.until("CI host", now.as_str(), |answer| {
            if answer.is_empty() {
                return Ok(now);
            }
            let one = chosen("CI host", answer, &known)?;
            one.first().and_then(|word| Host::parse(word)).ok_or_else(|| "name a CI host".to_owned())
        })
        .await
    }

    async fn build(&self, facts: &mut Facts) -> Result<(), Gone> {
        let made = facts.recipe().map(|recipe| recipe.path);
        let now = facts.build.clone().or_else(|| made.clone()).unwrap_or_else(|| SOME_BUILD.to_owned());
        let answer =
            self.until("Build to upload: file, folder or glob", &now, |answer| Ok(answer.to_owned())).await?;
        if !answer.is_empty() && answer != now {
            facts.platform = self.said.platform;
            facts.build = Some(answer);
        } else if made.is_none() {
            facts.build = Some(now);
        }
        Ok(())
    }

    async fn platform(&self) -> Result<Platform, Gone> {
        let known: Known =
            Platform::ALL.map(|platform| (platform.as_str().to_owned(), platform.as_str().to_owned())).into();
        self.numbered(&known);
        self.until("Its platform", "1", |answer| {
            let word = if answer.is_empty() { "1" } else { answer };
            match chosen("platform", word, &known)?.as_slice() {
                [one] => answers::platform(one),
                _ => Err("name one platform".to_owned()),
            }
        })
        .await
    }

    /// Ids out of a list of the service; none where there is nothing to choose from.
    async fn choose(&self, kind: &str, known: &Known) -> Result<Vec<String>, Gone> {
        let Some((first, _)) = known.first() else { return Ok(Vec::new()) };
        if known.len() == 1 {
            self.log.info(format!("the only {kind}: {}", known[0].1));
            return Ok(vec![first.clone()]);
        }
        self.log.info(format!("{kind}s of the project:"));
        self.numbered(known);
        self.until(&format!("Number or name of the {kind}"), "1", |answer| {
            if answer.is_empty() { Ok(vec![first.clone()]) } else { chosen(kind, answer, known) }
        })
        .await
    }

    fn numbered(&self, known: &Known) {
        for (index, (id, name)) in known.iter().take(SHOWN).enumerate() {
            // Equal names are told apart by their ids.
            let twice = resolve_name("", name, known).is_err();
            let id = if twice { format!("  {id}") } else { String::new() };
            self.log.info(format!("  {}. {name}{id}", index + 1));
        }
        if known.len() > SHOWN {
            self.log.info(format!("  and {} more, by name", known.len() - SHOWN));
        }
    }

    /// Asks until there is a good answer.
    async fn until<T>(
        &self,
        question: &str,
        now: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Gone> {
        loop {
            stream::log(Stream::Err, format!("{question} [{now}]: "));
            let answer = self.line().await?;
            match read(answer.trim()) {
                Ok(value) => return Ok(value),
                Err(why) => self.log.warn(why),
            }
        }
    }

    /// One line of the person; a signal ends the wait for it.
    async fn line(&self) -> Result<String, Gone> {
        let reading = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line).map(|bytes| (bytes, line))
        });
        tokio::select! {
            read = reading => match read {
                Ok(Ok((1.., line))) => Ok(line),
                _ => Err(Gone),
            },
            () = self.cancel.token().cancelled() => Err(Gone),
        }
    }
}
