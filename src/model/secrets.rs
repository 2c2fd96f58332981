//! Secrets: the key's type, and the register of everything that must never be shown.
//!
//! Texts are redacted as values, before anything escapes or serialises them: `model::redact` does it for a report, the API for
//! replies, the console for lines. Finished files are never searched, so that no secret, whoever chose it, can break their form.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

pub(crate) use secrecy::{ExposeSecret, SecretString};

use super::secret_forms::SHORTEST;
pub use super::secret_forms::forms;

use super::hidden::is_hidden;

/// The API key. Its `Debug` shows nothing.
pub(crate) type ApiKey = SecretString;

/// What stands where a secret stood.
pub(crate) const REDACTED: &str = "***";

/// The user's own secrets beside the key may be as short as this.
const SHORTEST_OWN: usize = 8;
/// What the service or storage hands us may be as short as this.
const SHORTEST_LENT: usize = 16;

/// Whose secret it is, which decides where it is redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// Signatures, credentials, tokens and upload ids that the service or storage lent us. They choose them, so none can hide a value
    /// that we output or a word of ours.
    Lent,
    /// The user's, beside the key: a token, a proxy's password, a variable of `config-env`. Redacted everywhere but in outputs.
    User,
    /// The API key: redacted everywhere.
    Key,
}

/// A shared register of secrets.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<RwLock<Register>>);

/// The forms by their first four bytes, so that one pass over a text finds all of them, however many there are, and a new one costs
/// nothing: parts of an upload register thousands, between one line of the log and the next. (An automaton would be built anew for
/// each.)
#[derive(Default)]
struct Register {
    forms: HashMap<[u8; SHORTEST], Vec<Form>>,
    /// Which pairs of bytes begin one: most places of a text need no look-up.
    pairs: Vec<bool>,
    /// Values that we output.
    public: HashSet<String>,
}

/// One form of a secret.
struct Form {
    text: Box<str>,
    owner: Owner,
    /// How often it was lent and not forgotten yet.
    lent: usize,
}

impl Secrets {
    /// Registers a secret in every form it could appear in and returns the forms that are new, longest first, for the host's own
    /// masking. What is too short, or lent and part of a value that we output, is none.
    pub(crate) fn register(&self, raw: &str, owner: Owner) -> Vec<String> {
        let enough = match owner {
            Owner::Lent => raw.len() >= SHORTEST_LENT && raw.bytes().any(is_random),
            Owner::User => raw.len() >= SHORTEST_OWN,
            Owner::Key => raw.len() >= SHORTEST,
        };
        if !enough {
            return Vec::new();
        }
        let mut register = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if owner == Owner::Lent && register.is_public(raw) {
            return Vec::new();
        }
        let mut fresh: Vec<String> =
            forms(raw).into_iter().filter(|form| register.add(form, owner)).collect();
        fresh.sort_by_key(|form| std::cmp::Reverse(form.len()));
        fresh
    }

    /// What was lent is of no use any more. A value that was registered several times is forgotten with the last of them; one that is
    /// the user's too stays.
    pub(crate) fn forget(&self, raw: &str) {
        let forms = forms(raw);
        let mut register = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            register.forget(&form);
        }
    }

    /// Says that this value is output (or each of a comma list): nothing lent may hide it.
    pub(crate) fn publish(&self, value: &str) {
        let mut register = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for value in value.split(',').filter(|value| value.len() >= SHORTEST_LENT) {
            if register.public.insert(value.to_owned()) {
                for forms in register.forms.values_mut() {
                    forms.retain(|form| form.owner != Owner::Lent || !value.contains(&*form.text));
                }
            }
        }
    }

    /// The text with every registered secret replaced by `***`, also where characters that nobody sees stand in it.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.without(text, Owner::Lent)
    }

    /// An output: only the key is replaced in it.
    pub(crate) fn redact_output<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.without(text, Owner::Key)
    }

    fn without<'a>(&self, text: &'a str, least: Owner) -> Cow<'a, str> {
        let register = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = if register.forms.is_empty() { Vec::new() } else { register.find(text, least) };
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut clean = String::with_capacity(text.len());
        let mut shown = 0;
        for Range { start, end } in found {
            clean.push_str(&text[shown..start]);
            clean.push_str(REDACTED);
            shown = end;
        }
        clean.push_str(&text[shown..]);
        Cow::Owned(clean)
    }
}

impl Register {
    /// True for what is part of a value that we output.
    fn is_public(&self, text: &str) -> bool {
        self.public.iter().any(|value| value.contains(text))
    }

