//! What is no HTTP, and what is two requests in one.

use super::rows::{Row, get, request, row};
use crate::support::registry::digest;

const HOST: &str = "an HTTP/1.1 request has exactly one Host header";

#[rustfmt::skip]
pub fn http() -> Vec<Row> {
    let long = format!("/v2/{}", "a".repeat(70_000));
    let whole = digest(b"{}");
    let header = format!("X-Long: {}\r\n", "a".repeat(70_000));
    let many = "X-Many: a\r\n".repeat(200);
    let open = request("GET /v2/", "", b"");
    let open = String::from_utf8(open).unwrap();
    let smuggled = "0\r\n\r\nDELETE /v2/app/manifests/latest HTTP/1.1\r\nHost: a\r\n\r\n";
    let both = |headers: &str| request("PUT /v2/app/manifests/new", headers, smuggled.as_bytes());
    vec![
        row("a range that is none", request(&format!("GET /v2/app/blobs/{whole}"), "Range: bytes=2-\r\n", b""), 416, "SIZE_INVALID", "the blob has 2 bytes, none of them in the range"),
        row("a URI too long", get(&long), 431, "", ""),
        row("a header too long", request("GET /v2/", &header, b""), 431, "", ""),
        row("too many headers", request("GET /v2/", &many, b""), 431, "", ""),
        row("no HTTP", *b"hello\r\n\r\n", 400, "", ""),
        row("another protocol", *b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "", ""),
        row("HTTP of the future", open.replace("1.1", "9.9"), 400, "", ""),
        row("a header without a name", open.replace("Host", ": x\r\nHost"), 400, "", ""),
        row("a blank before the colon", open.replace("Host:", "Host :"), 400, "", ""),
        row("a folded header", open.replace("registry.test", "registry\r\n .test"), 400, "", ""),
        row("NUL in a header", open.replace("registry.test", "a\0b"), 400, "", ""),
        row("no host", open.replace("Host: registry.test\r\n", ""), 400, "UNSUPPORTED", HOST),
        row("two hosts", open.replace("Host", "Host: other.test\r\nHost"), 400, "UNSUPPORTED", HOST),
        row("a length below zero", both("Content-Length: -1\r\n"), 400, "", ""),
        row("a length with a sign", both("Content-Length: +5\r\n"), 400, "", ""),
        row("a length past all numbers", both("Content-Length: 99999999999999999999999\r\n"), 400, "", ""),
        row("two lengths", both("Content-Length: 5\r\nContent-Length: 6\r\n"), 400, "", ""),
        row("chunks and a length", both("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400, "MANIFEST_INVALID", "the manifest is not valid: EOF while parsing a value at line 1 column 0"),
        row("a length and chunks", both("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400, "MANIFEST_INVALID", "the manifest is not valid: EOF while parsing a value at line 1 column 0"),
        row("chunks in disguise", both("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n"), 400, "", ""),
        row("chunks that are not last", both("Transfer-Encoding: chunked, gzip\r\n"), 400, "", ""),
        row("a blank before chunks", both("Content-Length: 5\r\nTransfer-Encoding : chunked\r\n"), 400, "", ""),
    ]
}
