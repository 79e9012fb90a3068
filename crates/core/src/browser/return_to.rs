//! Where a browser goes on after a login.

use std::str::FromStr;

/// The longest path in bytes.
const LONGEST_PATH: usize = 512;

/// A path of this registry, with its query: where a browser goes on. It cannot lead anywhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The path, which begins with one slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The page that says who is logged in.
impl Default for ReturnTo {
    fn default() -> Self {
        Self("/login".to_owned())
    }
}

/// A text that is no path of this registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no path of this registry")]
pub struct NoPath;

impl FromStr for ReturnTo {
    type Err = NoPath;

    fn from_str(text: &str) -> Result<Self, NoPath> {
        // Browsers take `//host` and `/\host` for another host, and leave out tabs and line ends before they look.
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/?&=%-._~:+".contains(&byte);
        let is_path = text.len() <= LONGEST_PATH
            && text.starts_with('/')
            && !text.starts_with("//")
            && text.bytes().all(plain);
        if is_path { Ok(Self(text.to_owned())) } else { Err(NoPath) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_place_after_a_login() {
        for path in ["/", "/login", "/login/device?user_code=BCDF-GHJK", "/ui/team/app?tag=v1%2B2"]
        {
            assert_eq!(path.parse::<ReturnTo>().unwrap().as_str(), path);
        }
        for elsewhere in [
            "",
            "login",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "https://evil.example/",
            "/%0d%0aSet-Cookie: a",
            "javascript:alert(1)",
            &format!("/{}", "a".repeat(LONGEST_PATH)),
        ] {
            assert!(elsewhere.parse::<ReturnTo>().is_err(), "{elsewhere:?}");
        }
    }
}
