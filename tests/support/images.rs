//! Images made on the spot: a root file system of a few megabytes, and builds upon it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::program::run;

/// A tar of a root file system that can run a shell (Debian's busybox), made once and kept.
pub fn root_file_system() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let tar = folder.join("busybox-1.tar");
        if !tar.exists() {
            fs::create_dir_all(folder).unwrap();
            let unfinished = folder.join(format!("busybox-{}.tar", std::process::id()));
            run(Command::new("mmdebstrap")
                .args(["--quiet", "--variant=extract", "--include=busybox-static"])
                .arg("--extract-hook=ln -s busybox \"$1/bin/sh\"")
                .arg("bookworm")
                .arg(&unfinished));
            fs::rename(&unfinished, &tar).unwrap();
        }
        tar
    })
}

/// A build context of several layers over the local image `base`: files, a folder, a command run.
pub fn layered_context(folder: &Path, base: &str) {
    fs::create_dir_all(folder.join("site")).unwrap();
    fs::write(folder.join("greeting"), "hello from a layer\n").unwrap();
    for page in 0..20 {
        let text = format!("page {page}\n").repeat(1000 * (page + 1));
        fs::write(folder.join("site").join(format!("{page}.html")), text).unwrap();
    }
    let recipe = format!(
        "FROM {base}\n\
         COPY greeting /greeting\n\
         COPY site /site\n\
         RUN busybox sha256sum /site/* > /sums\n\
         ENV COLOUR=blue\n\
         CMD [\"/bin/busybox\", \"cat\", \"/greeting\"]\n"
    );
    fs::write(folder.join("Dockerfile"), recipe).unwrap();
}
