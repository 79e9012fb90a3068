//! Names, references and lists that are none.

use super::rows::{
    ALGORITHM, DIGEST, LOWER_CASE, NAME, Row, TAG, UTF_8, bad, get, get_bytes, post, request, row,
    sized,
};
use crate::support::registry::digest;

#[rustfmt::skip]
pub fn names() -> Vec<Row> {
    let long = format!("/v2/{}/tags/list", "a".repeat(256));
    vec![
        row("upper case", get("/v2/App/tags/list"), 400, "NAME_INVALID", bad("", "\"App\"", NAME)),
        row("two dots", get("/v2/a..b/tags/list"), 400, "NAME_INVALID", bad("", "\"a..b\"", NAME)),
        row("the folder above", get("/v2/../app/tags/list"), 400, "NAME_INVALID", bad("", "\"../app\"", NAME)),
        row("the folder above, encoded", get("/v2/%2e%2e/app/tags/list"), 400, "NAME_INVALID", bad("", "\"../app\"", NAME)),
        row("a double slash", get("/v2/team//app/tags/list"), 400, "NAME_INVALID", bad("", "\"team//app\"", NAME)),
        row("a leading slash", get("/v2//app/tags/list"), 400, "NAME_INVALID", bad("", "\"/app\"", NAME)),
        row("a trailing slash", get("/v2/app//tags/list"), 400, "NAME_INVALID", bad("", "\"app/\"", NAME)),
        row("a leading separator", get("/v2/-app/tags/list"), 400, "NAME_INVALID", bad("", "\"-app\"", NAME)),
        row("a trailing separator", get("/v2/app_/tags/list"), 400, "NAME_INVALID", bad("", "\"app_\"", NAME)),
        row("three underscores", get("/v2/a___b/tags/list"), 400, "NAME_INVALID", bad("", "\"a___b\"", NAME)),
        row("no name", get("/v2/tags/list"), 404, "UNSUPPORTED", "\"/v2/tags/list\" is no end-point of this registry"),
        row("too long", get(&long), 400, "NAME_INVALID", bad("", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"…", "a repository name has at most 255 characters")),
        row("NUL, encoded", get("/v2/app%00/tags/list"), 400, "NAME_INVALID", bad("", "\"app\\0\"", NAME)),
        row("NUL", get_bytes(b"/v2/app", b"\0", b"/tags/list"), 400, "", ""),
        row("not UTF-8, encoded", get("/v2/app%ff/tags/list"), 400, "NAME_INVALID", bad("", "\"app%ff\"", UTF_8)),
        row("not UTF-8", get_bytes(b"/v2/app", b"\xff", b"/tags/list"), 400, "", ""),
        row("a slash, encoded", get("/v2/team%2fapp/tags/list"), 404, "NAME_UNKNOWN", "the repository team/app is not known"),
        row("the folder above, slashes encoded", get("/v2/..%2f..%2fapp/tags/list"), 400, "NAME_INVALID", bad("", "\"../../app\"", NAME)),
        row("an end-point, encoded", get("/v2/app/t%61gs/list"), 404, "UNSUPPORTED", "\"/v2/app/t%61gs/list\" is no end-point of this registry"),
        row("an encoding of nothing", get("/v2/app%zz/tags/list"), 400, "NAME_INVALID", bad("", "\"app%zz\"", NAME)),
        row("a blank, encoded", get("/v2/my%20app/tags/list"), 400, "NAME_INVALID", bad("", "\"my app\"", NAME)),
        row("what is a tag of another", get("/v2/app:latest/tags/list"), 400, "NAME_INVALID", bad("", "\"app:latest\"", NAME)),
        row("of an upload", post("/v2/App/blobs/uploads/"), 400, "NAME_INVALID", bad("", "\"App\"", NAME)),
        row("of a referrers list", get("/v2/App/referrers/x"), 400, "NAME_INVALID", bad("", "\"App\"", NAME)),
        row("of an extension", get("/v2/App/_oci/ext/discover"), 400, "NAME_INVALID", bad("", "\"App\"", NAME)),
    ]
}

