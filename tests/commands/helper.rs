//! A credential helper (`docker-credential-test`) that keeps what it is given in files, and how it is put on the path.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")/kept" || exit 1
input=$(cat)
case $1 in
store)
    server=$(printf %s "$input" | sed 's/.*"ServerURL":"\([^"]*\)".*/\1/')
    printf %s "$input" > "$(printf %s "$server" | tr / _)" ;;
get)
    cat "$(printf %s "$input" | tr / _)" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase)
    rm "$(printf %s "$input" | tr / _)" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
*)
    exit 1 ;;
esac
"#;

pub struct Helper(TempDir);

impl Helper {
    pub fn new() -> Helper {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("kept")).unwrap();
        let helper = Helper(folder);
        helper.becomes(SCRIPT);
        helper
    }

    /// Makes another program of it.
    pub fn becomes(&self, script: &str) {
        let path = self.0.path().join("docker-credential-test");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Lets a command find it.
    pub fn on_path_of(&self, mut command: Command) -> Command {
        let path = std::env::var_os("PATH").unwrap();
        let folders = std::iter::once(self.0.path().to_owned()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(folders).unwrap());
        command
    }

    /// Where it keeps the login of a registry.
    pub fn kept(&self, server: &str) -> PathBuf {
        Path::new(self.0.path()).join("kept").join(server)
    }
}
