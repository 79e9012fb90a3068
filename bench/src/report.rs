//! Results as text, Markdown and JSON.

use serde_json::{Value, json};

use crate::goals::goals;
use crate::results::{Results, Row, Spread};
use crate::servers::Subject;

/// In which form to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Columns, for eyes.
    Text,
    /// Tables, for docs/performance.md.
    Markdown,
}

/// All that is to be told: `about` first, then the results, then the goals.
pub fn render(results: &Results, about: &[(&str, String)], form: Form) -> String {
    let about: Vec<Vec<String>> =
        about.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]).collect();
    let mut rows = Vec::new();
    let mut last = "";
    for row in &results.rows {
        // A measure is named once.
        let name = if row.measure == last { "" } else { &row.measure };
        last = &row.measure;
        rows.push(cells(row, name));
    }
    let heads = ["measured", "what", "wharf", "nginx", "docker-registry", "dd"];
    let ratios = ["÷ nginx", "÷ docker-registry", "÷ dd"];
    let heads = [heads.as_slice(), ratios.as_slice()].concat();
    [
        table(&["run", ""], &about, form),
        table(&heads, &rows, form),
        table(&["goal", "reached", ""], &judged(results), form),
    ]
    .join("\n")
}

fn cells(row: &Row, name: &str) -> Vec<String> {
    let mut cells = vec![name.to_owned(), format!("{}, {}", row.metric.name, row.metric.unit)];
    cells.extend(Subject::ALL.map(|subject| spread(row.spread(subject))));
    let others = [Subject::Nginx, Subject::Registry, Subject::Dd];
    cells.extend(others.map(|subject| spread(row.ratio(subject))));
    cells
}

fn spread(spread: Option<Spread>) -> String {
    let Some(Spread { median, least, most }) = spread else { return String::new() };
    if least == most {
        return number(median);
    }
    format!("{} ({}–{})", number(median), number(least), number(most))
}

/// With as many digits as say something.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn judged(results: &Results) -> Vec<Vec<String>> {
    let judge = |goal: crate::goals::Goal| {
        let (reached, met) = match goal.reached(results) {
            Some(value) => {
                let met = if goal.is_met_by(value) { "met" } else { "NOT met" };
                (format!("{} {}", number(value), goal.unit()), met)
            }
            None => (String::new(), "not measured"),
        };
        vec![goal.text.to_owned(), reached, met.to_owned()]
    };
    goals().into_iter().map(judge).collect()
}

fn table(heads: &[&str], rows: &[Vec<String>], form: Form) -> String {
    if form == Form::Markdown {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let heads: Vec<String> = heads.iter().map(|&head| head.to_owned()).collect();
        let rule = vec!["---".to_owned(); heads.len()];
        return [heads, rule].iter().chain(rows).map(|cells| line(cells)).collect();
    }
    let heads = heads.iter().map(|&head| head.to_owned()).collect::<Vec<_>>();
    let lines: Vec<&Vec<String>> = std::iter::once(&heads).chain(rows).collect();
    let width =
        |index: usize| lines.iter().map(|cells| cells[index].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded = cells.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    lines.into_iter().map(line).collect()
}

/// All values, for programs.
pub fn as_json(results: &Results, about: &[(&str, String)]) -> Value {
    let rows = results.rows.iter().map(|row| {
        let values: serde_json::Map<String, Value> = row
            .values
            .iter()
            .map(|(subject, values)| (subject.name().to_owned(), json!(values)))
            .collect();
        let metric = row.metric;
        json!({
            "measure": row.measure, "metric": metric.name, "unit": metric.unit, "values": values,
        })
    });
    let goals = goals().into_iter().map(|goal| {
        let reached = goal.reached(results);
        let met = reached.map(|value| goal.is_met_by(value));
        json!({ "goal": goal.text, "reached": reached, "unit": goal.unit(), "met": met })
    });
    let about: serde_json::Map<String, Value> =
        about.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({
        "run": about,
        "results": rows.collect::<Vec<_>>(),
        "goals": goals.collect::<Vec<_>>(),
    })
}
