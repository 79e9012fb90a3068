//! A part's URL, with the part's length among what is signed (AWS Signature Version 4, in the query).
//!
//! The library signs no `Content-Length`. So its own URL is taken apart and signed once more: place, time, region and
//! session are as the library says, the headers that are signed are ours.

use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use object_store::aws::AwsCredential;
use reqwest::Url;
use sha2::{Digest, Sha256};

const SIGNATURE: &str = "X-Amz-Signature";
const SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";

/// The URL, good for a request of `method` that has `length` bytes. `None` where `url` was not signed by this
/// credential, which may just have been renewed, or is of another form.
pub(super) fn with_length(
    url: &Url,
    method: &Method,
    length: u64,
    credential: &AwsCredential,
) -> Option<String> {
    let signed = url.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let mut query: Vec<(&str, &str)> = signed.filter(|(name, _)| *name != SIGNATURE).collect();
    let value = |wanted: &str| query.iter().find(|(name, _)| *name == wanted).map(|(_, it)| *it);
    let (date, scope) = (value("X-Amz-Date")?, value("X-Amz-Credential")?.replace("%2F", "/"));
    let scope = scope.strip_prefix(&credential.key_id)?.strip_prefix('/')?;
    (value(SIGNED_HEADERS)? == "host").then_some(())?;
    for (name, value) in &mut query {
        if *name == SIGNED_HEADERS {
            *value = "content-length%3Bhost";
        }
    }
    query.sort_unstable();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let query = query.join("&");
    let host = url.port().map_or_else(
        || url.host_str().map(str::to_owned),
        |port| Some(format!("{}:{port}", url.host_str()?)),
    )?;
    let path = url.path();
    let request = format!(
        "{method}\n{path}\n{query}\ncontent-length:{length}\nhost:{host}\n\ncontent-length;host\nUNSIGNED-PAYLOAD"
    );
    let request = hexadecimal(&Sha256::digest(request));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{request}");
    let secret = format!("AWS4{}", credential.secret_key).into_bytes();
    let key = scope.split('/').try_fold(secret, |key, step| authenticated(&key, step))?;
    let signature = hexadecimal(&authenticated(&key, &text)?);
    let mut whole = url.clone();
    whole.set_query(Some(&format!("{query}&{SIGNATURE}={signature}")));
    Some(whole.into())
}

fn authenticated(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn credential(key_id: &str) -> AwsCredential {
        let (key_id, secret_key) = (key_id.to_owned(), "secret".to_owned());
        AwsCredential { key_id, secret_key, token: None }
    }

    #[test]
    fn the_length_changes_the_signature_and_nothing_else() {
        let url: Url = "https://b.s3.eu-west-1.amazonaws.com/p/content-1?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=KEY%2F20261124%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=20261124T080000Z\
             &X-Amz-Expires=900&X-Amz-SignedHeaders=host&partNumber=1&uploadId=a%2Bb&X-Amz-Signature=00"
            .parse()
            .unwrap();
        let of = |length| with_length(&url, &Method::PUT, length, &credential("KEY")).unwrap();
        let (five, six) = (of(5), of(6));
        let (query, signature) = five.split_once("&X-Amz-Signature=").unwrap();
        assert_eq!(signature.len(), 64);
        assert_ne!(five, six);
        assert!(six.starts_with(query));
        let expected = url.as_str().replace("=host", "=content-length%3Bhost");
        assert_eq!(query, expected.split_once("&X-Amz-Signature").unwrap().0);
        assert_eq!(with_length(&url, &Method::PUT, 5, &credential("OTHER")), None);
    }
}
