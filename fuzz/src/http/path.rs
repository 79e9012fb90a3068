//! A path taken apart at every slash.

use wharf_http::api::Resource;

/// What a path names.
pub struct Read {
    pub resource: Resource,
    pub name: String,
    pub last: String,
}

/// The resource of a path; none where there is no such.
pub fn read(path: &str) -> Option<Read> {
    let alone = |resource| Some(Read { resource, name: String::new(), last: String::new() });
    match path {
        "/healthz" => return alone(Resource::Health),
        "/readyz" => return alone(Resource::Readiness),
        "/v2" | "/v2/" => return alone(Resource::Root),
        "/v2/_catalog" => return alone(Resource::Catalog),
        "/v2/_oci/ext/discover" => return alone(Resource::Extensions),
        _ => {}
    }
    let segments: Vec<&str> = path.split('/').collect();
    let ["", "v2", inside @ ..] = segments.as_slice() else { return None };
    let (resource, name, last) = match inside {
        [name @ .., "blobs", "uploads", ""] if !name.is_empty() => (Resource::Uploads, name, ""),
        [name @ .., "blobs", "uploads", upload] if !name.is_empty() => {
            (Resource::Upload, name, *upload)
        }
        [name @ .., "_oci", "ext", "discover"] if !name.is_empty() => {
            (Resource::Extensions, name, "discover")
        }
        [name @ .., "tags", "list"] if !name.is_empty() => (Resource::Tags, name, "list"),
        [name @ .., "manifests", last] if !name.is_empty() => (Resource::Manifest, name, *last),
        [name @ .., "referrers", last] if !name.is_empty() => (Resource::Referrers, name, *last),
        [name @ .., "blobs", "uploads"] if !name.is_empty() => (Resource::Uploads, name, "uploads"),
        [name @ .., "blobs", last] if !name.is_empty() => (Resource::Blob, name, *last),
        _ => return None,
    };
    Some(Read { resource, name: name.join("/"), last: last.to_owned() })
}
