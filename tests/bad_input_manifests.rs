//! Manifests that contradict themselves, their head, or the registry.

use super::rows::{Row, cut, manifest, request, row, sized, typed};
use crate::support::registry::digest;

#[rustfmt::skip]
pub fn manifests() -> Vec<Row> {
    let held = digest(b"{}");
    let config = format!(r#"{{"mediaType":"a/b","digest":"{held}","size":2}}"#);
    let image = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[]}}"#);
    let with = |more: &str| manifest(image.replace("\"layers\"", &format!("{more},\"layers\"")));
    let sizes = |size: &str| manifest(image.replace(":2}", &format!(":{size}}}")));
    let deep = format!("\"annotations\":{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    let large = 4 * 1024 * 1024 + 1;
    let other = format!("PUT /v2/app/manifests/{}", digest(b"other bytes"));
    let endless = format!("{large:x}\r\n{}\r\n0\r\n\r\n", " ".repeat(large));
    let chunked = "Transfer-Encoding: chunked\r\n";
    vec![
        row("no bytes", manifest(""), 400, "MANIFEST_INVALID", "the manifest is not valid: EOF while parsing a value at line 1 column 0"),
        row("no JSON", manifest("<html>"), 400, "MANIFEST_INVALID", "the manifest is not valid: expected value at line 1 column 1"),
        row("an array", manifest("[]"), 400, "MANIFEST_INVALID", "the manifest is not valid: invalid type: sequence, expected a JSON object at line 1 column 0"),
        row("cut off", manifest(&image[..image.len() - 1]), 400, "MANIFEST_INVALID", "the manifest is not valid: EOF while parsing an object at line 1 column 151"),
        row("two documents", manifest(format!("{image}{image}")), 400, "MANIFEST_INVALID", "the manifest is not valid: trailing characters at line 1 column 153"),
        row("not UTF-8", manifest(b"{\"schemaVersion\":2,\"a\":\"\xff\"}"),  400, "MANIFEST_INVALID", "the manifest is not valid: invalid unicode code point at line 1 column 25"),
        row("nested too deeply", with(&deep), 400, "MANIFEST_INVALID", "the manifest is not valid: nested too deeply at line 1 column 310"),
        row("bottomless", manifest("[".repeat(1_000_000)), 400, "MANIFEST_INVALID", "the manifest is not valid: invalid type: sequence, expected a JSON object at line 1 column 0"),
        row("a key twice", with("\"layers\":[]"), 400, "MANIFEST_INVALID", "the manifest is not valid: the key \"layers\" stands twice in one object at line 1 column 164"),
        row("a key twice, escaped", with("\"l\\u0061yers\":[]"), 400, "MANIFEST_INVALID", "the manifest is not valid: the key \"layers\" stands twice in one object at line 1 column 169"),
        row("a key twice in a layer", with("\"a\":{\"b\":1,\"b\":2}"), 400, "MANIFEST_INVALID", "the manifest is not valid: the key \"b\" stands twice in one object at line 1 column 157"),
        row("a key in disguise", with("\"Layers\":[]"), 400, "MANIFEST_INVALID", "the manifest's key \"Layers\" must be written \"layers\""),
        row("a key in disguise, inside", manifest(image.replace("\"size\"", "\"Size\":9,\"size\"")), 400, "MANIFEST_INVALID", "the manifest is not valid: the key \"Size\" must be written \"size\" at line 1 column 148"),
        row("layers and manifests", with("\"manifests\":[]"), 400, "MANIFEST_INVALID", "the manifest has both \"layers\" and \"manifests\": it must be an image or an index, not both"),
        row("a huge size", sizes("99999999999999999999999999"), 400, "MANIFEST_INVALID", "the manifest is not valid: invalid type: floating point `1e+26`, expected i64 at line 1 column 163"),
        row("a huge power", sizes("1e999"), 400, "MANIFEST_INVALID", "the manifest is not valid: number out of range at line 1 column 142"),
        row("a size past what others read", sizes("9223372036854775808"), 400, "MANIFEST_INVALID", "the manifest is not valid: invalid value: integer `9223372036854775808`, expected i64 at line 1 column 156"),
        row("a size below zero", sizes("-1"), 400, "MANIFEST_INVALID", "the manifest is not valid: a size must not be negative at line 1 column 140"),
        row("a broken size", sizes("1.5"), 400, "MANIFEST_INVALID", "the manifest is not valid: invalid type: floating point `1.5`, expected i64 at line 1 column 140"),
        row("a config that is an array", manifest(r#"{"schemaVersion":2,"config":["a/b","x",2],"layers":[]}"#), 400, "MANIFEST_INVALID", "the manifest is not valid: an array stands for an object at line 1 column 29"),
        row("a digest of its own making", manifest(image.replace("sha256:", "md5:")), 400, "MANIFEST_INVALID", "the manifest is not valid: the digest's algorithm must be sha256 or sha512 at line 1 column 126"),
        row("an annotation that is a number", with("\"annotations\":{\"a\":1}"), 400, "MANIFEST_INVALID", "the manifest is not valid: invalid type: integer `1`, expected a string at line 1 column 160"),
        row("data that is not the content", manifest(image.replace(":2}", ":2,\"data\":\"e31=\"}")), 400, "MANIFEST_INVALID", "the data embedded for sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a is not that content"),
        row("no config", manifest(r#"{"schemaVersion":2,"layers":[]}"#), 400, "MANIFEST_INVALID", "the manifest has no \"config\", which application/vnd.oci.image.manifest.v1+json needs"),
        row("no schemaVersion", manifest(r#"{"layers":[]}"#), 400, "MANIFEST_INVALID", "the manifest's schemaVersion must be 2"),
        row("schema 3", manifest(r#"{"schemaVersion":3}"#), 400, "MANIFEST_INVALID", "the manifest's schemaVersion must be 2"),
        row("schema 1", manifest(r#"{"schemaVersion":1,"fsLayers":[]}"#), 400, "MANIFEST_INVALID", "Docker image manifest version 2, schema 1 is not accepted; push the image with a client of the last seven years, as schema 2 or as an OCI image"),
        row("schema 1 by its type", typed("application/vnd.docker.distribution.manifest.v1+prettyjws", "{}"), 400, "MANIFEST_INVALID", "Docker image manifest version 2, schema 1 is not accepted; push the image with a client of the last seven years, as schema 2 or as an OCI image"),
        row("a mediaType of nobody", with("\"mediaType\":\"a/b\""), 400, "MANIFEST_INVALID", "the manifest's mediaType \"a/b\" is not one of an image manifest or an index"),
        row("a Content-Type of nobody", typed("text/plain", &image), 400, "MANIFEST_INVALID", "the Content-Type \"text/plain\" is not one of an image manifest or an index"),
        row("another Content-Type", typed("application/vnd.oci.image.index.v1+json", &image), 400, "MANIFEST_INVALID", "the Content-Type is application/vnd.oci.image.index.v1+json but the manifest is application/vnd.oci.image.manifest.v1+json"),
        row("bytes of another digest", sized(&other, "", &image), 400, "DIGEST_INVALID", "the manifest's bytes are sha256:b8b3be64674492a0b1f8e415889cbdd779f02ce820bd555c311001e65c507354, not sha256:a3ead5eedad5df82318c51685dbc1c147a36d1ff8584fc82de6b08d0bf63a795"),
        row("a blob that is not there", manifest(image.replace(&held, &digest(b"nowhere"))), 404, "MANIFEST_BLOB_UNKNOWN", "the manifest names sha256:20aeff0494e828d188c704e1f488a589b15ae01d11f6cb129f62129caa6cc543, which this repository does not hold; push it first"),
        row("too large", manifest(" ".repeat(large)), 413, "SIZE_INVALID", "the manifest is larger than the 4194304 bytes that this registry takes"),
        row("too large, announced and not sent", request("PUT /v2/app/manifests/new", &format!("Content-Length: {large}\r\n"), b""), 413, "SIZE_INVALID", "the manifest is larger than the 4194304 bytes that this registry takes"),
        row("too large, without a length", request("PUT /v2/app/manifests/new", chunked, endless.as_bytes()), 413, "SIZE_INVALID", "the manifest is larger than the 4194304 bytes that this registry takes"),
        cut("cut off on the way", request("PUT /v2/app/manifests/new", "Content-Length: 1000\r\n", image.as_bytes()), 400, "MANIFEST_INVALID", "the body broke off"),
        cut("cut off in a chunk", request("PUT /v2/app/manifests/new", chunked, b"5\r\nhel"), 400, "MANIFEST_INVALID", "the body broke off"),
        row("longer than declared", request("PUT /v2/app/manifests/new", "Content-Length: 9\r\n", image.as_bytes()), 400, "MANIFEST_INVALID", "the manifest is not valid: EOF while parsing a string at line 1 column 9"),
        row("If-Match and If-None-Match", sized("PUT /v2/app/manifests/new", "If-Match: *\r\nIf-None-Match: *\r\n", &image), 400, "UNSUPPORTED", "If-Match and If-None-Match cannot both hold the request back; send one of them"),
        row("a delete with both", request("DELETE /v2/app/manifests/latest", "If-Match: *\r\nIf-None-Match: *\r\n", b""), 400, "UNSUPPORTED", "If-Match and If-None-Match cannot both hold the request back; send one of them"),
    ]
}