    /// False when the form is known, or must not be one.
    fn add(&mut self, form: &str, owner: Owner) -> bool {
        if owner == Owner::Lent && self.is_public(form) {
            return false;
        }
        let visible = visible(form);
        let Some(first) = visible.as_bytes().first_chunk::<SHORTEST>() else { return false };
        let known = self.forms.entry(*first).or_default();
        let lent = usize::from(owner == Owner::Lent);
        if let Some(known) = known.iter_mut().find(|known| *known.text == *visible) {
            known.owner = owner.max(known.owner);
            known.lent += lent;
            return false;
        }
        self.pairs.resize(1 << 16, false);
        self.pairs[pair(first)] = true;
        known.push(Form { text: visible.into_boxed_str(), owner, lent });
        true
    }

    fn forget(&mut self, form: &str) {
        let visible = visible(form);
        let Some(first) = visible.as_bytes().first_chunk::<SHORTEST>() else { return };
        let Some(known) = self.forms.get_mut(first) else { return };
        if let Some(at) = known.iter().position(|known| *known.text == *visible) {
            known[at].lent = known[at].lent.saturating_sub(1);
            if known[at].lent == 0 && known[at].owner == Owner::Lent {
                known.swap_remove(at);
            }
        }
        if known.is_empty() {
            self.forms.remove(first);
        }
    }

    /// Where secrets of these owners stand; overlapping ones as one.
    fn find(&self, text: &str, least: Owner) -> Vec<Range<usize>> {
        let visible = Visible::of(text);
        let bytes = visible.bytes.as_ref();
        let mut found: Vec<Range<usize>> = Vec::new();
        for (at, window) in bytes.windows(SHORTEST).enumerate().filter(|(_, window)| self.pairs[pair(window)])
        {
            let Some(forms) = window.first_chunk().and_then(|first| self.forms.get(first)) else { continue };
            let longest = forms
                .iter()
                .filter(|form| form.owner >= least && bytes[at..].starts_with(form.text.as_bytes()))
                .map(|form| form.text.len())
                .max();
            let Some(length) = longest else { continue };
            let (start, end) = (visible.place(at), visible.place(at + length - 1) + 1);
            match found.last_mut() {
                Some(before) if start < before.end => before.end = before.end.max(end),
                _ => found.push(start..end),
            }
        }
        found
    }
}

/// A form as the search sees it.
fn visible(form: &str) -> String {
    form.chars().filter(|letter| !is_hidden(*letter)).collect()
}

/// The place of the first two bytes in the table of pairs.
fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

/// A text without the characters that nobody sees, with the way back.
struct Visible<'a> {
    bytes: Cow<'a, [u8]>,
    /// Where each byte stands in the text; empty when nothing was left out.
    places: Vec<usize>,
}

