//! Proxies from the environment snapshot: `HTTPS_PROXY` or `ALL_PROXY`, less `NO_PROXY`, in either case of letters.
//! Loopback is always reached directly, and `HTTP_PROXY` is never used: plain HTTP goes to loopback alone.

use reqwest::{NoProxy, Proxy, Url};

use crate::model::Env;

use super::error::HttpError;

/// A usable proxy setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// For the clients.
    pub(crate) proxy: Proxy,
    /// The variable it came from.
    pub(crate) variable: &'static str,
    /// Host and port, for people.
    pub(crate) host: String,
    /// Its password, which must never be shown.
    pub(crate) password: Option<String>,
}

/// The proxy for HTTPS, if the environment names one.
pub(crate) fn from_env(env: &Env) -> Result<Option<Setting>, HttpError> {
    let Some((variable, raw)) = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
        .into_iter()
        .find_map(|variable| env.get(variable).map(|raw| (variable, raw.trim())))
        .filter(|(_, raw)| !raw.is_empty())
    else {
        return Ok(None);
    };
    let wrong = || {
        HttpError::Setup(format!(
            "{variable}: not a proxy address of the form http://host:port (or https://)"
        ))
    };
    let whole = if raw.contains("://") { raw.to_owned() } else { format!("http://{raw}") };
    let url = Url::parse(&whole).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong());
    }
    let direct = ["NO_PROXY", "no_proxy"].into_iter().find_map(|name| env.get(name)).unwrap_or_default();
    let proxy =
        Proxy::https(url.clone()).map_err(|_| wrong())?.no_proxy(NoProxy::from_string(&bypass(direct)));
    let password = url
        .password()
        .map(|password| percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned());
    Ok(Some(Setting { proxy, variable, host: super::url::host_of(&url), password }))
}

/// `NO_PROXY` in the form the client reads: names match themselves and all names below, addresses may be CIDR ranges, `*` is everything.
/// Accepts what other tools accept: spaces as separators, `*.name`, and `name:443`.
fn bypass(raw: &str) -> String {
    let mut entries: Vec<String> = raw
        .split([',', ' ', '\t', '\n'])
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let entry = entry.strip_prefix("*.").unwrap_or(entry);
            entry.strip_suffix(":443").unwrap_or(entry).trim_matches(['[', ']']).to_owned()
        })
        .collect();
    entries.extend(["localhost", "127.0.0.0/8", "::1"].map(str::to_owned));
    entries.join(",")
}

#[cfg(test)]
mod tests {
    use super::{bypass, from_env};
    use crate::model::Env;

    #[test]
    fn takes_the_https_proxy_only() {
        assert!(from_env(&Env::from([("HTTP_PROXY", "http://proxy:1")])).unwrap().is_none());
        assert!(from_env(&Env::from([("HTTPS_PROXY", " ")])).unwrap().is_none());
        for (variable, value, host) in [
            ("HTTPS_PROXY", "http://proxy.corp:3128", "proxy.corp:3128"),
            ("https_proxy", "proxy.corp:3128", "proxy.corp:3128"),
            ("ALL_PROXY", "https://proxy.corp", "proxy.corp"),
        ] {
            let setting = from_env(&Env::from([(variable, value)])).unwrap().unwrap();
            assert_eq!((setting.variable, setting.host.as_str()), (variable, host));
        }
    }

    #[test]
    fn names_the_variable_and_hides_its_value() {
        for value in ["socks5://user:hunter22@proxy:1080", "http://", "http://user:hunter22@:80:80"] {
            let error = from_env(&Env::from([("HTTPS_PROXY", value)])).unwrap_err().to_string();
            assert!(error.starts_with("HTTPS_PROXY: ") && !error.contains("hunter22"), "{error}");
        }
    }

    #[test]
    fn finds_the_password() {
        let env = Env::from([("HTTPS_PROXY", "http://user:p%40ss@proxy:3128")]);
        assert_eq!(from_env(&env).unwrap().unwrap().password.as_deref(), Some("p@ss"));
    }

    #[test]
    fn reads_no_proxy_as_other_tools_do() {
        let loopback = "localhost,127.0.0.0/8,::1";
        for (raw, want) in [
            ("", ""),
            (".corp.example, 10.0.0.0/8", ".corp.example,10.0.0.0/8,"),
            ("*.corp.example nunu.ai:443", "corp.example,nunu.ai,"),
            ("*", "*,"),
        ] {
            assert_eq!(bypass(raw), format!("{want}{loopback}"), "{raw}");
        }
    }
}
