//! Uploads: begun, continued and ended wrongly. `{upload}` is one that was begun in `app`.

use super::rows::{ALGORITHM, DIGEST, NAME, RANGE, Row, bad, cut, get, post, request, row, sized};
use crate::support::registry::digest;

#[rustfmt::skip]
pub fn uploads() -> Vec<Row> {
    let whole = digest(b"hello");
    let patch =
        |headers: &str, body: &str| sized("PATCH /v2/app/blobs/uploads/{upload}", headers, body);
    let ranged = |range: &str| patch(&format!("Content-Range: {range}\r\n"), "hello");
    let to = |method: &str, rest: &str, body: &str| {
        sized(&format!("{method} /v2/app/blobs/uploads/{rest}"), "", body)
    };
    const LOST: &str = "the upload {upload} is not known in other: it was finished, cancelled, or it expired";
    const BROKEN: &str = "the request's body ended before its length was reached";
    let ten = "Content-Length: 10\r\n";
    let unknown = "00000000-0000-4000-8000-000000000000";
    let chunked = "Transfer-Encoding: chunked\r\nContent-Range: 0-2\r\n";
    vec![
        row("mounts no digest", post("/v2/app/blobs/uploads/?mount=x&from=app"), 400, "DIGEST_INVALID", bad("the parameter mount=", "\"x\"", DIGEST)),
        row("mounts from no name", post(&format!("/v2/app/blobs/uploads/?mount={whole}&from=..")), 400, "NAME_INVALID", bad("the parameter from=", "\"..\"", NAME)),
        row("an unknown digest-algorithm", post("/v2/app/blobs/uploads/?digest-algorithm=md5"), 400, "DIGEST_INVALID", bad("the parameter digest-algorithm=", "\"md5\"", ALGORITHM)),
        row("no digest-algorithm", post("/v2/app/blobs/uploads/?digest-algorithm="), 400, "DIGEST_INVALID", bad("the parameter digest-algorithm=", "\"\"", ALGORITHM)),
        row("whole, under no digest", to("POST", "?digest=sha256:x", "hello"), 400, "DIGEST_INVALID", bad("the parameter digest=", "\"sha256:x\"", "a sha256 digest has 64 hex digits, this one has 1")),
        row("whole, under another digest", to("POST", &format!("?digest={whole}"), "other"), 400, "DIGEST_INVALID", "the content is sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa, not sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824; the upload was dropped"),
        cut("whole, cut off", request(&format!("POST /v2/app/blobs/uploads/?digest={whole}"), ten, b"hello"), 400, "BLOB_UPLOAD_INVALID", BROKEN),
        row("a begin with a body", to("POST", "", "hello"), 400, "BLOB_UPLOAD_INVALID", "the request that begins an upload has no body, unless it names the digest of the whole blob"),
        row("Content-Range backwards", ranged("4-0"), 400, "BLOB_UPLOAD_INVALID", bad("the Content-Range ", "\"4-0\"", RANGE)),
        row("Content-Range open", ranged("0-"), 400, "BLOB_UPLOAD_INVALID", bad("the Content-Range ", "\"0-\"", RANGE)),
        row("Content-Range with a sign", ranged("+0-4"), 400, "BLOB_UPLOAD_INVALID", bad("the Content-Range ", "\"+0-4\"", RANGE)),
        row("Content-Range past all numbers", ranged("0-99999999999999999999"), 400, "BLOB_UPLOAD_INVALID", bad("the Content-Range ", "\"0-99999999999999999999\"", RANGE)),
        row("Content-Range of all numbers", ranged("0-18446744073709551615"), 400, "SIZE_INVALID", "the Content-Range 0-18446744073709551615 has 18446744073709551615 bytes but the body has 5"),
        row("Content-Range past its own size", ranged("bytes 0-4/3"), 400, "BLOB_UPLOAD_INVALID", bad("the Content-Range ", "\"bytes 0-4/3\"", RANGE)),
        row("Content-Range of another length", ranged("0-9"), 400, "SIZE_INVALID", "the Content-Range 0-9 has 10 bytes but the body has 5"),
        row("Content-Range elsewhere", ranged("5-9"), 416, "BLOB_UPLOAD_INVALID", "the upload stands at byte 0, the chunk begins elsewhere"),
        row("in chunks, longer than declared", request("PATCH /v2/app/blobs/uploads/{upload}", chunked, b"5\r\nhello\r\n0\r\n\r\n"), 400, "SIZE_INVALID", "the chunk's Content-Range is 0-2 but more bytes came"),
        row("in chunks, shorter than declared", request("PATCH /v2/app/blobs/uploads/{upload}", chunked, b"2\r\nhe\r\n0\r\n\r\n"), 400, "SIZE_INVALID", "the chunk's Content-Range is 0-2 but 2 bytes came"),
        row("a chunk of no size", request("PATCH /v2/app/blobs/uploads/{upload}", "Transfer-Encoding: chunked\r\n", b"x\r\nhello\r\n0\r\n\r\n"), 400, "BLOB_UPLOAD_INVALID", "the request's body ended before its length was reached"),
        cut("a chunk cut off", request("PATCH /v2/app/blobs/uploads/{upload}", ten, b"hello"), 400, "BLOB_UPLOAD_INVALID", BROKEN),
        cut("a close cut off", request(&format!("PUT /v2/app/blobs/uploads/{{upload}}?digest={whole}"), ten, b"hello"), 400, "BLOB_UPLOAD_INVALID", BROKEN),
        row("a close without a digest", to("PUT", "{upload}", "hello"), 400, "DIGEST_INVALID", "the request that ends an upload names the digest of the whole blob: ?digest=sha256:…"),
        row("a close in upper case", to("PUT", &format!("{{upload}}?digest={}", whole.to_uppercase()), "hello"), 400, "DIGEST_INVALID", bad("the parameter digest=", "\"SHA256:2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824\"", ALGORITHM)),
        row("a close under another digest", to("PUT", &format!("{{upload}}?digest={whole}"), "other"), 400, "DIGEST_INVALID", "the content is sha256:d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa, not sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824; the upload was dropped"),
        row("from another repository", request("GET /v2/other/blobs/uploads/{upload}", "", b""), 404, "BLOB_UPLOAD_UNKNOWN", LOST),
        row("a chunk from another repository", sized("PATCH /v2/other/blobs/uploads/{upload}", "", "hello"), 404, "BLOB_UPLOAD_UNKNOWN", LOST),
        row("a close from another repository", sized(&format!("PUT /v2/other/blobs/uploads/{{upload}}?digest={whole}"), "", "hello"), 404, "BLOB_UPLOAD_UNKNOWN", LOST),
        row("a cancel from another repository", request("DELETE /v2/other/blobs/uploads/{upload}", "", b""), 404, "BLOB_UPLOAD_UNKNOWN", LOST),
        row("unknown", get(&format!("/v2/app/blobs/uploads/{unknown}")), 404, "BLOB_UPLOAD_UNKNOWN", "the upload 00000000-0000-4000-8000-000000000000 is not known in app: it was finished, cancelled, or it expired"),
        row("a chunk of an unknown one", to("PATCH", unknown, "hello"), 404, "BLOB_UPLOAD_UNKNOWN", "the upload 00000000-0000-4000-8000-000000000000 is not known in app: it was finished, cancelled, or it expired"),
        row("a close of an unknown one", to("PUT", &format!("{unknown}?digest={whole}"), "hello"), 404, "BLOB_UPLOAD_UNKNOWN", "the upload 00000000-0000-4000-8000-000000000000 is not known in app: it was finished, cancelled, or it expired"),
        row("named by no UUID", get("/v2/app/blobs/uploads/1"), 404, "BLOB_UPLOAD_UNKNOWN", "the upload \"1\" is not known"),
        row("named by a path", get("/v2/app/blobs/uploads/..%2f..%2fmetadata.sqlite"), 404, "BLOB_UPLOAD_UNKNOWN", "the upload \"..%2f..%2fmetadata.sqlite\" is not known"),
        row("named in upper case", get("/v2/app/blobs/uploads/ABCDEF00-0000-4000-8000-000000000000"), 404, "BLOB_UPLOAD_UNKNOWN", "the upload \"ABCDEF00-0000-4000-8000-000000000000\" is not known"),
    ]
}
