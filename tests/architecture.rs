//! The house rules that a machine can check: which crate may know which, and what every file begins with.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Which crates of the workspace each may depend on: ARCHITECTURE.md, "The house". Tests may know more.
const ARROWS: [(&str, &[&str]); 12] = [
    ("wharf-oci", &[]),
    ("wharf-core", &["wharf-oci"]),
    ("wharf-metadata", &["wharf-core", "wharf-oci"]),
    ("wharf-blobs", &["wharf-core", "wharf-oci"]),
    ("wharf-cache", &["wharf-core", "wharf-oci"]),
    ("wharf-auth", &["wharf-core", "wharf-oci"]),
    ("wharf-http", &["wharf-core", "wharf-oci"]),
    ("wharf-jobs", &["wharf-core"]),
    ("wharf-client", &["wharf-oci"]),
    (
        "wharf",
        &[
            "wharf-auth",
            "wharf-blobs",
            "wharf-cache",
            "wharf-client",
            "wharf-core",
            "wharf-http",
            "wharf-jobs",
            "wharf-metadata",
            "wharf-oci",
        ],
    ),
    (
        "wharf-bench",
        &["wharf-auth", "wharf-blobs", "wharf-cache", "wharf-core", "wharf-metadata", "wharf-oci"],
    ),
    ("wharf-engines", &[]),
];

/// What crates of these may not know at all: the seams hold only if nobody reaches around them.
const FORBIDDEN: [(&str, &[&str]); 4] = [
    ("wharf-oci", &["tokio", "hyper", "http", "rusqlite"]),
    ("wharf-core", &["hyper", "http", "rusqlite", "rustix"]),
    ("wharf-http", &["rusqlite", "rustix"]),
    ("wharf-metadata", &["hyper", "http"]),
];

/// Names of files that say nothing of what lives there.
const NAMELESS: [&str; 4] = ["utils", "helpers", "common", "misc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The dependencies that each crate of the workspace declares for its own code.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().unwrap();
    let named = |package: &cargo_metadata::Package| {
        let own = package.dependencies.iter().filter(|it| it.kind == DependencyKind::Normal);
        (package.name.to_string(), own.map(|it| it.name.clone()).collect())
    };
    metadata.packages.iter().map(named).collect()
}

fn rust_files() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = ["crates", "tests", "bench", "fuzz/src", "fuzz/targets"]
        .iter()
        .map(|folder| root().join(folder))
        .filter(|folder| folder.exists())
        .collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 100, "the walk found only {} files", files.len());
    files
}

#[test]
fn every_arrow_between_crates_is_in_the_list() {
    let allowed: BTreeMap<_, _> = ARROWS.into_iter().collect();
    for (package, dependencies) in dependencies() {
        let Some(allowed) = allowed.get(package.as_str()) else {
            panic!("the crate {package} has no row in ARROWS");
        };
        for dependency in dependencies.iter().filter(|it| it.starts_with("wharf")) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{package} must not depend on {dependency}; ARCHITECTURE.md says which way arrows point"
            );
        }
    }
}

#[test]
fn no_crate_reaches_around_a_seam() {
    let dependencies = dependencies();
    for (package, forbidden) in FORBIDDEN {
        let found = dependencies.get(package).unwrap_or_else(|| panic!("{package} is gone"));
        for name in forbidden {
            assert!(!found.iter().any(|it| it == name), "{package} must not know {name}");
        }
    }
}

#[test]
fn every_file_says_first_what_lives_there() {
    for file in rust_files() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not begin with a //! line", file.display());
    }
}

#[test]
fn no_file_is_named_after_nothing() {
    for file in rust_files() {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let folder = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        for name in [stem, folder] {
            assert!(!NAMELESS.contains(&name.as_str()), "{} needs a better name", file.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_its_one_room() {
    let room = root().join("crates/blobs/src/files/mapping.rs");
    for file in rust_files().into_iter().filter(|file| *file != room && !file.ends_with(file!())) {
        let text = fs::read_to_string(&file).unwrap();
        let allowed = concat!("allow(", "unsafe_code)");
        assert!(
            !text.contains(allowed),
            "{} allows unsafe code; only {} may",
            file.display(),
            room.display()
        );
    }
}

/// Where the policies of immutability are asked.
#[test]
fn tags_are_written_in_their_one_room() {
    let transactions = root().join("crates/metadata/src/transactions");
    let room = transactions.join("tags/changing.rs");
    let writes = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap();
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Where a tag stands among versions follows from its name, and is no change of it.
        let words = words.replace("UPDATE tags SET pre_release = $1, version_order = $2 ", "");
        // Nor is the end of a deleted repository, whose tags nobody can name any more.
        let words = if file.ends_with("garbage/purging.rs") {
            words.replace("DELETE FROM tags WHERE repository_id = $1 AND name IN ", "")
        } else {
            words
        };
        ["INSERT INTO tags ", "UPDATE tags ", "DELETE FROM tags "]
            .iter()
            .any(|write| words.contains(write))
    };
    assert!(writes(&room), "nothing is written there any more: what else writes tags?");
    let others = rust_files().into_iter().filter(|file| file.starts_with(&transactions));
    for file in others.filter(|file| *file != room) {
        assert!(!writes(&file), "{} writes tags; only {} may", file.display(), room.display());
    }
}
