//! Fuzz targets of this module: what is registered is never shown.

use crate::fuzzing::Pieces;

use super::hidden::is_hidden;
use super::secrets::{Owner, Secrets, forms};

/// Texts around and between every form of a secret.
pub(crate) fn redactor(data: &[u8]) {
    let mut pieces = Pieces::of(data);
    let (secret, other, before) = (pieces.text(), pieces.text(), pieces.text());
    // What replaces a secret must not be one itself.
    if [&secret, &other].iter().any(|secret| secret.contains('*')) {
        return;
    }
    let secrets = Secrets::default();
    let mut wanted = forms(&secret);
    for raw in [&secret, &other] {
        let fresh = secrets.register(raw, Owner::Key);
        assert!(
            fresh.is_sorted_by(|a, b| a.len() >= b.len()),
            "longest first, or a host masks half of a form"
        );
    }
    if secret.len() < 4 {
        wanted.clear();
    }
    let mut text = before.clone().into_owned();
    for form in &wanted {
        text = format!("{text}{form}{before}{form}");
    }
    let shown = secrets.redact(&text);
    let visible = |text: &str| text.chars().filter(|letter| !is_hidden(*letter)).collect::<String>();
    let seen = visible(&shown);
    for form in wanted.iter().map(|form| visible(form)).filter(|form| form.len() >= 4) {
        assert!(!seen.contains(&form), "{form:?} is in {shown:?}");
    }
    assert_eq!(secrets.redact(&shown), shown);
}
