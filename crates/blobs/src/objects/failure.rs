//! What an object store's errors mean to whoever called, and what a person can do about them.

use std::error::Error as _;

use http::StatusCode;
use object_store::Error;
use wharf_core::StoreError;
use wharf_core::blobs::StageError;

/// The longest text of a store that is repeated, in characters.
const LONGEST: usize = 600;

/// The fault that an error is, said with what was being done.
pub(super) fn store_error(doing: &str, error: &Error) -> StoreError {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        // Most errors repeat what they wrap.
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    said(doing, &text)
}

/// The same for what is staged: what is not there is [`StageError::NotFound`].
pub(super) fn stage_error(doing: &str, error: &Error) -> StageError {
    let text = error.to_string();
    let missing = matches!(error, Error::NotFound { .. });
    if is_missing(missing, code(&text)) {
        return StageError::NotFound;
    }
    store_error(doing, error).into()
}

/// The fault that a reply is, and whether it says that what was named is not there.
pub(super) fn reply_error(doing: &str, status: StatusCode, text: &str) -> (StoreError, bool) {
    let missing = is_missing(status == StatusCode::NOT_FOUND, code(text));
    (said(doing, &format!("{status} {text}")), missing)
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

/// Whether what was named is not there: not where the bucket itself is missing, and also where the parts of an upload
/// are not those that were recorded, since it was completed, dropped, or written by another request.
fn is_missing(not_found: bool, code: &str) -> bool {
    match code {
        "NoSuchBucket" | "ContainerNotFound" => false,
        "NoSuchUpload" | "InvalidPart" | "InvalidBlockList" => true,
        _ => not_found,
    }
}

/// The store's own word for a fault: `<Code>` of the document that S3, Google and Azure all send.
fn code(text: &str) -> &str {
    let rest = text.split_once("<Code>").map_or("", |(_, rest)| rest);
    rest.split_once("</Code>").map_or("", |(code, _)| code.trim())
}

fn said(doing: &str, text: &str) -> StoreError {
    let advice = advice(code(text), text).map(|advice| format!(" ({advice})")).unwrap_or_default();
    // Replies are quoted whole.
    let short: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = short.chars().take(LONGEST).collect();
    let whole = format!("the object store: {doing}: {short}{advice}");
    match code(text) {
        "QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" => StoreError::Full(whole),
        _ => StoreError::Unavailable(whole),
    }
}

/// What a person can do.
fn advice(code: &str, text: &str) -> Option<&'static str> {
    const REGION: &str = "the bucket is in another region: set AWS_REGION to it";
    Some(match code {
        "NoSuchBucket" | "ContainerNotFound" => {
            "there is no such bucket: create it, or name the one that is meant in blobs.url"
        }
        "InvalidAccessKeyId" => {
            "the store does not know this key: check AWS_ACCESS_KEY_ID or the profile"
        }
        "SignatureDoesNotMatch" => "the secret does not belong to this key: check it",
        "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" => {
            "the session's credentials have expired or are wrong: renew them"
        }
        "RequestTimeTooSkewed" | "RequestExpired" => {
            "this machine's clock and the store's differ too much: set it, by NTP"
        }
        "AuthenticationFailed" | "InvalidAuthenticationInfo" | "AuthorizationFailure" => {
            "the store does not accept the credentials: check the account and its key, and this machine's clock"
        }
        "AccessDenied"
        | "AllAccessDisabled"
        | "AuthorizationPermissionMismatch"
        | "InsufficientAccountPermissions" => {
            "the key may not do this here: grant it reading, writing, deleting and listing of the bucket's objects, \
             and listing and dropping of its multipart uploads"
        }
        "PermanentRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException" => REGION,
        "SlowDown" | "ServerBusy" | "TooManyRequests" => "the store asks to slow down",
        _ if text.contains("incorrectly configured region") => REGION,
        _ if text.contains("169.254.") || text.contains("metadata.google.internal") => {
            "no credentials are in the environment or a profile, and the machine's cloud gave none: set them"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str) -> (String, bool) {
        let text = format!("<Error>\n  <Code>{code}</Code><Message>Why.</Message></Error>");
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let (fault, missing) = reply_error("writing", status, &text);
        (fault.to_string(), missing)
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        for (status, code, says) in [
            (404, "NoSuchBucket", "create it"),
            (404, "ContainerNotFound", "create it"),
            (403, "InvalidAccessKeyId", "does not know this key"),
            (403, "SignatureDoesNotMatch", "does not belong"),
            (403, "RequestTimeTooSkewed", "clock"),
            (403, "AuthenticationFailed", "clock"),
            (403, "AccessDenied", "grant"),
            (301, "PermanentRedirect", "AWS_REGION"),
            (503, "SlowDown", "slow down"),
        ] {
            let (text, missing) = refused(status, code);
            assert!(text.starts_with("unavailable: the object store: writing: "), "{text}");
            assert!(text.contains(says) && text.contains(code) && !missing, "{text}");
        }
        assert!(refused(507, "XMinioStorageFull").0.starts_with("full: "));
        assert!(!refused(500, "InternalError").0.contains('('));
    }

    #[test]
    fn what_is_not_there_is_told_from_what_is_refused() {
        for (status, code, expected) in [
            (404, "NoSuchKey", true),
            (404, "", true),
            (404, "NoSuchUpload", true),
            (400, "InvalidPart", true),
            (400, "InvalidBlockList", true),
            (404, "NoSuchBucket", false),
            (403, "AccessDenied", false),
            (500, "InternalError", false),
        ] {
            assert_eq!(refused(status, code).1, expected, "{status} {code}");
        }
    }

    #[test]
    fn a_long_reply_is_cut() {
        let (fault, _) = reply_error("writing", StatusCode::BAD_GATEWAY, &"ä".repeat(5000));
        assert!(fault.to_string().chars().count() < LONGEST + 100);
    }
}
