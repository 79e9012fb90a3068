//! `wharf-bench`: measures Wharf beside nginx, Debian's docker-registry and dd, on this machine, by turns.
//!
//! See docs/performance.md for what is measured and why.

mod about;
mod content;
mod fixture;
mod goals;
mod manifests;
mod options;
mod programs;
mod pull;
mod push;
mod report;
mod results;
mod servers;
mod slow;
mod start;
mod steady;
mod usage;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};
use wharf_bench::process;
use wharf_bench::table::Form;

use content::Content;
use fixture::Fixture;
use options::Options;
use programs::Programs;
use results::Results;

/// A group of measures.
type Measure = fn(&Fixture, &mut Results) -> Result<()>;

const GROUPS: [(&str, Measure); 7] = [
    ("pull", pull::run),
    ("push", push::run),
    ("manifests", manifests::run),
    ("steady", steady::run),
    ("slow", slow::run),
    ("start", start::run),
    ("idle", start::idle),
];

fn main() -> Result<()> {
    let options = Options::parse();
    for name in &options.only {
        let known = GROUPS.iter().any(|(group, _)| group == name);
        ensure!(known, "--only {name}: the groups are {}", GROUPS.map(|(name, _)| name).join(", "));
    }
    let programs = Programs::find(options.wharf.as_deref())?;
    let about = about::about(&options, &programs);
    let results = measure(options.clone(), programs)?;
    if options.json {
        println!("{:#}", report::as_json(&results, &about));
    } else {
        let form = if options.markdown { Form::Markdown } else { Form::Text };
        print!("{}", report::render(&results, &about, form));
    }
    Ok(())
}

fn measure(options: Options, programs: Programs) -> Result<Results> {
    allow_many_files()?;
    let folder = working_folder(&options)?;
    // It is removed when this is dropped, or on Ctrl-C.
    let folder = tempfile::Builder::new().prefix("wharf-bench-").tempdir_in(folder)?;
    process::clean_up_when_interrupted(folder.path().to_owned())?;
    let content = Content::new(options.size());
    let fixture = Fixture { options, programs, content, folder: folder.path().to_owned() };
    let mut results = Results::default();
    for (group, run) in GROUPS {
        if fixture.options.wants(group) {
            run(&fixture, &mut results).with_context(|| format!("measuring {group}"))?;
        }
    }
    Ok(results)
}

/// On the disk where the program was built, unless told otherwise: /tmp may be memory.
fn working_folder(options: &Options) -> Result<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    let folder = options.dir.clone().unwrap_or_else(default);
    let doing = || format!("making {}", folder.display());
    std::fs::create_dir_all(&folder).with_context(doing)?;
    folder.canonicalize().with_context(doing)
}

/// A thousand clients are as many files, here and in the servers, which inherit it.
fn allow_many_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("raising the limit of open files")
}
