//! `wharf-bench`: measures Wharf beside nginx, Debian's docker-registry and dd, or on shared engines beside the
//! embedded one, on this machine, by turns.
//!
//! See docs/performance.md for what is measured and why.

mod about;
mod comparison;
mod content;
mod fixture;
mod goals;
mod manifests;
mod multipart;
mod options;
mod programs;
mod pull;
mod push;
mod redirects;
mod report;
mod results;
mod servers;
mod slow;
mod start;
mod steady;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustix::process::{Resource, getrlimit, setrlimit};
use wharf_bench::process;
use wharf_bench::table::Form;

use comparison::{Comparison, EMBEDDED, SHARED};
use content::Content;
use fixture::Fixture;
use options::Options;
use programs::Programs;
use results::Results;
use wharf_bench::engines::Engines;

fn main() -> Result<()> {
    let options = Options::parse();
    let comparison = if options.shared { &SHARED } else { &EMBEDDED };
    let groups: Vec<&str> = comparison.groups.iter().map(|(group, _)| *group).collect();
    for name in &options.only {
        let known = groups.contains(&name.as_str());
        ensure!(known, "--only {name}: the groups are {}", groups.join(", "));
    }
    let programs = Programs::find(comparison, options.wharf.as_deref())?;
    let engines = if options.shared { Some(Arc::new(Engines::find()?)) } else { None };
    let about = about::about(&options, &programs, engines.as_deref())?;
    let results = measure(comparison, options.clone(), programs, engines)?;
    if options.json {
        println!("{:#}", report::as_json(comparison, &results, &about));
    } else {
        let form = if options.markdown { Form::Markdown } else { Form::Text };
        print!("{}", report::render(comparison, &results, &about, form));
    }
    Ok(())
}

fn measure(
    comparison: &'static Comparison,
    options: Options,
    programs: Programs,
    engines: Option<Arc<Engines>>,
) -> Result<Results> {
    allow_many_files()?;
    let folder = working_folder(&options)?;
    // It is removed when this is dropped, or on Ctrl-C.
    let folder = tempfile::Builder::new().prefix("wharf-bench-").tempdir_in(folder)?;
    process::clean_up_when_interrupted(folder.path().to_owned())?;
    let content = Content::new(options.size());
    let fixture = Fixture {
        comparison,
        options,
        programs,
        content,
        folder: folder.path().to_owned(),
        engines,
        fed: Mutex::new(None),
    };
    let mut results = Results::default();
    for (group, run) in comparison.groups {
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
