//! The names under which secrets arrive: our own, once, and the words that tell those of others. Pure.

use crate::model::secrets::Owner;

use super::settings::Definition;

/// A secret of this program.
pub(super) struct Secret {
    /// Its name as an input.
    name: &'static str,
    /// Another variable for it.
    pub(super) alias: &'static str,
    owner: Owner,
}

/// The API key.
pub(super) const API_TOKEN: Secret = Secret { name: "api-token", alias: "NUNU_API_KEY", owner: Owner::Key };
/// The token for the comment, of GitHub or GitLab.
const COMMENT_TOKEN: Secret = Secret { name: "github-token", alias: "NUNU_GITLAB_TOKEN", owner: Owner::User };
const SECRETS: [Secret; 2] = [API_TOKEN, COMMENT_TOKEN];

/// Words in the names of variables that hold secrets as a rule.
const WORDS: [&str; 5] = ["TOKEN", "KEY", "SECRET", "PASS", "CRED"];

impl Secret {
    /// Its variable.
    pub(super) fn variable(&self) -> String {
        Definition::variable_of(self.name)
    }

    /// Variables and inputs that may hold it, wherever they count.
    fn variables(&self) -> [String; 5] {
        let upper = self.name.to_ascii_uppercase();
        let snake = upper.replace('-', "_");
        [
            self.variable(),
            self.alias.to_owned(),
            format!("INPUT_{upper}"),
            format!("INPUT_{snake}"),
            format!("NUNU_INPUT_{snake}"),
        ]
    }
}

/// Variables and inputs that hold secrets of ours, wherever they count, and whose each is: masked before anything is printed.
pub(crate) fn secret_variables() -> impl Iterator<Item = (String, Owner)> {
    SECRETS.iter().flat_map(|secret| secret.variables().map(|variable| (variable, secret.owner)))
}

/// True for such a variable.
pub(super) fn is_secret_variable(name: &str) -> bool {
    secret_variables().any(|(variable, _)| variable == name)
}

/// True for a setting or input that is a secret.
pub(super) fn is_secret_setting(name: &str) -> bool {
    SECRETS.iter().any(|secret| secret.name == name)
}

/// True for a key of a file under which people put secrets.
pub(super) fn is_secret_key(key: &str) -> bool {
    let upper = key.to_ascii_uppercase().replace('-', "_");
    ["TOKEN", "APIKEY"].contains(&upper.as_str())
        || is_secret_variable(&upper)
        || is_secret_variable(&format!("NUNU_{upper}"))
}

/// True for names of variables that hold secrets as a rule.
pub(super) fn names_a_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    WORDS.iter().any(|word| upper.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{is_secret_key, names_a_secret, secret_variables};
    use crate::config::settings::definition;

    #[test]
    fn one_list_has_every_name_of_ours() {
        let names: Vec<String> = secret_variables().map(|(name, _)| name).collect();
        for name in [
            "NUNU_API_TOKEN",
            "NUNU_API_KEY",
            "INPUT_API-TOKEN",
            "INPUT_API_TOKEN",
            "NUNU_INPUT_API_TOKEN",
            "NUNU_GITHUB_TOKEN",
            "INPUT_GITHUB-TOKEN",
            "INPUT_GITHUB_TOKEN",
            "NUNU_INPUT_GITHUB_TOKEN",
            "NUNU_GITLAB_TOKEN",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        assert!(names.iter().all(|name| names_a_secret(name)));
        assert_eq!(definition("github-token").unwrap().aliases, ["NUNU_GITLAB_TOKEN"]);
        for key in
            ["api_token", "api-key", "apikey", "token", "NUNU_API_TOKEN", "nunu_api_key", "github_token"]
        {
            assert!(is_secret_key(key), "{key}");
        }
        assert!(!is_secret_key("name") && !is_secret_key("tokens"));
    }
}