#[rustfmt::skip]
pub fn references() -> Vec<Row> {
    let of = |reference: &str| get(&format!("/v2/app/manifests/{reference}"));
    let blob = |digest: &str| get(&format!("/v2/app/blobs/{digest}"));
    let upper = format!("sha256:{}", "A".repeat(64));
    let md5 = format!("md5:{}", "a".repeat(32));
    let short = format!("sha256:{}", "a".repeat(63));
    let mixed = format!("sha512:{}", "a".repeat(64));
    let tags: Vec<String> = (0..101).map(|number| format!("tag=t{number}")).collect();
    let tags = format!("PUT /v2/app/manifests/{}?{}", digest(b"{}"), tags.join("&"));
    vec![
        row("a tag with a leading dot", of(".new"), 400, "MANIFEST_INVALID", bad("", "\".new\"", TAG)),
        row("a tag too long", of(&"t".repeat(129)), 400, "MANIFEST_INVALID", bad("", "\"tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt\"…", TAG)),
        row("a tag with a slash, encoded", of("a%2fb"), 400, "MANIFEST_INVALID", bad("", "\"a/b\"", TAG)),
        row("no tag", of(""), 400, "MANIFEST_INVALID", bad("", "\"\"", TAG)),
        row("a tag with NUL", of("new%00"), 400, "MANIFEST_INVALID", bad("", "\"new\\0\"", TAG)),
        row("a tag that is not UTF-8", of("%ff"), 400, "MANIFEST_INVALID", bad("", "\"%ff\"", UTF_8)),
        row("an unknown algorithm", of(&md5), 400, "DIGEST_INVALID", bad("", "\"md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", ALGORITHM)),
        row("a digest too short", of(&short), 400, "DIGEST_INVALID", bad("", "\"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "a sha256 digest has 64 hex digits, this one has 63")),
        row("of the other algorithm's length", of(&mixed), 400, "DIGEST_INVALID", bad("", "\"sha512:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "a sha512 digest has 128 hex digits, this one has 64")),
        row("a digest in upper case", of(&upper), 400, "DIGEST_INVALID", bad("", "\"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", LOWER_CASE)),
        row("an algorithm in upper case", of(&upper.to_uppercase()), 400, "DIGEST_INVALID", bad("", "\"SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", ALGORITHM)),
        row("a digest with more behind it", of(&format!("{}@x", digest(b""))), 400, "DIGEST_INVALID", bad("", "\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855@x\"", "a sha256 digest has 64 hex digits, this one has 66")),
        row("a blob by tag", blob("latest"), 400, "DIGEST_INVALID", bad("", "\"latest\"", DIGEST)),
        row("a blob by an unknown algorithm", blob(&md5), 400, "DIGEST_INVALID", bad("", "\"md5:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", ALGORITHM)),
        row("a blob in upper case", blob(&upper), 400, "DIGEST_INVALID", bad("", "\"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", LOWER_CASE)),
        row("a blob that is not UTF-8", blob("sha256:%ff"), 400, "DIGEST_INVALID", bad("", "\"sha256:%ff\"", UTF_8)),
        row("referrers of a tag", get("/v2/app/referrers/latest"), 400, "DIGEST_INVALID", bad("", "\"latest\"", DIGEST)),
        row("a push in upper case", sized(&format!("PUT /v2/app/manifests/{upper}"), "", "{}"), 400, "DIGEST_INVALID", bad("", "\"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", LOWER_CASE)),
        row("a delete of no tag", request("DELETE /v2/app/manifests/-x", "", b""), 400, "MANIFEST_INVALID", bad("", "\"-x\"", TAG)),
        row("very many tags", sized(&tags, "", "{}"), 414, "UNSUPPORTED", "one push moves at most 100 tags"),
        row("a tag parameter of no tag", sized(&format!("PUT /v2/app/manifests/{}?tag=a/b", digest(b"{}")), "", "{}"), 400, "MANIFEST_INVALID", bad("the parameter tag=", "\"a/b\"", TAG)),
    ]
}

#[rustfmt::skip]
pub fn lists() -> Vec<Row> {
    vec![
        row("n below zero", get("/v2/app/tags/list?n=-1"), 400, "UNSUPPORTED", "the parameter n=\"-1\" must be a whole number"),
        row("n with a sign", get("/v2/app/tags/list?n=+1"), 400, "UNSUPPORTED", "the parameter n=\"+1\" must be a whole number"),
        row("n in words", get("/v2/_catalog?n=ten"), 400, "UNSUPPORTED", "the parameter n=\"ten\" must be a whole number"),
        row("n without a value", get("/v2/_catalog?n="), 400, "UNSUPPORTED", "the parameter n=\"\" must be a whole number"),
        row("n of other digits", get("/v2/_catalog?n=%D9%A1"), 400, "UNSUPPORTED", "the parameter n=\"١\" must be a whole number"),
        row("referrers behind no digest", get(&format!("/v2/app/referrers/{}?last=x", digest(b""))), 400, "DIGEST_INVALID", bad("the parameter last=", "\"x\"", DIGEST)),
        row("tags behind NUL", get("/v2/app/tags/list?last=%00"), 200, "", ""),
        row("tags behind no tag", get("/v2/app/tags/list?last=a/b"), 200, "", ""),
        row("tags behind what is not UTF-8", get("/v2/app/tags/list?last=%ff"), 200, "", ""),
        row("repositories behind no name", get("/v2/_catalog?last=App"), 200, "", ""),
    ]
}
