//! One comment on the pull or merge request, kept up to date.

use crate::api::pr_comment::{Comment, CommentError, CommentTarget, Comments};
use crate::ci::Kind;
use crate::model::RunReport;
use crate::report;

use super::session::Session;

/// Writes or updates the comment; whatever goes wrong is a warning.
pub(super) async fn comment(session: &Session, report: &RunReport) {
    let Some(target) = target(session) else {
        session.log.info("comment: this is no pull or merge request, so there is nothing to comment on");
        return;
    };
    let Some(token) = session.plan.report.github_token.clone() else {
        session.log.warn(match target {
            CommentTarget::GitHub { .. } => "comment: github-token is not set; add it to the step:\n  with:\n    github-token: ${{ github.token }}",
            CommentTarget::GitLab { .. } => "comment: NUNU_GITLAB_TOKEN is not set; add a project access token with the scope api as a masked CI/CD variable",
        });
        return;
    };
    let here = session.host.identity();
    let place = session.secrets.redact(&[here.job, here.matrix, here.step].join("/")).into_owned();
    let body = report::comment(report, &place);
    let comments = Comments::new(session.net.clone(), target, token);
    match put(&comments, &report::comment_mark(&place), &body).await {
        Ok(()) => session.log.info("the comment is up to date"),
        Err(error) => {
            session.log.warn(format!("cannot write the comment: {error}"));
            if let Some(hint) = &error.hint {
                session.log.warn(hint);
            }
        }
    }
}

async fn put(comments: &Comments, mark: &str, body: &str) -> Result<(), CommentError> {
    // Anybody can write the mark; a comment of somebody else stays theirs, to change and to delete.
    let us = comments.author().await?;
    let ours = |comment: &Comment| comment.author == us && comment.body.starts_with(mark);
    let ours = comments.list().await?.into_iter().find(ours);
    match ours {
        Some(comment) if comment.body == body => Ok(()),
        Some(comment) => comments.update(comment.id, body).await,
        None => comments.create(body).await,
    }
}

fn target(session: &Session) -> Option<CommentTarget> {
    let number = session.context.pull_request?;
    let env = |name: &str| session.env.get(name).map(str::to_owned);
    match session.host.kind() {
        Kind::GitHub => Some(CommentTarget::GitHub {
            api_url: env("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned()),
            repository: env("GITHUB_REPOSITORY")?,
            number,
        }),
        Kind::GitLab => Some(CommentTarget::GitLab {
            api_url: env("CI_API_V4_URL")?,
            project: env("CI_PROJECT_ID").or_else(|| env("CI_PROJECT_PATH"))?,
            number,
        }),
        _ => None,
    }
}
