//! Hides passwords in texts that are about to be printed.

/// What stands where a secret stood.
const HIDDEN: &str = "***";

/// Hides the password of a URL's user part and its query. A text that is no URL is returned as it
/// is, or hidden as a whole where it `may_be_secret`: a password may be anywhere in it.
pub fn redact(may_be_secret: bool, text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        let harmless = !may_be_secret || text.is_empty();
        return if harmless { text.into() } else { HIDDEN.into() };
    };
    // The last `@` of all, not of the authority: an unescaped password may hold `/`, `?` and `@`.
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => {
            let name = user.split_once(':').map_or("", |(name, _)| name);
            (format!("{name}:{HIDDEN}@"), place)
        }
        None => (String::new(), rest),
    };
    let shown = match place.split_once('?') {
        Some((place, _)) => format!("{scheme}://{user}{place}?{HIDDEN}"),
        None => format!("{scheme}://{user}{place}"),
    };
    // In a list of URLs there may be one of the form `host=… password=…`.
    if may_be_secret && shown.contains('=') { HIDDEN.into() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn the_password_of_a_url_is_hidden() {
        assert_eq!(redact(true, "postgres://u:p@h/db"), "postgres://u:***@h/db");
        assert_eq!(redact(false, "redis://u:p@h/1"), "redis://u:***@h/1");
    }

    #[test]
    fn a_password_with_marks_of_its_own_is_hidden() {
        assert_eq!(redact(true, "postgres://u:p@:/?s@h/db"), "postgres://u:***@h/db");
        assert_eq!(redact(true, "postgres://u:p/@x@h/db"), "postgres://u:***@h/db");
    }

    #[test]
    fn a_user_without_a_password_may_be_a_token_and_is_hidden() {
        assert_eq!(redact(false, "https://token@h/"), "https://:***@h/");
    }

    #[test]
    fn a_query_is_hidden() {
        assert_eq!(redact(true, "s3://b/p?secret=x"), "s3://b/p?***");
    }

    #[test]
    fn each_password_of_a_list_is_hidden() {
        assert_eq!(
            redact(true, "postgres://u:p@h/db,postgres://u:p@i/db"),
            "postgres://u:***@i/db"
        );
        assert_eq!(redact(true, "postgres://u:p@h/db,host=i password=p"), "***");
        assert_eq!(redact(true, "host=i password=p,postgres://u:p@h/db"), "***");
    }

    #[test]
    fn what_is_no_url_is_hidden_only_where_it_may_be_secret() {
        assert_eq!(redact(true, "host=h password=x"), "***");
        assert_eq!(redact(false, "abc"), "abc");
        assert_eq!(redact(true, ""), "");
    }
}
