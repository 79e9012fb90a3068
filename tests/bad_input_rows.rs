//! Rows of the table of bad requests: what is sent, byte for byte, and what must be answered.

use crate::support::registry::OCI_MANIFEST;

/// A row: `{upload}` in it stands for an upload that was begun in the repository `app`.
pub struct Row {
    pub what: &'static str,
    pub request: Vec<u8>,
    /// Whether the client says behind it that nothing more will come.
    pub is_cut: bool,
    /// 0 where the server closes without a reply.
    pub status: u16,
    /// Empty when the reply has no body: then it is the HTTP layer's own.
    pub code: &'static str,
    pub message: String,
}

pub fn row(
    what: &'static str,
    request: impl Into<Vec<u8>>,
    status: u16,
    code: &'static str,
    message: impl Into<String>,
) -> Row {
    Row { what, request: request.into(), is_cut: false, status, code, message: message.into() }
}

/// A request that ends before its body does.
pub fn cut(
    what: &'static str,
    request: Vec<u8>,
    status: u16,
    code: &'static str,
    message: &str,
) -> Row {
    Row { is_cut: true, ..row(what, request, status, code, message) }
}

/// A request with these further lines in its head, and this body.
pub fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{line} HTTP/1.1\r\nHost: registry.test\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// The same, with the body's length.
pub fn sized(line: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    request(line, &format!("{headers}Content-Length: {}\r\n", body.len()), body)
}

pub fn get(target: &str) -> Vec<u8> {
    request(&format!("GET {target}"), "", b"")
}

pub fn get_bytes(before: &[u8], inside: &[u8], behind: &[u8]) -> Vec<u8> {
    [b"GET ", before, inside, behind, b" HTTP/1.1\r\nHost: registry.test\r\n\r\n"].concat()
}

pub fn post(target: &str) -> Vec<u8> {
    sized(&format!("POST {target}"), "", "")
}

pub fn manifest(body: impl AsRef<[u8]>) -> Vec<u8> {
    typed(OCI_MANIFEST, body)
}

pub fn typed(kind: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    sized("PUT /v2/app/manifests/new", &format!("Content-Type: {kind}\r\n"), body)
}

/// The message about a text, quoted as the server quotes it.
pub fn bad(what: &str, quoted: &str, why: &str) -> String {
    format!("{what}{quoted} is not valid: {why}")
}

/// What names, tags, digests and ranges must be.
pub const NAME: &str = "a repository name is made of components between slashes, each of lower-case \
    letters and digits, separated inside by one '.', one or two '_', or any number of '-'";
pub const TAG: &str =
    "a tag has 1 to 128 letters, digits, '_', '.' or '-', and begins with none of '.' and '-'";
pub const DIGEST: &str = "a digest has the form algorithm:hex, such as sha256:<64 hex digits>";
pub const LOWER_CASE: &str = "a digest is written in lower-case hex digits (0-9, a-f)";
pub const ALGORITHM: &str = "the digest's algorithm must be sha256 or sha512";
pub const UTF_8: &str = "it is not UTF-8";
pub const RANGE: &str =
    "a chunk's Content-Range has the form first-last, both inclusive, such as 0-1023";
