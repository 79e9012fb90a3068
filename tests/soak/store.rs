//! The objects of the store, looked at without Wharf: files of a folder, or the lists that a bucket gives.

// Each test binary uses the part that it needs.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::signer::{SignedUrlOptions, Signer};
use ureq::http::Method;

use crate::support::engines::Shared;
use crate::support::registry::Registry;

/// Where the blobs are.
pub enum Store {
    Folder(PathBuf),
    Bucket { bucket: Box<AmazonS3>, endpoint: String, prefix: String },
}

/// What is there.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Stored {
    /// The name of each object, with its incarnation where that is not the first.
    pub objects: BTreeSet<String>,
    /// What uploads have staged, the parts of one in a bucket included.
    pub staged: BTreeSet<String>,
}

impl Store {
    pub fn folder(path: &Path) -> Store {
        Store::Folder(path.to_owned())
    }

    /// The prefix in a bucket that these nodes share.
    pub fn bucket(shared: &Shared) -> Store {
        let url = shared.get("WHARF_BLOBS_URL").strip_prefix("s3://").unwrap();
        let (name, prefix) = url.split_once('/').unwrap();
        let endpoint = shared.get("AWS_ENDPOINT_URL").to_owned();
        let bucket = AmazonS3Builder::new()
            .with_endpoint(&endpoint)
            .with_allow_http(true)
            .with_bucket_name(name)
            .with_region(shared.get("AWS_REGION"))
            .with_access_key_id(shared.get("AWS_ACCESS_KEY_ID"))
            .with_secret_access_key(shared.get("AWS_SECRET_ACCESS_KEY"))
            .build()
            .unwrap();
        Store::Bucket { bucket: Box::new(bucket), endpoint, prefix: format!("{prefix}/") }
    }

    /// All that is there now.
    pub fn find(&self) -> Stored {
        let names = match self {
            Store::Folder(folder) => {
                let mut names = Vec::new();
                walk(folder, folder, &mut names);
                names.iter().map(|name| name.trim_start_matches("objects/").to_owned()).collect()
            }
            Store::Bucket { bucket, endpoint, prefix } => {
                let list = |query: &[(&str, &str)]| list(bucket, endpoint, prefix, query);
                let mut names = list(&[("list-type", "2"), ("max-keys", "1000")]);
                // Also one that would be an object once it is completed.
                let parts = list(&[("uploads", "")]);
                names.extend(parts.into_iter().map(|name| format!("staging/parts of {name}")));
                names
            }
        };
        let mut stored = Stored::default();
        for name in names {
            match name.strip_prefix("sha256/") {
                Some(object) => {
                    stored.objects.insert(object.rsplit('/').next().unwrap().to_owned())
                }
                None => stored.staged.insert(name),
            };
        }
        stored
    }
}

/// The files below a folder, by their paths in `root`.
fn walk(root: &Path, folder: &Path, names: &mut Vec<String>) {
    // One that goes meanwhile has no files.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, names);
        } else {
            names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// The keys that a list of the bucket names, without the prefix. A list has a thousand at most, of which the soak is far.
fn list(bucket: &AmazonS3, endpoint: &str, prefix: &str, query: &[(&str, &str)]) -> Vec<String> {
    let query = query.iter().copied().chain([("prefix", prefix)]);
    let options = SignedUrlOptions::new().with_query(query);
    let (nowhere, life) = (Key::default(), Duration::from_secs(60));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let signing = bucket.signed_url_opts(Method::GET, &nowhere, life, &options);
    let url = runtime.block_on(signing).unwrap().to_string();
    let authority = endpoint.split_once("://").unwrap().1;
    let reply = Registry::at(authority).send(Method::GET, &url, &[], None).unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let text = reply.text();
    assert!(text.contains("<IsTruncated>false"), "{text}");
    let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
    keys.filter_map(|(key, _)| key.strip_prefix(prefix).map(str::to_owned)).collect()
}
