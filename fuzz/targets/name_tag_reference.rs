//! Any text as a repository's name, a tag and a reference: taken where the specification's expressions say so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_fuzz::oci::regular_expression::{NAME, TAG, matches};
use wharf_oci::{Digest, Reference, RepositoryName, Tag};

fuzz_target!(|text: &str| {
    let name = text.parse::<RepositoryName>();
    let is_short = text.len() <= RepositoryName::MAX_LENGTH;
    assert_eq!(name.is_ok(), is_short && matches(NAME, text));
    if let Ok(name) = name {
        assert_eq!(name.to_string(), text);
        assert!(text.starts_with(name.namespace()));
    }

    let tag = text.parse::<Tag>();
    assert_eq!(tag.is_ok(), is_short && matches(TAG, text));
    if let Ok(tag) = &tag {
        assert_eq!(tag.to_string(), text);
    }

    match text.parse::<Reference>() {
        Ok(reference) => {
            assert_eq!(reference.to_string(), text);
            match reference {
                Reference::Tag(found) => assert_eq!(Ok(found), tag),
                Reference::Digest(found) => assert_eq!(Ok(found), text.parse()),
            }
        }
        Err(_) => assert!(tag.is_err() && text.parse::<Digest>().is_err()),
    }
});