impl<'a> Visible<'a> {
    fn of(text: &'a str) -> Self {
        if !text.chars().any(is_hidden) {
            return Self { bytes: Cow::Borrowed(text.as_bytes()), places: Vec::new() };
        }
        let (mut bytes, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        for (at, letter) in text.char_indices().filter(|(_, letter)| !is_hidden(*letter)) {
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            places.extend(at..at + letter.len_utf8());
        }
        Self { bytes: Cow::Owned(bytes), places }
    }

    fn place(&self, at: usize) -> usize {
        self.places.get(at).copied().unwrap_or(at)
    }
}

/// True for what words of ours lack: whoever lends us a secret must not choose one that hides them.
const fn is_random(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase()
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret_forms::base64;
    use super::{Owner, Secrets, forms};

    fn with(raw: &str, owner: Owner) -> Secrets {
        let secrets = Secrets::default();
        secrets.register(raw, owner);
        secrets
    }

    #[test]
    fn redacts_every_form() {
        let secrets = with("nunu_a/b\"c+d", Owner::Key);
        let text = format!(
            "raw nunu_a/b\"c+d url nunu_a%2Fb%22c%2Bd lower nunu_a%2fb%22c%2bd json nunu_a/b\\\"c+d b64 {}",
            base64(b"nunu_a/b\"c+d")
        );
        assert_eq!(secrets.redact(&text), "raw *** url *** lower *** json *** b64 ***");
    }

    #[test]
    fn redacts_what_others_would_make_of_it() {
        let secrets = with("nunu_a&b\"", Owner::Key);
        let text = "markdown nunu\\_a&amp;b\" xml nunu_a&amp;b&quot; json nunu_a&b\\\" end";
        assert_eq!(secrets.redact(text), "markdown *** xml *** json *** end");
    }

    #[test]
    fn characters_that_nobody_sees_hide_nothing() {
        let secrets = with("nunu_key_é_0123456789", Owner::Key);
        for form in forms("nunu_key_é_0123456789") {
            for hidden in [
                "\u{200b}",
                "\0",
                "\u{1b}",
                "\n",
                "\r\n",
                "\u{ad}",
                "\u{2060}",
                "\u{fe0f}",
                "\u{e0041}",
                "\u{202e}\t",
            ] {
                let spread: String =
                    form.chars().flat_map(|letter| [letter.to_string(), hidden.to_owned()]).collect();
                let text = format!("{hidden}é before {spread}after {hidden}");
                let shown = secrets.redact(&text);
                let clean: String = shown.chars().filter(|letter| !super::is_hidden(*letter)).collect();
                assert_eq!(clean, "é before ***after ", "{text:?}");
            }
        }
    }

    #[test]
    fn secrets_that_overlap_or_hold_each_other_leave_nothing() {
        let secrets = with("abcd0123456789abcdefABCD", Owner::Lent);
        secrets.register("abcdefABCD-efghijklm0123", Owner::Lent);
        secrets.register("0123456789abcdef", Owner::Lent);
        assert_eq!(secrets.redact("x abcd0123456789abcdefABCD-efghijklm0123 y"), "x *** y");
        assert_eq!(secrets.redact("0123456789abcdef0123456789abcdef"), "******");
    }

    #[test]
    fn leaves_short_strings_and_words_alone() {
        for (raw, owner) in [
            ("abc", Owner::Key),
            ("pass123", Owner::User),
            ("failed", Owner::Lent),
            ("0123456789abcde", Owner::Lent),
            ("start-incomplete", Owner::Lent),
            ("every request is in", Owner::Lent),
        ] {
            let secrets = Secrets::default();
            assert!(secrets.register(raw, owner).is_empty(), "{raw}");
            assert_eq!(secrets.redact(raw), raw);
        }
    }

    #[test]
    fn nothing_lent_hides_a_value_that_is_output_whichever_comes_first() {
        let id = "789e0123-e89b-12d3-a456-426614174000";
        let signature = "ZZ9e0123-e89b-12d3-a456-426614174000";
        for first in [true, false] {
            let secrets = Secrets::default();
            if first {
                secrets.publish(&format!("{id},other"));
            }
            for part in [id, &id[3..25], signature] {
                assert_eq!(
                    secrets.register(part, Owner::Lent).is_empty(),
                    first && part != signature,
                    "{part}"
                );
            }
            secrets.publish(&format!("{id},other"));
            assert_eq!(secrets.redact(&format!("{id} {signature}")), format!("{id} ***"));
        }
    }

    #[test]
    fn what_was_lent_is_forgotten_with_its_last_use_and_the_key_never() {
        let (shared, one) = ("AKIA/20260303/auto", "0123456789abcdef");
        let secrets = with(shared, Owner::Lent);
        for raw in [shared, one, "nunu_key_0123456789"] {
            secrets.register(raw, Owner::Lent);
        }
        secrets.register("nunu_key_0123456789", Owner::Key);
        let text = format!("{shared} AKIA%2F20260303%2Fauto {one} nunu_key_0123456789");
        for raw in [shared, one, "nunu_key_0123456789", "nunu_key_0123456789", "never-registered-0123"] {
            secrets.forget(raw);
        }
        assert_eq!(secrets.redact(&text), format!("*** *** {one} ***"));
        secrets.forget(shared);
        assert_eq!(secrets.redact(&text), format!("{shared} AKIA%2F20260303%2Fauto {one} ***"));
        assert_eq!(
            secrets.0.read().unwrap().forms.values().flatten().count(),
            forms("nunu_key_0123456789").len()
        );
    }

    #[test]
    fn an_output_hides_the_key_alone() {
        let secrets = with("nunu_key_0123456789", Owner::Key);
        secrets.register("hunter2-hunter2", Owner::User);
        assert_eq!(secrets.redact_output("a/nunu_key_0123456789/hunter2-hunter2"), "a/***/hunter2-hunter2");
        assert_eq!(secrets.redact("a/nunu_key_0123456789/hunter2-hunter2"), "a/***/***");
        // Who lends us the key back does not make it less of a key.
        secrets.register("nunu_key_0123456789", Owner::Lent);
        secrets.publish("nunu_key_0123456789");
        assert_eq!(secrets.redact_output("nunu_key_0123456789"), "***");
    }
}
