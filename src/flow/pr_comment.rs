//! One comment on the pull or merge request, kept up to date.

use crate::api::pr_comment::{Comment, CommentError, CommentTarget, Comments};
use crate::ci::{Host, Kind};
use crate::http::Net;
use crate::model::secrets::SecretString;
use crate::model::{Log, RunReport, Secrets};
use crate::report;

/// What a comment needs: where it belongs, and the means to write it.
pub(super) struct Commenter<'a> {
    pub(super) host: &'a Host,
    pub(super) log: &'a Log,
    pub(super) secrets: &'a Secrets,
    pub(super) net: &'a Net,
    pub(super) token: Option<&'a SecretString>,
    /// The pull or merge request, where this is one.
    pub(super) pull_request: Option<u64>,
}

/// Writes or updates the comment; whatever goes wrong is a warning.
pub(super) async fn comment(ctx: &Commenter<'_>, report: &RunReport) {
    let Some(target) = target(ctx) else {
        ctx.log.info("comment: this is no pull or merge request, so there is nothing to comment on");
        return;
    };
    let Some(token) = ctx.token.cloned() else {
        ctx.log.warn(match target {
            CommentTarget::GitHub { .. } => "comment: github-token is not set; add it to the step:\n  with:\n    github-token: ${{ github.token }}",
            CommentTarget::GitLab { .. } => "comment: NUNU_GITLAB_TOKEN is not set; add a project access token with the scope api as a masked CI/CD variable",
        });
        return;
    };
    let here = ctx.host.identity();
    let place = ctx.secrets.redact(&[here.job, here.matrix, here.step].join("/")).into_owned();
    let body = report::comment(report, &place);
    let comments = Comments::new(ctx.net.clone(), target, token);
    match put(&comments, &report::comment_mark(&place), &body).await {
        Ok(()) => ctx.log.info("the comment is up to date"),
        Err(error) => {
            ctx.log.warn(format!("cannot write the comment: {error}"));
            if let Some(hint) = &error.hint {
                ctx.log.warn(hint);
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

fn target(ctx: &Commenter<'_>) -> Option<CommentTarget> {
    let number = ctx.pull_request?;
    let (api_url, project) = ctx.host.api_of_repository()?;
    match ctx.host.kind() {
        Kind::GitHub => Some(CommentTarget::GitHub { api_url, repository: project, number }),
        Kind::GitLab => Some(CommentTarget::GitLab { api_url, project, number }),
        _ => None,
    }
}
