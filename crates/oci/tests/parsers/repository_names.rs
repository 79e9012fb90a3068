//! Names of repositories against the specification's own regular expression.

use proptest::prelude::*;
use wharf_oci::{NameError, RepositoryName};

use crate::oracle::regular_expression::{NAME, matches};

fn parse(text: &str) -> Result<RepositoryName, NameError> {
    text.parse()
}

fn is_name(text: &str) -> bool {
    text.len() <= RepositoryName::MAX_LENGTH && matches(NAME, text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_text_of_a_names_characters_is_a_name_where_the_specification_says_so(
        text in "[ab09._/-]{0,24}",
    ) {
        prop_assert_eq!(parse(&text).is_ok(), is_name(&text), "{}", text);
    }

    #[test]
    fn any_text_is_a_name_where_the_specification_says_so(text in any::<String>()) {
        prop_assert_eq!(parse(&text).is_ok(), is_name(&text));
    }

    #[test]
    fn a_name_of_the_specifications_form_is_taken_and_written_as_it_was(
        text in "[a-z0-9]{1,9}((\\.|_|__|-{1,5})[a-z0-9]{1,9}){0,4}(/[a-z0-9]{1,9}((\\.|_|__|-{1,3})[a-z0-9]{1,9}){0,2}){0,3}",
    ) {
        prop_assume!(text.len() <= RepositoryName::MAX_LENGTH);
        let name = parse(&text).unwrap();
        prop_assert_eq!(name.as_str(), &text);
        prop_assert_eq!(name.to_string(), text.clone());
        prop_assert_eq!(name.namespace(), text.split('/').next().unwrap());
    }

    #[test]
    fn a_name_with_one_foreign_character_is_refused(
        text in "[a-z0-9]{1,9}(/[a-z0-9]{1,9}){0,3}",
        foreign in any::<char>().prop_filter("foreign", |c| {
            !c.is_ascii_lowercase() && !c.is_ascii_digit() && !"._-/".contains(*c)
        }),
        at in any::<prop::sample::Index>(),
    ) {
        let mut characters: Vec<char> = text.chars().collect();
        characters.insert(at.index(characters.len() + 1), foreign);
        let text: String = characters.into_iter().collect();
        prop_assert_eq!(parse(&text), Err(NameError::Component));
    }

    #[test]
    fn names_sort_as_their_texts_do(left in "[ab]{1,4}(/[ab]{1,4})?", right in "[ab]{1,4}(/[ab]{1,4})?") {
        prop_assert_eq!(parse(&left).unwrap().cmp(&parse(&right).unwrap()), left.cmp(&right));
    }
}

#[test]
fn the_longest_name_has_255_characters() {
    assert!(parse(&"a".repeat(255)).is_ok());
    assert_eq!(parse(&"a".repeat(256)), Err(NameError::TooLong));
    assert!(parse(&"a/".repeat(127)).is_err());
    assert!(parse(&format!("{}a", "a/".repeat(127))).is_ok());
}

#[test]
fn names_of_real_repositories_are_taken() {
    for text in [
        "library/alpine",
        "alpine",
        "a",
        "0",
        "a/b/c/d/e/f",
        "my__project/my-image",
        "k8s.gcr.io/pause",
        "a---b",
        "a_b.c--d__e",
    ] {
        assert!(parse(text).is_ok(), "{text}");
    }
}

#[test]
fn names_that_would_leave_their_place_are_refused() {
    for text in [
        "", "/", "a/", "/a", "a//b", ".", "..", "a/..", "../a", "a/./b", "a..b", "a___b", "a._b",
        "-a", "a-", "_a", "a_", "A", "a b", "a:b", "a@b", "a%2fb", "a\0", "a\n", "a\\b", "é", "ａ",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}
