//! Reading `WWW-Authenticate`: what a registry wants to see (RFC 9110, section 11.6.1; RFC 6750, section 3).

use http::{HeaderMap, header};

/// The one way of the registry's that is taken: Bearer before Basic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// The challenge in a reply; `None` where there is none that is known here.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut basic = None;
        for value in headers.get_all(header::WWW_AUTHENTICATE) {
            let Ok(text) = value.to_str() else { continue };
            for (scheme, parameters) in challenges(text) {
                let get = |name: &str| {
                    let find = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
                    parameters.iter().find(find).map(|(_, value)| value.clone())
                };
                if scheme.eq_ignore_ascii_case("bearer")
                    && let Some(realm) = get("realm")
                {
                    return Some(Self::Bearer {
                        realm,
                        service: get("service"),
                        scope: get("scope"),
                    });
                } else if scheme.eq_ignore_ascii_case("basic") {
                    basic = Some(Self::Basic);
                }
            }
        }
        basic
    }
}

/// The schemes in one header, each with its parameters.
fn challenges(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() {
        let end = rest.find([' ', ',', '=', '\t']).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        let behind = behind.trim_start_matches([' ', '\t']);
        match (behind.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let (value, behind) = parameter_value(value.trim_start_matches([' ', '\t']));
                parameters.push((word.to_owned(), value));
                rest = behind;
            }
            // A parameter before any scheme means nothing.
            (Some(value), None) => rest = parameter_value(value).1,
            (None, _) => {
                if !word.is_empty() {
                    found.push((word.to_owned(), Vec::new()));
                }
                rest = behind;
            }
        }
        rest = rest.trim_start_matches([' ', ',', '\t', '=']);
    }
    found
}

/// A token or a quoted string, and what stands behind it.
fn parameter_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(values: &[&'static str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::WWW_AUTHENTICATE, http::HeaderValue::from_static(value));
        }
        Challenge::of(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(ToOwned::to_owned),
            scope: scope.map(ToOwned::to_owned),
        })
    }

    #[test]
    fn a_bearer_challenge_is_read() {
        assert_eq!(
            of(&[
                r#"Bearer realm="https://a.example/token",service="a.example",scope="repository:a/b:pull,push""#
            ]),
            bearer("https://a.example/token", Some("a.example"), Some("repository:a/b:pull,push"))
        );
        assert_eq!(
            of(&[r#"bearer Service=x , realm = "https://a.example/\"t\"" "#]),
            bearer("https://a.example/\"t\"", Some("x"), None)
        );
    }

    #[test]
    fn bearer_is_taken_before_basic() {
        assert_eq!(of(&[r#"Basic realm="x", Bearer realm="r""#]), bearer("r", None, None));
        assert_eq!(of(&[r#"Basic realm="x""#, r#"Bearer realm="r""#]), bearer("r", None, None));
        assert_eq!(of(&["Basic"]), Some(Challenge::Basic));
    }

    #[test]
    fn nonsense_is_no_challenge_and_ends() {
        for text in
            ["", "=", "a=b", "Bearer", "Bearer service=\"x", "Negotiate abc==", ",,,= =\"\\"]
        {
            assert_eq!(of(&[Box::leak(text.to_owned().into_boxed_str())]), None, "{text}");
        }
    }
}
