//! `wharf-access`: measures access control: tokens issued and verified, and the decision in a large PostgreSQL database.
//!
//! See docs/performance.md, "Access control", for the goals.

mod decision;
mod options;
mod people;
mod requests;
mod tokens;

use anyhow::Result;
use clap::Parser;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use wharf_bench::figures::number;
use wharf_bench::table::{Form, table};
use wharf_bench::{machine, process, program};

use options::Options;

/// A figure, with what it has to be.
pub struct Figure {
    /// What it is.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// The goal as text and whether it is met, where there is one.
    pub goal: Option<(&'static str, bool)>,
}

impl Figure {
    /// One without a goal.
    pub fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, goal: None }
    }

    /// The same, with a goal.
    pub fn goal(self, text: &'static str, is_met: bool) -> Self {
        Self { goal: Some((text, is_met)), ..self }
    }
}

fn main() -> Result<()> {
    let options = Options::parse();
    let folder = tempfile::Builder::new().prefix("wharf-access-").tempdir()?;
    process::clean_up_when_interrupted(folder.path().to_owned())?;
    let runtime = Runtime::new()?;
    let load = machine::load();
    let mut figures = runtime.block_on(tokens::measure(folder.path(), options.samples))?;
    let wharf = program::wharf(options.wharf.as_deref())?;
    figures.extend(requests::measure(&wharf, folder.path(), options.samples)?);
    if let Some(server) = &options.database {
        figures.extend(runtime.block_on(decision::measure(server, &options))?);
    }
    let about = [
        ("wharf", program::version(&wharf, "--version")),
        ("machine", machine::machine()),
        ("load before", load),
    ];
    if options.json {
        println!("{:#}", as_json(&figures, &about));
    } else {
        let form = if options.markdown { Form::Markdown } else { Form::Text };
        print!("{}", render(&figures, &about, form));
    }
    Ok(())
}

fn render(figures: &[Figure], about: &[(&str, String)], form: Form) -> String {
    let about: Vec<Vec<String>> =
        about.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    let row = |figure: &Figure| {
        let (goal, met) = figure
            .goal
            .map_or(("", ""), |(goal, is_met)| (goal, if is_met { "met" } else { "NOT met" }));
        let value = format!("{} {}", number(figure.value), figure.unit);
        vec![figure.name.clone(), value, goal.to_owned(), met.to_owned()]
    };
    let rows: Vec<Vec<String>> = figures.iter().map(row).collect();
    let measured = table(&["access control", "measured", "goal", ""], &rows, form);
    format!("{}\n{measured}", table(&["run", ""], &about, form))
}

fn as_json(figures: &[Figure], about: &[(&str, String)]) -> Value {
    let about: Map<String, Value> =
        about.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let figure = |it: &Figure| {
        json!({
            "name": it.name, "value": it.value, "unit": it.unit,
            "goal": it.goal.map(|(goal, _)| goal), "met": it.goal.map(|(_, is_met)| is_met),
        })
    };
    json!({ "run": about, "figures": figures.iter().map(figure).collect::<Vec<_>>() })
}
