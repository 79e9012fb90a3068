//! What a client asks a token for, as text: `repository:team/app:pull,push` (the registry token specification,
//! "Requesting a Token"; distribution's `docs/content/spec/auth/scope.md`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wharf_core::operation::Action;
use wharf_core::permissions::{Actions, Rights};
use wharf_oci::RepositoryName;

/// The most repositories that one token is asked for.
pub const MOST_REPOSITORIES: usize = 32;

/// The longest text of scopes in bytes.
pub const LONGEST: usize = 8 << 10;

/// Why a text is no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// It is longer than [`LONGEST`], or names more than [`MOST_REPOSITORIES`].
    #[error(
        "a token is asked for {MOST_REPOSITORIES} repositories and {LONGEST} bytes of scope at most"
    )]
    TooMuch,
    /// It has another form.
    #[error("{0:?} is no scope such as repository:team/app:pull,push or registry:catalog:*")]
    Form(String),
}

/// Reads scopes: one in each text, or several with spaces between them. Of actions and types that mean nothing here
/// nothing is granted, as the specification wants; `*` stands for all actions.
///
/// # Errors
/// [`ScopeError`].
pub fn parse<'a>(scopes: impl IntoIterator<Item = &'a str>) -> Result<Rights, ScopeError> {
    let mut repositories: BTreeMap<RepositoryName, Actions> = BTreeMap::new();
    let mut catalog = false;
    let mut left = LONGEST;
    let mut words = Vec::new();
    for text in scopes {
        left = left.checked_sub(text.len()).ok_or(ScopeError::TooMuch)?;
        words.extend(text.split_whitespace());
    }
    for scope in words {
        let (kind, rest) = scope.split_once(':').ok_or_else(|| form(scope))?;
        let (name, actions) = rest.rsplit_once(':').ok_or_else(|| form(scope))?;
        // `repository(plugin)` is the type with a class, which changes nothing.
        match kind.split('(').next().unwrap_or_default() {
            "repository" => {
                let name: RepositoryName = name.parse().map_err(|_| form(scope))?;
                let wanted = actions.split(',').flat_map(|action| named(action).iter()).collect();
                let known = repositories.entry(name).or_default();
                *known = union(*known, wanted);
            }
            "registry" => catalog |= name == "catalog" && actions.split(',').any(|it| it == "*"),
            _ => {}
        }
        if repositories.len() > MOST_REPOSITORIES {
            return Err(ScopeError::TooMuch);
        }
    }
    Ok(Rights { repositories: repositories.into_iter().collect(), catalog })
}

/// The scope that a request needed, for the challenge that tells its client.
#[must_use]
pub fn needed(repository: &RepositoryName, actions: Actions) -> String {
    let mut text = format!("repository:{repository}:");
    for (index, action) in actions.iter().enumerate() {
        let _ = write!(text, "{}{}", if index > 0 { "," } else { "" }, action.name());
    }
    text
}

fn named(action: &str) -> Actions {
    let known = Action::ALL.into_iter().filter(|known| action == "*" || action == known.name());
    known.collect()
}

fn union(one: Actions, other: Actions) -> Actions {
    other.iter().fold(one, Actions::with)
}

fn form(scope: &str) -> ScopeError {
    ScopeError::Form(scope.chars().take(100).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn read(scopes: &[&str]) -> Vec<String> {
        let rights = parse(scopes.iter().copied()).unwrap();
        rights.repositories.iter().map(|(name, actions)| needed(name, *actions)).collect()
    }

    #[test]
    fn scopes_come_apart_together_and_more_than_once() {
        assert_eq!(read(&["repository:team/app:pull,push"]), ["repository:team/app:pull,push"]);
        let both = ["repository:b:pull repository:a:push", "repository:a:pull"];
        assert_eq!(read(&both), ["repository:a:pull,push", "repository:b:pull"]);
        assert_eq!(read(&["repository:a:*"]), ["repository:a:pull,push,delete"]);
        assert_eq!(read(&["repository(plugin):a:pull"]), ["repository:a:pull"]);
        assert_eq!(read(&[]), [""; 0]);
    }

    #[test]
    fn what_means_nothing_here_grants_nothing() {
        assert_eq!(read(&["repository:a:fly"]), ["repository:a:"]);
        assert_eq!(read(&["cluster:all:*", "registry:other:*"]), [""; 0]);
        assert!(!parse(["registry:catalog:pull"]).unwrap().catalog);
        assert!(parse(["registry:catalog:*"]).unwrap().catalog);
    }

    #[test]
    fn another_form_is_refused_with_its_text() {
        for text in
            ["repository", "repository:a", "repository:A:pull", "repository:a/../b:pull", "x"]
        {
            assert_eq!(parse([text]), Err(ScopeError::Form(text.into())), "{text}");
        }
    }

    #[test]
    fn more_than_the_limits_is_refused() {
        let many: Vec<String> =
            (0..=MOST_REPOSITORIES).map(|number| format!("repository:r{number}:pull")).collect();
        assert_eq!(parse(many.iter().map(String::as_str)), Err(ScopeError::TooMuch));
        assert!(parse(many[1..].iter().map(String::as_str)).is_ok());
        let long = format!("repository:a:{}", "pull,".repeat(LONGEST / 5));
        assert_eq!(parse([long.as_str()]), Err(ScopeError::TooMuch));
    }
}
