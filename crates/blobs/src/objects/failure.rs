//! What an object store's errors mean to whoever called.

use std::error::Error as _;

use object_store::Error;
use wharf_core::StoreError;
use wharf_core::blobs::StageError;

/// The fault that an error is, said with what was being done.
pub(super) fn store_error(doing: &str, error: &Error) -> StoreError {
    let advice = match error {
        Error::PermissionDenied { .. } => {
            " (the key may not do this here: check its rights on the bucket and the prefix)"
        }
        Error::Unauthenticated { .. } => {
            " (the store does not know the key, or this machine's clock is wrong)"
        }
        _ => "",
    };
    let mut text = format!("the object store: {doing}: {error}");
    let mut source = error.source();
    while let Some(inner) = source {
        // Most errors repeat what they wrap.
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    // Replies are quoted whole.
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(600).collect();
    StoreError::Unavailable(format!("{text}{advice}"))
}

/// The same for what is staged: what is not there is [`StageError::NotFound`].
pub(super) fn stage_error(doing: &str, error: &Error) -> StageError {
    match error {
        Error::NotFound { .. } => StageError::NotFound,
        error => store_error(doing, error).into(),
    }
}

/// Something took longer than it may.
pub(super) fn late(doing: &str) -> StoreError {
    StoreError::Unavailable(format!("the object store: {doing}: no answer in time"))
}

/// What an object that is deleted twice makes the second time is no error.
pub(super) fn unless_missing(
    doing: &str,
    result: object_store::Result<()>,
) -> Result<(), StoreError> {
    match result {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(store_error(doing, &error)),
    }
}
