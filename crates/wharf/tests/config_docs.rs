//! docs/configuration.md is what the program says about its settings.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod config_process;

use config_process::{run, wharf};

#[test]
fn the_document_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let (code, made, _) = run(&mut wharf(".".as_ref(), &["config", "docs"]));
    assert_eq!(code, 0);
    assert!(
        std::fs::read_to_string(path).unwrap_or_default() == made,
        "docs/configuration.md is stale; run: cargo run -p wharf -- config docs > \
         docs/configuration.md"
    );
}
