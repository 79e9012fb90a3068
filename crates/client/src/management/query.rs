//! Addresses of the API: paths whose segments may hold anything, and parameters behind them.

use crate::connection::encode;

/// Where everything of the API is.
const ROOT: &str = "/api/v1";

/// The path of these segments below `/api/v1`; a repository's name is one of them.
pub(super) fn path(segments: &[&str]) -> String {
    let mut path = ROOT.to_owned();
    for segment in segments {
        path.push('/');
        path.push_str(&encode(segment).replace('/', "%2F"));
    }
    path
}

/// The path with the parameters that have a value.
pub(super) fn with_parameters(mut path: String, parameters: &[(&str, Option<String>)]) -> String {
    for (name, value) in parameters {
        let Some(value) = value else { continue };
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(name);
        path.push('=');
        path.push_str(&encode(value));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_one_segment_and_a_parameter_is_escaped() {
        let tags = path(&["repositories", "team/app", "tags"]);
        assert_eq!(tags, "/api/v1/repositories/team%2Fapp/tags");
        let parameters =
            [("after", Some("a&b+c".to_owned())), ("x", None), ("y", Some("1".into()))];
        assert_eq!(with_parameters("/a".into(), &parameters), "/a?after=a%26b%2Bc&y=1");
    }
}
