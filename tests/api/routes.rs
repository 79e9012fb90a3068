//! What every end-point shares: the root, extensions, probes, unknown paths, methods that are not for a path.

use super::request::{get, head, other, post, put};
use super::transcript::Transcript;

#[test]
fn the_root_says_that_this_is_a_registry() {
    let mut transcript = Transcript::start();
    transcript.step("end-1", get("/v2/"));
    transcript.step("end-1, headers alone", head("/v2/"));
    transcript.step("without the slash", get("/v2"));
    transcript.step("the proxy's ns parameter is ignored", get("/v2/?ns=docker.io"));
    transcript.matches("routes_root");
}

#[test]
fn extensions_are_discovered_for_the_registry_and_for_a_repository() {
    let mut transcript = Transcript::start();
    transcript.step("of the registry", get("/v2/_oci/ext/discover"));
    transcript.step("of a repository", get("/v2/app/_oci/ext/discover"));
    transcript.matches("routes_extensions");
}

#[test]
fn probes_answer_without_the_api_version() {
    let mut transcript = Transcript::start();
    transcript.step("the process lives", get("/healthz"));
    transcript.step("the stores can be used", get("/readyz"));
    transcript.matches("routes_probes");
}

#[test]
fn unknown_paths_are_told_so() {
    let mut transcript = Transcript::start();
    for path in ["/", "/v1/search?q=a", "/v2/app", "/v2/app/", "/v2/app/layers/1", "/v2/_catalog/"]
    {
        transcript.step("nothing is there", get(path));
    }
    transcript.matches("routes_unknown_paths");
}

#[test]
fn wrong_methods_are_told_the_right_ones() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let mut transcript = Transcript::start();
    transcript.step("the root", post("/v2/"));
    transcript.step("the catalog", put("/v2/_catalog"));
    transcript.step("extensions", other("DELETE", "/v2/_oci/ext/discover"));
    transcript.step("tags", post("/v2/app/tags/list"));
    transcript.step("a manifest", post("/v2/app/manifests/latest"));
    transcript.step("referrers", put(format!("/v2/app/referrers/{digest}")));
    transcript.step("a blob", put(format!("/v2/app/blobs/{digest}")));
    transcript.step("uploads", get("/v2/app/blobs/uploads/"));
    transcript.step("an upload", post("/v2/app/blobs/uploads/x"));
    let direct = "/v2/app/_wharf/direct/uploads";
    transcript.step("direct uploads", get(format!("{direct}/")));
    transcript.step("a direct upload", post(format!("{direct}/x")));
    transcript.step("its parts", get(format!("{direct}/x/parts")));
    transcript.step("a part", get(format!("{direct}/x/parts/1")));
    transcript.step("a probe", post("/healthz"));
    transcript.step("a method of nobody", other("BREW", "/v2/"));
    transcript.step("the server's own options", other("OPTIONS", "/v2/"));
    transcript.matches("routes_wrong_methods");
}
